// The stream of decisions: newest first, with reasons; it can be paused, filtered and searched.
(() => {
  "use strict";
  const { MISSING, cell, cents, amount, clock, element, figure, known, named, say, whole } = window.live;
  const MOST = 300; // so many are kept; the kind with most of them gives way first
  const TOLD_MS = 15000; // a screen reader is told so often at most
  const kept = []; // oldest first
  const held = []; // came while the stream is paused
  const seen = new Set();
  let paused = false;
  let untold = [];
  let telling = 0;
  let leftOut = 0;
  let currency = "";

  const at = (id) => document.getElementById(id);
  const kindOf = (row) => {
    const whole = ["completed", "refused", "deferred", "", null, undefined];
    return row.decision === "refuse" || whole.includes(row.outcome) ? row.decision : "broken";
  };

  const shown = (row) => {
    const box = document.querySelector(`#kinds input[value="${CSS.escape(kindOf(row))}"]`);
    if (box && !box.checked) return false;
    const wanted = at("find").value.trim().toLowerCase();
    if (!wanted) return true;
    const text = [row.id, row.tenant, row.tier, row.workload, row.model, row.site, row.reason];
    return text.join(" ").toLowerCase().includes(wanted);
  };

  const small = (text) => element("small", "", text);

  const rowOf = (row) => {
    const kind = kindOf(row);
    const word = kind === "broken" ? `${row.decision}, ${String(row.outcome).replaceAll("_", " ")}` : row.decision;
    const why = element("td", "words why", row.words || row.reason || MISSING);
    if (row.reason) why.append(small(row.reason));
    const model = element("td", "words", row.model || MISSING);
    if (row.site) model.append(small(row.site));
    const tenant = element("td", "words", row.tenant || MISSING, small(row.tier || ""));
    const made = element(
      "tr",
      "",
      named(clock(row.at), element("code", "", row.id)),
      element("td", "words", element("span", `kind kind-${kind}`, word)),
      why,
      tenant,
      cell(row.workload || MISSING, "words"),
      model,
      cell(figure(row.input_tokens, whole)),
      cell(figure(row.output_tokens, whole)),
      cell(figure(row.cost_usd, cents)),
      cell(figure(row.charged_usd, cents)),
      element("td", "", figure(row.joules, amount), row.joules > 0 ? small(row.energy_tier) : null)
    );
    made.dataset.id = row.id;
    return made;
  };

  const counts = () => {
    const found = new Map();
    for (const row of kept) found.set(kindOf(row), (found.get(kindOf(row)) || 0) + 1);
    return found;
  };

  // Drop the oldest of the kind that there is most of: a flood of one kind hides no other.
  const trim = () => {
    while (kept.length > MOST) {
      const [most] = [...counts()].sort((one, other) => other[1] - one[1])[0];
      const gone = kept.splice(kept.findIndex((row) => kindOf(row) === most), 1)[0];
      seen.delete(gone.id);
      const row = document.querySelector(`#decisions-rows tr[data-id="${CSS.escape(gone.id)}"]`);
      if (row) row.remove();
    }
  };

  const note = () => {
    const found = counts();
    for (const place of document.querySelectorAll("#kinds [data-count]")) {
      say(place, String(found.get(place.dataset.count) || 0));
    }
    const body = at("decisions-rows").tBodies[0];
    const table = at("decisions-rows");
    table.hidden = body.rows.length === 0;
    const empty = table.nextElementSibling;
    empty.hidden = body.rows.length > 0;
    say(empty, kept.length ? "None of the decisions kept here passes the filter." : "No request was decided yet.");
    const left = leftOut ? `; ${whole(leftOut)} more came too fast to be shown` : "";
    say(at("decisions-note"), `${body.rows.length} of ${kept.length} decisions shown${left}.${currency && ` Amounts are in ${currency}.`} All are in the ledger: tokenergy explain REQUEST says more of each.`);
    say(at("pause"), paused ? `Go on${held.length ? ` (${held.length} new)` : ""}` : "Pause");
  };

  const tell = () => {
    telling = 0;
    const refused = untold.filter((row) => row.decision === "refuse").length;
    const text = `${untold.length} new decisions${refused ? `, ${refused} refused` : ""}.`;
    untold = [];
    say(at("decisions-said"), text);
  };

  const put = (rows) => {
    const body = at("decisions-rows").tBodies[0];
    const fresh = [];
    for (const row of rows) {
      if (seen.has(row.id)) continue; // told again after a drop
      seen.add(row.id);
      kept.push(row);
      if (shown(row)) fresh.unshift(rowOf(row));
    }
    body.prepend(...fresh.slice(0, MOST));
    trim();
  };

  const decided = (rows) => {
    if (paused) {
      held.push(...rows);
      held.splice(0, Math.max(0, held.length - MOST));
    } else {
      const first = kept.length === 0;
      put(rows);
      if (!first) untold.push(...rows);
      if (untold.length && !telling) telling = window.setTimeout(tell, TOLD_MS);
    }
    note();
  };

  const choose = () => {
    const rows = kept.filter(shown).reverse().map(rowOf);
    at("decisions-rows").tBodies[0].replaceChildren(...rows);
    note();
  };

  const start = () => {
    at("kinds").addEventListener("change", choose);
    at("find").addEventListener("input", choose);
    at("pause").addEventListener("click", () => {
      paused = !paused;
      at("pause").setAttribute("aria-pressed", String(paused));
      if (!paused) put(held.splice(0));
      note();
    });
    note();
  };

  // How many came too fast, and what amounts are in.
  const around = (count, name) => {
    if (count === leftOut && name === currency) return;
    leftOut = known(count) ? count : 0;
    currency = name;
    note();
  };

  Object.assign(window.live, { decided, around, startDecisions: start });
})();
