// Writes figures and elements: numbers as the report writes them, texts as texts and nothing else.
(() => {
  "use strict";
  const MISSING = "–";
  const known = (value) => typeof value === "number" && Number.isFinite(value);

  const signed = (text) => (/^-[0.,]*$/.test(text) ? text.slice(1) : text.replace("-", "−"));

  // Round as the report does: of two that are equally near, the even one.
  const rounded = (value, decimals) => {
    const text = value.toFixed(decimals);
    const long = value.toFixed(Math.min(100, decimals + 40));
    const cut = long.indexOf(".") + 1 + decimals;
    const tie = /^50*$/.test(long.slice(cut));
    return tie && /[13579]$/.test(text) ? long.slice(0, cut).replace(/\.$/, "") : text;
  };

  const fixed = (value, decimals) => {
    const [whole, rest] = rounded(value, decimals).split(".");
    return whole.replace(/\B(?=(\d{3})+$)/g, ",") + (rest ? `.${rest}` : "");
  };

  // So many significant digits, never fewer than the whole ones.
  const significant = (value, digits = 3) => {
    if (value === 0) return "0";
    const places = (each) => digits - 1 - Math.floor(Math.log10(Math.abs(each)));
    const first = Math.max(places(value), 0);
    const near = Number(rounded(value, Math.min(first, 60)));
    const decimals = near === 0 ? first : places(near);
    return signed(fixed(near, Math.min(Math.max(decimals, 0), 9)));
  };
  const money = (value) => signed(fixed(value, Math.abs(value) >= 1000 ? 0 : 2));
  // A single request costs millionths: its digits are those that say something.
  const cents = (value) => (Math.abs(value) >= 1 ? money(value) : significant(value, 2));
  const percent = (value, decimals = 1) => `${signed(fixed(100 * value, decimals))}\u00a0%`;
  const amount = (value) => {
    if (Math.abs(value) < 1e-6) return "0";
    return Math.abs(value) >= 100 ? signed(fixed(value, 0)) : significant(value);
  };
  const whole = (value) => signed(fixed(value, 0));

  // An element with its class and what stands in it: texts become text, never markup.
  const element = (name, kind = "", ...held) => {
    const made = document.createElement(name);
    if (kind) made.className = kind;
    made.append(...held.filter((each) => each !== null && each !== undefined));
    return made;
  };

  // A figure with its exact value, or the sign of a missing one.
  const figure = (value, write = significant) => {
    if (!known(value)) {
      const missing = element("span", "missing", MISSING);
      missing.title = "not known, or without meaning";
      return missing;
    }
    const made = element("data", "", write(value));
    made.value = String(value);
    return made;
  };

  const cell = (held, kind = "") => element("td", kind, held);
  const named = (...held) => {
    const made = element("th", "", ...held);
    made.scope = "row";
    return made;
  };

  const say = (place, text) => {
    if (place.textContent !== text) place.textContent = text;
  };

  // The rows of a table that the stream fills, and the word for having none.
  const fill = (anchor, rows) => {
    const table = document.getElementById(anchor);
    table.tBodies[0].replaceChildren(...rows);
    table.hidden = rows.length === 0;
    table.nextElementSibling.hidden = rows.length > 0;
  };

  const clock = (text) => String(text).slice(0, 19).replace("T", " ").replace("Z", "") || MISSING;
  const moment = (text) => String(text).replace("T", " ").replace(/(:\d\d)?(\.\d+)?Z$/, "$1 UTC");

  window.live = {
    MISSING, known, significant, money, cents, percent, amount, whole, element, figure, cell,
    named, say, fill, clock, moment,
  };
})();
