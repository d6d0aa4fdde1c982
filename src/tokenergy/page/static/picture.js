// One figure: from a specification and its tables to a picture that fits its place.
(() => {
  "use strict";
  const { vegaEmbed } = window;
  const night = window.matchMedia("(prefers-color-scheme: dark)");
  const LATEST_MS = 400; // a browser that is never idle draws a step after so long
  const NARROW_PX = { columns: 640, legend: 480 };
  const LEAST_PLOT_PX = 160;
  const AXES_PX = 120; // about what labels and titles take beside a plot
  const SPARE_PX = 6; // a picture is narrower than its place by at most this
  const TRIES = 3;
  const MANY_ROWS = 1500;
  // hurried: somebody prints, so everything is drawn at once, in the colours of paper;
  // wake ends the wait of what waits for an idle moment
  const pace = { hurried: false, wake: () => {} };

  // ---- tables: columns of `columns_of` to rows

  const reader = (column) => {
    if (Array.isArray(column)) return (row) => column[row];
    if ("same" in column) return () => column.same;
    return (row) => column.of[column.at[row]];
  };

  const rowsOf = (table) => {
    const columns = Object.entries(table.columns).map(([name, column]) => [name, reader(column)]);
    return Array.from({ length: table.count }, (_, at) => {
      const row = {};
      for (const [name, value] of columns) row[name] = value(at);
      return row;
    });
  };

  const kinds = {
    date: (value) => new Date(value),
    number: Number,
    boolean: Boolean,
    string: String,
  };

  // Vega reads texts as dates only when it loads them itself; these rows it is given.
  const parsed = (rows, parse) => {
    for (const [name, kind] of Object.entries(parse || {})) {
      const read = kinds[kind];
      if (!read) throw new Error(`rows cannot be read as ${kind}`);
      for (const row of rows) {
        if (row[name] !== null && row[name] !== undefined) row[name] = read(row[name]);
      }
    }
    return rows;
  };

  // ---- widths

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

  // How wide the plots of a view are side by side, without axes and space between them.
  const across = (view) => {
    if (view.hconcat) return view.hconcat.reduce((sum, each) => sum + across(each), 0);
    if (view.vconcat) return Math.max(...view.vconcat.map(across));
    if (view.spec) return across(view.spec) * (view.columns || 1);
    return view.width || 0;
  };

  // The signals of a compiled chart that hold the widths of its plots, with what they hold.
  const widthsOf = (made) => {
    const found = (made.signals || []).filter(
      ({ name, value }) => /width$/i.test(name) && typeof value === "number"
    );
    if (typeof made.width === "number") found.push({ name: "width", value: made.width });
    return found;
  };

  // ---- when, and in which colours

  const refuse = () => Promise.reject(new Error("this page loads nothing"));
  const loader = { load: refuse, sanitize: refuse, http: refuse, file: refuse };
  const dark = () => night.matches && !pace.hurried;

  // A legend in one row would be wider than a narrow page.
  const look = (held, room) => {
    const found = held.dark ? held.looks.dark : held.looks.light;
    if (room >= NARROW_PX.legend) return found;
    return { ...found, legend: { ...found.legend, columns: 2 } };
  };

  const idle = () => {
    if (pace.hurried) return Promise.resolve();
    return new Promise((resolve) => {
      pace.wake = resolve;
      if (window.requestIdleCallback) {
        window.requestIdleCallback(() => resolve(), { timeout: LATEST_MS });
      } else {
        window.setTimeout(resolve, 16);
      }
    });
  };

  const placeOf = (figure) => figure.querySelector(".chart");
  const pictureOf = (place) => place.querySelector("svg.marks, canvas.marks");

  // What has many marks is painted: each mark of a drawing is an element of the page.
  const isPainted = (held) => {
    const rows = Math.max(0, ...Object.values(held.tables).map((table) => table.count));
    return held.meta.renderer === "canvas" || rows > MANY_ROWS;
  };

  // ---- pieces: a painted chart of many panels is drawn panel by panel, each a short task

  const LEGENDS = ["color", "fill", "stroke", "shape", "strokeDash", "opacity", "size"];

  const withoutLegend = (view) => {
    const copy = { ...view };
    if (copy.encoding) {
      copy.encoding = { ...copy.encoding };
      for (const channel of LEGENDS) {
        const held = copy.encoding[channel];
        if (held && held.field) copy.encoding[channel] = { ...held, legend: null };
      }
    }
    if (copy.layer) copy.layer = copy.layer.map(withoutLegend);
    return copy;
  };

  const panelsOf = (held, rows) => {
    const { facet, data, spec } = held.spec;
    const found = new Map();
    for (const row of rows[data.name]) {
      const value = row[facet.field];
      if (!found.has(value)) found.set(value, []);
      found.get(value).push(row);
    }
    const order = Array.isArray(facet.sort) ? facet.sort : [...found.keys()].sort();
    return order
      .filter((value) => found.has(value))
      .map((value, at) => ({
        spec: {
          ...(at ? withoutLegend(spec) : spec),
          data,
          title: { text: String(value), anchor: "start", frame: "group", fontSize: 13 },
        },
        rows: { ...rows, [data.name]: found.get(value) },
      }));
  };

  const piecesOf = (held, place) => {
    const { spec } = held;
    const rows = Object.fromEntries(
      Object.entries(held.tables).map(([name, table]) => [name, rowsOf(table)])
    );
    const apart = isPainted(held) && spec.facet && spec.facet.field && spec.data && spec.spec;
    const narrow = place.clientWidth < NARROW_PX.columns;
    const columns = narrow ? 1 : spec.columns || 1;
    place.style.cssText = "";
    if (!apart) return [{ held, place, spec: { ...spec, columns }, rows }];
    const tall = place.offsetHeight; // what stands below stays where it is
    place.replaceChildren();
    place.style.cssText = `display: grid; gap: 1rem 1.5rem; align-items: end;
      min-height: ${tall}px; grid-template-columns: repeat(${columns}, minmax(0, 1fr))`;
    return panelsOf(held, rows).map((each) => {
      const own = document.createElement("div");
      place.append(own);
      return { held, place: own, ...each };
    });
  };

  // ---- from a specification to a picture

  const options = { actions: false, defaultStyle: false, ast: true, loader };

  // The bundle names the compiler of Vega-Lite only through Vega-Embed: here it draws nothing, so
  // that to compile and to draw are two short steps and not a long one.
  const compiled = async (spec, config) => {
    let made = null;
    const keep = (found) => {
      made = found;
      return { $schema: found.$schema };
    };
    const nowhere = document.createElement("div");
    const answer = await vegaEmbed(nowhere, spec, {
      ...options,
      mode: "vega-lite",
      config,
      patch: keep,
      tooltip: false,
    });
    answer.finalize();
    return made;
  };

  // What a mark says when it is pointed at is worked out then, not for every mark beforehand.
  const tellLater = (group) => {
    for (const mark of group.marks || []) {
      const { update } = mark.encode || {};
      if (update && update.tooltip && update.tooltip.signal) {
        mark.encode.hover = { ...mark.encode.hover, tooltip: update.tooltip };
        delete update.tooltip;
      }
      tellLater(mark);
    }
  };

  const compile = async (piece, spec, room) => {
    const made = await compiled(spec, look(piece.held, room));
    tellLater(made);
    piece.parses = {};
    for (const [name, rows] of Object.entries(piece.rows)) {
      const data = made.data.find((each) => each.name === name);
      if (!data) continue;
      piece.parses[name] = data.format && data.format.parse;
      data.values = parsed(rows, piece.parses[name]);
      delete data.format;
    }
    piece.rows = null; // the view has them
    return made;
  };

  const embed = async (piece, made) => {
    const answer = await vegaEmbed(piece.place, made, {
      ...options,
      mode: "vega",
      hover: true,
      renderer: isPainted(piece.held) ? "canvas" : "svg",
      tooltip: { theme: piece.held.dark ? "dark" : "light" },
    });
    // a mark that is clicked is told to whoever listens on the page, with its row
    answer.view.addEventListener("click", (_, item) => {
      if (!item || !item.datum) return;
      const told = new CustomEvent("pointed", { bubbles: true, detail: item.datum });
      piece.place.dispatchEvent(told);
    });
    Object.assign(piece, { view: answer.view, finalize: answer.finalize });
  };

  const setWidth = (piece, ratio) => {
    const { view, made, held } = piece;
    for (const { name, value } of made.widths) {
      view.signal(name, Math.round((value * ratio) / made.ratio));
    }
    if (held.meta.ratio) view.height(Math.round(view.width() * held.meta.ratio));
    return view.resize().runAsync();
  };

  // Labels do not shrink with their chart, so a width that fits is found by trying; to try is to
  // set a signal of the view that stands, not to make another.
  const fitWidth = async (piece) => {
    const { made, place, room } = piece;
    for (let tries = 0; tries < TRIES; tries += 1) {
      const spare = room - pictureOf(place).getBoundingClientRect().width;
      const ratio = Math.max(made.least, piece.ratio + (spare - SPARE_PX / 2) / made.plots);
      if ((spare >= 0 && spare <= SPARE_PX) || ratio === piece.ratio) return;
      await idle();
      await setWidth(piece, ratio);
      piece.ratio = ratio;
    }
  };

  const drawPiece = async (piece, guess) => {
    const { held, spec, place } = piece;
    const room = place.clientWidth;
    const plots = across(spec) || room;
    const least = Math.min(1, (held.meta.least_px || LEAST_PLOT_PX) / plots);
    const ratio = Math.max(least, guess || (room - AXES_PX) / plots);
    const narrowed = fitted(spec, ratio);
    if (held.meta.ratio) narrowed.height = Math.round(narrowed.width * held.meta.ratio);
    const vega = await compile(piece, narrowed, room);
    await idle();
    await embed(piece, vega);
    Object.assign(piece, { room, ratio });
    piece.made = { ratio, plots, least, widths: widthsOf(vega) };
    await fitWidth(piece);
  };

  // ---- one figure

  const finish = (held) => {
    for (const piece of held.pieces.splice(0)) {
      if (piece.finalize) piece.finalize();
    }
  };

  const draw = async (figure, held) => {
    const place = placeOf(figure);
    finish(held);
    held.dark = dark();
    held.room = place.clientWidth;
    held.pieces = piecesOf(held, place);
    let last = null; // one panel is about as wide as the one before it
    for (const piece of held.pieces) {
      await drawPiece(piece, last && last.room === piece.place.clientWidth ? last.ratio : 0);
      last = piece;
      await idle();
    }
    place.style.minHeight = "";
    held.fresh = held.dark === dark(); // somebody may have asked for paper meanwhile
    dress(place, figure);
  };

  // What a reader hears is in the label of the place; what is wider than it scrolls by keyboard.
  const dress = (place, figure) => {
    for (const picture of place.querySelectorAll("svg.marks, canvas.marks")) {
      picture.setAttribute("aria-hidden", "true");
      picture.setAttribute("focusable", "false");
    }
    if (place.scrollWidth > place.clientWidth + 1) place.tabIndex = 0;
    else place.removeAttribute("tabindex");
    figure.dataset.state = "drawn";
  };

  const change = async (figure, held) => {
    const [piece] = held.pieces;
    for (const [name, table] of Object.entries(held.tables)) {
      if (name in piece.parses) piece.view.data(name, parsed(rowsOf(table), piece.parses[name]));
    }
    await piece.view.resize().runAsync();
    held.fresh = true;
    await fitWidth(piece);
    dress(placeOf(figure), figure);
  };

  // Whether other rows are all that a figure's picture needs.
  const fits = (figure, held) =>
    held.pieces.length === 1 &&
    held.room === placeOf(figure).clientWidth &&
    held.dark === dark();

  window.tokenergyPicture = { change, draw, finish, fits, idle, pace, placeOf, rowsOf };
})();
