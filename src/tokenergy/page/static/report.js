// Draws the figures of a page from the one set of numbers in it.
(() => {
  "use strict";
  const read = (id) => JSON.parse(document.getElementById(id).textContent);
  const { charts, looks } = read("charts");
  const numbers = read("numbers");
  for (const figure of document.querySelectorAll("figure[data-chart]")) {
    const spec = charts[figure.dataset.chart];
    const tables = Object.fromEntries(spec.usermeta.rows.map((name) => [name, numbers[name]]));
    window.tokenergy.drawFigure(figure, spec, tables, looks);
  }
})();
