// Follows the page's own server: when it has a newer window, the page is read anew.
(() => {
  "use strict";
  if (!/^https?:$/.test(window.location.protocol)) return; // a saved page asks nobody
  const { end, followEveryS } = document.documentElement.dataset;
  const everyMs = Math.max(1, Number(followEveryS)) * 1000;
  const patienceMs = 3 * everyMs;
  const silence = document.getElementById("silence");
  const key = "tokenergy-open";
  const readAt = Date.now();

  // What was opened stays open when the page is read anew; the browser keeps the place itself.
  const folds = () => [...document.querySelectorAll("details")];
  const remember = () => {
    const open = folds().map((fold, at) => (fold.open ? at : -1));
    window.sessionStorage.setItem(key, JSON.stringify(open.filter((at) => at >= 0)));
  };
  const recall = () => {
    const open = JSON.parse(window.sessionStorage.getItem(key) || "[]");
    folds().forEach((fold, at) => (fold.open = fold.open || open.includes(at)));
  };

  const tell = (text) => {
    silence.textContent = text;
    silence.hidden = !text;
  };

  const selecting = () => !window.getSelection().isCollapsed;

  const look = async () => {
    if (document.hidden || selecting()) return; // nobody looks, or somebody copies
    try {
      const answer = await window.fetch("/observation.json", { cache: "no-cache" });
      const seen = answer.ok ? await answer.json() : {};
      if (seen.end && seen.end !== end) {
        remember();
        window.location.reload();
      } else if (end && Date.now() - readAt > patienceMs) {
        tell(`No window has ended since ${end}: these figures are old.`);
      }
    } catch {
      tell(`Nobody answers at ${window.location.host} any more: these figures are old.`);
    }
  };

  try {
    recall();
  } catch {
    // without storage everything is folded again: no figure is lost
  }
  window.setInterval(look, Math.max(1000, everyMs / 2));
  document.addEventListener("visibilitychange", look);
})();
