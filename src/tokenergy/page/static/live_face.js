// Shows the face of a board: what changed is changed in place, so that nobody loses their place.
(() => {
  "use strict";
  const { element, figure, known, percent } = window.live;
  const PARTS = [
    "energy", "mw_rent", "demand_peak_rent", "cfe_rent", "gpu_rent", "wake", "network", "quality",
    "other",
  ];
  // which choice picks the rows of a chart's table, and the field that is chosen by
  const CHOSEN_BY = {
    places: ["map-workload", "workload"],
    places_flows: ["map-workload", "workload"],
    price_hours: ["board-workload", "workload"],
    share_hours: ["board-workload", "workload"],
    queues: ["board-workload", "workload"],
    balance: ["board-site", "site"],
    stored: ["board-site", "site"],
  };
  const KEPT = new Set(["open", "hidden", "tabindex", "aria-pressed", "data-state"]);
  const choices = new Map(); // what the reader chose, by the id of its control
  const rows = new Map(); // decoded tables of the face, by name
  let face = null;
  let currency = "";

  // ---- from the old face to the new one, element by element

  const keyOf = (node) => (node.nodeType === 1 && (node.id || node.dataset.key || node.dataset.chart)) || "";
  const alike = (one, other) => one.nodeName === other.nodeName && keyOf(one) === keyOf(other);

  const attributes = (old, fresh) => {
    for (const { name, value } of fresh.attributes) {
      if (!KEPT.has(name) && old.getAttribute(name) !== value) old.setAttribute(name, value);
    }
    for (const { name } of [...old.attributes]) {
      if (!KEPT.has(name) && !fresh.hasAttribute(name)) old.removeAttribute(name);
    }
  };

  const change = (old, fresh) => {
    if (old.nodeType !== 1) {
      if (old.nodeValue !== fresh.nodeValue) old.nodeValue = fresh.nodeValue;
      return;
    }
    if (old.classList.contains("chart")) {
      old.setAttribute("aria-label", fresh.getAttribute("aria-label")); // its picture is drawn's
      return;
    }
    attributes(old, fresh);
    if (old.id !== "chosen" && !("live" in old.dataset)) within(old, fresh);
  };

  const within = (old, fresh) => {
    const byKey = new Map();
    for (const child of old.childNodes) if (keyOf(child)) byKey.set(keyOf(child), child);
    let at = old.firstChild;
    for (const child of [...fresh.childNodes]) {
      const key = keyOf(child);
      const found = key ? byKey.get(key) : at;
      if (found && found.parentNode === old && alike(found, child)) {
        if (found === at) at = at.nextSibling;
        else old.insertBefore(found, at);
        change(found, child);
      } else {
        old.insertBefore(child, at);
      }
    }
    while (at) {
      const gone = at;
      at = at.nextSibling;
      gone.remove();
    }
  };

  // ---- what the reader chose

  const choiceOf = (id) => {
    const select = document.getElementById(id);
    return select ? select.value : "";
  };

  // The names that a choice lets through: the one chosen, or those that are drawn unasked.
  const drawnBy = (id) => {
    const select = document.getElementById(id);
    if (!select) return null;
    return new Set(select.value ? [select.value] : JSON.parse(select.dataset.drawn));
  };

  const recall = () => {
    for (const select of document.querySelectorAll("#face select")) {
      const wanted = choices.get(select.id);
      const there = [...select.options].some((option) => option.value === wanted);
      if (there && select.value !== wanted) select.value = wanted;
      if (!there) choices.delete(select.id);
    }
  };

  const show = () => {
    const workload = choiceOf("map-workload");
    for (const block of document.querySelectorAll("#map [data-workload]")) {
      block.hidden = block.dataset.workload !== workload;
    }
    const site = siteOf(workload);
    for (const button of document.querySelectorAll("#map button.pick")) {
      button.setAttribute("aria-pressed", String(button.dataset.site === site));
    }
    inParts(workload, site);
  };

  // The site that is looked at: the one chosen, else the first, which is the cheapest in use.
  const siteOf = (workload) => {
    const there = (rows.get("site_parts") || []).filter((row) => row.workload === workload);
    const wanted = there.find((row) => row.site === choices.get("site"));
    const first = wanted || there[0];
    return first ? first.site : "";
  };

  const inParts = (workload, site) => {
    const place = document.getElementById("chosen");
    if (!place) return;
    const row = (rows.get("site_parts") || []).find(
      (each) => each.workload === workload && each.site === site
    );
    if (!row) return place.replaceChildren();
    const unit = `${currency}/Mtok`;
    const head = element("h3", "", `${workload} at ${site}`);
    if (!known(row.total_usd_per_mtok)) {
      return place.replaceChildren(head, element("p", "", "Cannot be served here."));
    }
    const list = element("dl");
    for (const part of PARTS) {
      const usd = row[`${part}_usd_per_mtok`];
      if (!known(usd) || Math.abs(usd) < 1e-12) continue;
      const name = element("dt", "", element("i", `part-${part}`), part.replaceAll("_", " "));
      const figured = element("dd", "", figure(usd));
      list.append(element("div", "", name, figured));
    }
    const made = row.accelerator ? `${row.model} on ${row.accelerator}` : row.model;
    const sum = element("p", "", figure(row.total_usd_per_mtok), ` ${unit} by ${made}`);
    const apart = row.high_usd_per_mtok - row.low_usd_per_mtok;
    if (known(row.low_usd_per_mtok) && apart > 0.005 * Math.abs(row.high_usd_per_mtok)) {
      sum.append(", ", figure(row.low_usd_per_mtok), " to ", figure(row.high_usd_per_mtok));
    }
    const runs = row.site_share > 0 ? `; ${percent(row.site_share)} of it runs here` : "; not in use";
    sum.append(runs, row.site_share > 0 && !row.in_use ? ", but no token more. " : ". ");
    return place.replaceChildren(head, sum, list);
  };

  // ---- charts

  const asTable = (chosen) => ({
    count: chosen.length,
    columns: Object.fromEntries(
      Object.keys(chosen[0] || {}).map((name) => [name, chosen.map((row) => row[name])])
    ),
  });

  const tableOf = (name) => {
    const [id, field] = CHOSEN_BY[name] || [];
    const drawn = id ? drawnBy(id) : null;
    if (!drawn && name !== "places") return face.numbers[name];
    if (!rows.has(name)) rows.set(name, window.tokenergy.rowsOf(face.numbers[name]));
    if (name === "places") {
      const workload = choiceOf("map-workload");
      const site = siteOf(workload);
      const mine = rows.get(name).filter((row) => row.workload === workload);
      return asTable(mine.map((row) => ({ ...row, chosen: row.name === site })));
    }
    const all = rows.get(name);
    const mine = all.filter((row) => drawn.has(row[field]));
    return mine.length === all.length ? face.numbers[name] : asTable(mine);
  };

  // Other panels are another picture: a chart that only gets other rows keeps its panels' scales.
  const inPanels = (spec) => {
    if (!spec.spec) return spec;
    const ids = spec.usermeta.rows.map((name) => (CHOSEN_BY[name] || [])[0]);
    const panels = ids.flatMap((id) => [...(drawnBy(id) || [])]);
    return { ...spec, usermeta: { ...spec.usermeta, panels } };
  };

  const draw = (uses = () => true) => {
    const { charts, looks } = face.charts;
    for (const chart of document.querySelectorAll("#face figure[data-chart]")) {
      const spec = charts[chart.dataset.chart];
      if (!spec || !spec.usermeta.rows.some(uses)) continue;
      const tables = Object.fromEntries(spec.usermeta.rows.map((name) => [name, tableOf(name)]));
      const main = spec.usermeta.rows.filter((name) => name !== "land" && !name.endsWith("_flows"));
      chart.hidden = main.every((name) => tables[name].count === 0);
      if (!chart.hidden) window.tokenergy.drawFigure(chart, inPanels(spec), tables, looks);
    }
  };

  // ---- the face

  const idle = () => new Promise((resolve) => window.setTimeout(resolve, 0));

  const put = async (text) => {
    const made = document.createElement("template");
    made.innerHTML = text; // our own fragment: the board's names are escaped in it
    const end = document.createElement("div");
    const last = made.content.querySelector("#findings");
    if (last) end.append(last);
    const focus = document.activeElement;
    const frames = [...document.querySelectorAll("#face .scroll")].map((each) => [each, each.scrollLeft, each.scrollTop]);
    const place = document.getElementById("face");
    const [first, ...others] = [...made.content.children];
    if (!place.children.length) place.append(first, ...others);
    else {
      const fresh = new Map([first, ...others].map((each) => [each.id, each]));
      for (const [id, each] of fresh) {
        const old = document.getElementById(id);
        if (old) change(old, each);
        else place.append(each);
        await idle(); // a large board is changed in several short tasks
      }
      for (const old of [...place.children]) if (!fresh.has(old.id)) old.remove();
    }
    within(document.getElementById("face-end"), end);
    for (const [frame, left, top] of frames) frame.scrollTo(left, top);
    if (focus && focus.isConnected && document.activeElement !== focus) {
      focus.focus({ preventScroll: true }); // it was moved, not lost
    }
  };

  let turn = Promise.resolve();
  const wear = (next) => {
    const worn = turn.then(async () => {
      face = next;
      rows.clear();
      rows.set("site_parts", window.tokenergy.rowsOf(next.numbers.site_parts));
      await put(next.html);
      recall();
      show();
      draw();
      document.documentElement.dataset.board = next.board_id;
    });
    turn = worn.catch(() => {}); // a face that cannot be shown is no end of those that come
    return worn;
  };

  const place = () => document.getElementById("face");

  const choose = (site) => {
    choices.set("site", site);
    show();
    draw((name) => name === "places");
  };

  const start = () => {
    place().addEventListener("change", (event) => {
      const { id, value } = event.target;
      if (!id) return;
      choices.set(id, value);
      show();
      draw((name) => (CHOSEN_BY[name] || [])[0] === id);
    });
    place().addEventListener("click", (event) => {
      const button = event.target.closest("button.pick");
      if (button) choose(button.dataset.site);
    });
    place().addEventListener("pointed", ({ target, detail }) => {
      if (target.closest("figure").dataset.chart !== "places") return;
      if (detail.kind === "site") choose(detail.name);
    });
    // the arrows go from site to site: sixty of them are not sixty stops of the tab key's neighbours
    place().addEventListener("keydown", (event) => {
      const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
      const button = event.target.closest && event.target.closest("button.pick");
      if (!step || !button) return;
      const all = [...button.closest("table").querySelectorAll("button.pick")];
      const next = all[all.indexOf(button) + step];
      if (next) next.focus();
      event.preventDefault();
    });
  };

  const inCurrency = (name) => {
    if (currency === name) return;
    currency = name;
    if (face) show();
  };

  const live = (name, ...held) => {
    const at = document.querySelector(`[data-live="${name}"]`);
    if (at) at.replaceChildren(...held);
  };

  Object.assign(window.live, { wear, startFace: start, currency: inCurrency, tile: live });
})();
