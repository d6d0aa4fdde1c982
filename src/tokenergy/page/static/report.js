// Draws the charts of the report from the one set of numbers in the page.
(() => {
  "use strict";
  const read = (id) => JSON.parse(document.getElementById(id).textContent);
  const { charts, looks } = read("charts");
  const numbers = read("numbers");
  const night = window.matchMedia("(prefers-color-scheme: dark)");
  const views = new Map();

  const value = (column, row) => {
    if (Array.isArray(column)) return column[row];
    return "same" in column ? column.same : column.of[column.at[row]];
  };

  const rowsOf = (table) => {
    const names = Object.keys(table.columns);
    return Array.from({ length: table.count }, (_, row) =>
      Object.fromEntries(names.map((name) => [name, value(table.columns[name], row)]))
    );
  };

  // Scale every width in the tree of views, so that text keeps its size on a narrow page.
  const fitted = (view, ratio) => {
    const copy = { ...view };
    if (typeof copy.width === "number") copy.width = Math.round(copy.width * ratio);
    if (copy.spec) copy.spec = fitted(copy.spec, ratio);
    for (const way of ["layer", "hconcat", "vconcat", "concat"]) {
      if (copy[way]) copy[way] = copy[way].map((each) => fitted(each, ratio));
    }
    return copy;
  };

  const refuse = () => Promise.reject(new Error("this page loads nothing"));
  const loader = { load: refuse, sanitize: refuse, http: refuse, file: refuse };

  // How wide the plots of a view are side by side, without axes and space between them.
  const across = (view) => {
    if (view.hconcat) return view.hconcat.reduce((sum, each) => sum + across(each), 0);
    if (view.vconcat) return Math.max(...view.vconcat.map(across));
    if (view.spec) return across(view.spec) * (view.columns || 1);
    return view.width || 0;
  };

  // A legend in one row would be wider than a narrow page.
  const look = (room) => {
    const held = night.matches ? looks.dark : looks.light;
    return room < 480 ? { ...held, legend: { ...held.legend, columns: 2 } } : held;
  };

  const embed = (place, spec) =>
    window.vegaEmbed(place, spec, {
      mode: "vega-lite",
      renderer: "svg",
      actions: false,
      defaultStyle: false,
      ast: true,
      loader,
      config: look(place.clientWidth),
      tooltip: { theme: night.matches ? "dark" : "light" },
    });

  const draw = async (figure) => {
    const name = figure.dataset.chart;
    const place = figure.querySelector(".chart");
    const spec = { ...charts[name] };
    const room = place.clientWidth;
    if (spec.columns > 1 && room < 640) spec.columns = 1;
    spec.datasets = Object.fromEntries(
      spec.usermeta.rows.map((each) => [each, rowsOf(numbers[each])])
    );
    const plots = across(spec);
    const least = Math.min(1, 160 / plots);
    const guess = Math.max(least, (room - 120) / plots);
    const before = views.get(name);
    if (before) before.finalize();
    let drawn = await embed(place, fitted(spec, guess));
    let ratio = guess;
    for (let tries = 0; tries < 3; tries += 1) {
      const spare = room - place.querySelector("svg").getBoundingClientRect().width;
      if (spare >= 0 && spare <= 6) break; // labels do not shrink with their chart: fit again
      ratio = Math.max(least, ratio + (spare - 3) / plots);
      drawn.finalize();
      drawn = await embed(place, fitted(spec, ratio));
    }
    views.set(name, drawn);
    const picture = place.querySelector("svg");
    picture.setAttribute("aria-hidden", "true");
    picture.setAttribute("focusable", "false");
    figure.dataset.state = "drawn";
  };

  const drawAll = async () => {
    for (const figure of document.querySelectorAll("figure[data-chart]")) {
      try {
        await draw(figure);
      } catch (error) {
        figure.dataset.state = "failed";
        figure.querySelector(".chart").textContent =
          "This chart could not be drawn. Its numbers stand in the table.";
        console.error(figure.dataset.chart, error);
      }
    }
    document.documentElement.dataset.charts = "done";
  };

  let width = window.innerWidth;
  let waiting = 0;
  window.addEventListener("resize", () => {
    if (window.innerWidth === width) return;
    width = window.innerWidth;
    window.clearTimeout(waiting);
    waiting = window.setTimeout(drawAll, 250);
  });
  night.addEventListener("change", drawAll);
  drawAll();
})();
