// Draws figures one at a time, in idle moments, what the reader sees first.
(() => {
  "use strict";
  const { change, draw, finish, fits, idle, pace, placeOf, rowsOf } = window.tokenergyPicture;
  const root = document.documentElement;
  const night = window.matchMedia("(prefers-color-scheme: dark)");
  const SETTLED_MS = 150; // a width counts once it has stood so long
  const known = new Map(); // figure -> what it shows, its views, and who waits for it
  let drawing = null; // the promise of the round in progress

  const show = async (figure, held) => {
    const { anew } = held;
    held.anew = false; // somebody may set it again while this one is drawn
    try {
      if (fits(figure, held) && !anew) await change(figure, held);
      else await draw(figure, held);
    } catch (error) {
      held.fresh = true;
      finish(held);
      placeOf(figure).style.cssText = "";
      figure.dataset.state = "failed";
      placeOf(figure).textContent = "This chart could not be drawn. Its numbers stand in the table.";
      console.error(figure.dataset.chart, error);
    }
  };

  // ---- all figures: what is seen first, then what is nearest to it

  const away = (figure) => {
    const { top, bottom } = figure.getBoundingClientRect();
    return Math.max(0, top - window.innerHeight, -bottom);
  };

  const forget = () => {
    for (const [figure, held] of known) {
      if (figure.isConnected) continue;
      finish(held);
      for (const tell of held.waiting) tell(false);
      widths.unobserve(held.place);
      known.delete(figure);
    }
  };

  const next = () => {
    forget();
    const stale = [...known].filter(([figure, held]) => !held.fresh && placeOf(figure).clientWidth);
    const far = stale.map(([figure]) => away(figure));
    return stale[far.indexOf(Math.min(...far))];
  };

  const round = async () => {
    root.dataset.charts = "drawing";
    await idle();
    for (let found = next(); found; found = next()) {
      const [figure, held] = found;
      const { asked } = held;
      await show(figure, held);
      if (held.asked !== asked) held.fresh = false; // asked for something newer meanwhile
      else for (const tell of held.waiting.splice(0)) tell(figure.dataset.state === "drawn");
      await idle();
    }
    // what is folded away has no width: it is drawn when it is opened
    for (const held of known.values()) {
      if (!held.fresh) for (const tell of held.waiting.splice(0)) tell(false);
    }
    root.dataset.charts = "done";
    drawing = null;
  };

  const start = () => {
    drawing = drawing || round();
    return drawing;
  };

  const redraw = () => {
    for (const held of known.values()) held.fresh = false;
    return start();
  };

  // Show a figure's chart; a chart that is shown already only changes its rows. The answer comes
  // when it is drawn: true, or false where it could not be, or stands where nobody sees it.
  const drawFigure = (figure, spec, tables, looks) => {
    const text = JSON.stringify(spec);
    const held = known.get(figure) || { waiting: [], asked: 0, pieces: [], place: placeOf(figure) };
    Object.assign(held, { anew: held.anew || held.text !== text, text, spec, tables, looks });
    held.meta = spec.usermeta || {};
    held.asked += 1;
    held.fresh = false;
    if (!known.has(figure)) {
      known.set(figure, held);
      widths.observe(held.place);
    }
    const told = new Promise((resolve) => held.waiting.push(resolve));
    start();
    return told;
  };

  // ---- what makes figures stale: another width, a fold that opens, day and night, paper

  const fit = () => {
    let some = false;
    for (const [figure, held] of known) {
      const room = placeOf(figure).clientWidth;
      if (held.fresh && room && held.room && Math.abs(room - held.room) > 1) held.fresh = false;
      some = some || (!held.fresh && room > 0);
    }
    if (some) start();
  };

  let settling = 0;
  const widths = new ResizeObserver(() => {
    window.clearTimeout(settling);
    settling = window.setTimeout(fit, SETTLED_MS);
  });

  night.addEventListener("change", redraw);
  window.addEventListener("beforeprint", () => {
    pace.hurried = true;
    for (const held of known.values()) held.fresh = held.fresh && !held.dark;
    start();
    pace.wake();
  });
  window.addEventListener("afterprint", () => {
    pace.hurried = false;
    if (night.matches) redraw();
  });

  window.tokenergy = Object.freeze({ rowsOf, drawFigure, redraw });
})();
