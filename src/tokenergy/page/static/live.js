// The live page: puts what the stream says where it belongs; texts stay texts.
(() => {
  "use strict";
  const {
    MISSING, amount, around, cell, cents, decided, element, figure, fill, follow, known, moment,
    named, percent, say, significant, tile, wear, whole,
  } = window.live;
  const MOST_ROWS = 40; // tenants, models and reasons beyond these are counted
  const HOUR_S = 3600;
  const at = (id) => document.getElementById(id);
  let face = null;
  let standing = null;
  let stream = null;
  let lostAt = "";
  let page = ""; // mark of the page that this gateway has

  // ---- the heading

  const span = (fromText, toText) => {
    const s = (Date.parse(toText) - Date.parse(fromText)) / 1000;
    if (!Number.isFinite(s)) return MISSING;
    if (s < 90) return `${Math.max(0, Math.round(s))} s`;
    return s < 2 * HOUR_S ? `${Math.round(s / 60)} min` : `${significant(s / HOUR_S, 2)} h`;
  };

  const heading = () => {
    if (!standing) return;
    const { company, now, policy, board_id, stale, safe_mode, currency } = standing;
    const name = `${company || "Tokenergy"}: what a token costs now`;
    say(at("company"), name);
    const count = (standing.alarms || []).length;
    const title = `${count ? `(${count}) ` : ""}${name}`;
    if (document.title !== title) document.title = title;
    const facts = [moment(now)];
    const older = face && face.board_id !== board_id;
    if (face && !older) facts.push(`prices ${span(face.made_at, now)} old`);
    facts.push(`policy ${policy || MISSING}`, `board ${board_id || "none yet"}`, currency || "");
    if (older) facts.push(`MAP AND HOURS BELOW ARE OLDER: board of ${moment(face.made_at)}`);
    if (stale) facts.push("PRICES ARE STALE");
    if (safe_mode) facts.push("SAFE MODE");
    say(at("facts"), facts.filter(Boolean).join(" · "));
    const held = Object.entries(standing.held || {}).filter(([, waiting]) => waiting > 0);
    const waits = held.map(([tier, waiting]) => `${tier} ${whole(waiting)}`).join(", ");
    const back = standing.held ? waits || "none" : "not known";
    tile("in_flight", figure(standing.in_flight_count, whole), " ", element("small", "", `held: ${back}`));
  };

  // What serving needs, one word when all is well, else opened by what is not.
  const checks = () => {
    const rows = standing.checks || [];
    const bad = rows.filter((each) => each.status !== "ok");
    const place = at("checks");
    place.hidden = rows.length === 0;
    say(place.querySelector("summary"), bad.length ? `${bad.length} of ${rows.length} checks not ok` : `All checks ok: ${rows.length}`);
    const text = (each) => `${each.name}: ${each.status}${each.reason ? `, ${each.reason}` : ""}`;
    const told = rows.map(text).join("\n");
    const list = place.querySelector("ul");
    if (list.dataset.told === told) return;
    list.dataset.told = told;
    list.replaceChildren(...[...bad, ...rows.filter((each) => !bad.includes(each))].map((each) => element("li", "", text(each))));
  };

  // ---- alarms: all stand in the list, only what is new is called out

  const alarmed = new Map(); // what the alarm is about -> its row

  const alarms = () => {
    const rows = standing.alarms || [];
    const place = at("alarms");
    const list = place.querySelector("ul");
    const keyed = new Map();
    for (const alarm of rows) {
      let key = `${alarm.code} ${alarm.about || ""}`;
      while (keyed.has(key)) key += " and another";
      keyed.set(key, alarm);
    }
    for (const [key, row] of alarmed) {
      if (keyed.has(key)) continue;
      row.remove();
      alarmed.delete(key);
    }
    const fresh = [];
    let last = null;
    for (const [key, alarm] of keyed) {
      if (!alarmed.has(key)) {
        const row = element("li");
        row.append(element("strong"), " ", element("code", "", alarm.code), " ", element("span"));
        alarmed.set(key, row);
        fresh.push(alarm.text);
      }
      const row = alarmed.get(key);
      const next = last ? last.nextSibling : list.firstChild;
      if (next !== row) list.insertBefore(row, next); // errors stand first
      row.className = alarm.severity;
      say(row.firstChild, alarm.severity);
      say(row.querySelector("span"), alarm.text);
      last = row;
    }
    say(at("alarms-title"), rows.length === 1 ? "1 alarm" : `${rows.length} alarms`);
    place.hidden = rows.length === 0;
    place.classList.toggle("error", rows.some((each) => each.severity === "error"));
    if (fresh.length) say(at("alarm"), `New alarm: ${fresh.join(" ")}`);
  };

  // ---- budgets

  const pace = (spentShare, elapsedShare) => {
    const bar = element("i");
    bar.style.width = `${Math.min(100, 100 * (spentShare || 0))}%`;
    if (known(elapsedShare) && spentShare > elapsedShare) bar.className = "ahead";
    const whole = element("span", "pace", bar);
    whole.setAttribute("aria-hidden", "true");
    if (known(elapsedShare)) {
      const mark = element("b");
      mark.style.left = `${Math.min(100, 100 * elapsedShare)}%`;
      whole.append(mark);
    }
    return whole;
  };

  const unitOf = (row) => (row.unit === "USD" ? (standing.currency || "USD") : row.unit);
  const inUnit = (value, row) => {
    const held = element("td", "", figure(value, row.unit === "J" ? amount : cents));
    held.append(` ${unitOf(row)}`);
    return held;
  };
  const shadow = (row) => {
    const value = row.unit === "J" ? row.lambda_usd_per_j : row.lambda_ratio;
    const held = cell(figure(value));
    if (known(value)) held.append(` ${standing.currency}/${unitOf(row)}`);
    return held;
  };

  const budgets = () => {
    const rows = (standing.budgets || []).map((row) =>
      element(
        "tr",
        "",
        named(row.name),
        cell(pace(row.spent_share, row.elapsed_share), "words"),
        inUnit(row.spent, row),
        inUnit(row.limit, row),
        inUnit(row.left, row),
        cell(figure(row.spent_share, percent)),
        cell(figure(row.elapsed_share, percent)),
        shadow(row),
        cell(moment(row.window_end || MISSING), "words")
      )
    );
    refill("budgets-rows", rows);
    const share = (row) => (row.limit > 0 ? row.spent / row.limit : 1);
    const limits = [...(standing.limits || [])].sort((one, other) => share(other) - share(one));
    const shown = limits.slice(0, MOST_ROWS).map((row) =>
      element(
        "tr",
        "",
        named(row.tenant),
        cell(pace(share(row), null), "words"),
        inUnit(row.spent, row),
        inUnit(row.limit, row),
        cell(figure(share(row), percent)),
        cell(row.window_end ? moment(row.window_end) : MISSING, "words")
      )
    );
    refill("limits-rows", [...shown, ...rest(limits.length, 5)]);
  };

  // Say how many rows are left out, over the columns after the first.
  const rest = (count, columns) => {
    if (count <= MOST_ROWS) return [];
    const words = cell("in tokenergy ledger --json", "words");
    words.colSpan = columns;
    return [element("tr", "faint", named(`${whole(count - MOST_ROWS)} more`), words)];
  };

  // A table that is read or copied from is left alone while nothing in it is new.
  const texts = new Map();
  const refill = (anchor, rows) => {
    const text = rows.map((row) => row.innerText || row.textContent).join("\n");
    if (texts.get(anchor) === text) return;
    texts.set(anchor, text);
    fill(anchor, rows);
  };

  // ---- spend and joules

  const FIGURES = ["requests_count", "input_tokens", "output_tokens", "cost_usd", "charged_usd", "joules"];

  const summed = (rows, nameOf) => {
    const found = new Map();
    for (const row of rows) {
      const name = nameOf(row);
      const sum = found.get(name) || { name, measured_joules: null };
      for (const each of FIGURES) sum[each] = (sum[each] || 0) + row[each];
      if (known(row.measured_joules)) sum.measured_joules = (sum.measured_joules || 0) + row.measured_joules;
      found.set(name, sum);
    }
    return [...found.values()].sort((one, other) => other.cost_usd - one.cost_usd);
  };

  const spending = (anchor, sums) => {
    const most = Math.max(...sums.map((row) => row.cost_usd), 0);
    const rows = sums.slice(0, MOST_ROWS).map((row) => {
      const bar = element("i");
      bar.style.width = `${most > 0 ? Math.max(0, (100 * row.cost_usd) / most) : 0}%`;
      const long = element("span", "length", bar);
      long.setAttribute("aria-hidden", "true");
      return element(
        "tr",
        "",
        named(row.name),
        cell(figure(row.requests_count, whole)),
        cell(figure(row.input_tokens, whole)),
        cell(figure(row.output_tokens, whole)),
        cell(figure(row.cost_usd, cents)),
        cell(long, "words"),
        cell(figure(row.charged_usd, cents)),
        cell(figure(row.joules, amount)),
        cell(figure(row.output_tokens > 0 ? row.joules / row.output_tokens : null)),
        cell(figure(row.measured_joules, amount))
      );
    });
    fill(anchor, [...rows, ...rest(sums.length, 9)]);
  };

  const inMoney = () => (standing && standing.currency ? `Amounts are in ${standing.currency}.` : "");

  let sums = null;
  const spent = () => {
    if (!sums) return;
    const [all] = summed(sums.rows, () => "all");
    const currency = (standing && standing.currency) || "";
    const charged = element("small", "", `${currency} marginal; charged `);
    if (all) charged.append(figure(all.charged_usd, cents));
    tile("spent", figure(all ? all.cost_usd : 0, cents), " ", charged);
  };

  const spend = (value) => {
    sums = value;
    say(at("since"), `Since ${moment(value.since)}, as booked by the ledger. ${inMoney()}`);
    spending("tenants-rows", summed(value.rows, (row) => row.tenant));
    spending("models-rows", summed(value.rows, (row) => (row.site ? `${row.model} at ${row.site}` : row.model)));
    const refused = [...value.refused].sort((one, other) => other.requests_count - one.requests_count);
    const rows = refused.slice(0, MOST_ROWS).map((row) =>
      element(
        "tr",
        "",
        named(row.tenant),
        cell(row.tier, "words"),
        cell(String(row.reason).replaceAll("_", " "), "words"),
        cell(figure(row.requests_count, whole))
      )
    );
    fill("refused-rows", [...rows, ...rest(refused.length, 3)]);
    spent();
  };

  // ---- the connection

  const told = (text, kind = "", ...more) => {
    const place = at("link");
    place.className = `link ${kind}`;
    say(place, text);
    place.append(...more);
  };

  const lost = (why) => {
    lostAt = lostAt || `${new Date().toISOString().slice(11, 19)} UTC`;
    const now = element("button", "", "Try now");
    now.type = "button";
    now.addEventListener("click", () => stream.again());
    const reason = why ? `: ${String(why).replace(/[.\s]+$/, "")}` : "";
    const text = `Connection lost since ${lostAt}, trying again${reason}. The figures are those of then. `;
    if (!at("link").textContent.startsWith(text)) told(text, "lost", now);
    document.documentElement.dataset.link = "lost";
  };

  const up = () => {
    at("key").hidden = true;
    if (lostAt) told(`Connected again; the connection was lost at ${lostAt}.`);
    else told(face ? "" : "Connected. The figures of the first board are being drawn…");
    lostAt = "";
    document.documentElement.dataset.link = "up";
  };

  const locked = (why, status) => {
    const text = status === 403 ? "This key may not see the page" : "This page wants a key";
    say(at("key-why"), `${text}${why ? `: ${why}` : "."}`);
    at("key").hidden = false;
    told(standing ? `The figures below are those of ${moment(standing.now)}.` : "");
    lostAt = "";
    at("key-value").focus();
    document.documentElement.dataset.link = "locked";
  };

  const unread = (name, error) => {
    console.error(name, error);
    const what = `What the gateway says of its ${name} cannot be shown, and what stands there is older`;
    told(`${what}. To load the page anew may help: ${error.message}`, "lost");
  };

  // A gateway of another release has another page: this one would not know what it says.
  const another = (mark) => {
    if (mark && page && mark !== page) window.location.reload();
    page = mark || page;
  };

  const on = {
    face: (value) => {
      face = value;
      if (!lostAt && !at("link").textContent.startsWith("Connected again")) told("");
      wear(value).then(() => {
        heading();
        spent();
      }).catch((error) => unread("figures", error));
    },
    standing: (value) => {
      another(value.page);
      standing = value;
      window.live.currency(value.currency || "");
      heading();
      alarms();
      checks();
      budgets();
      around(value.left_out_count, value.currency || "");
    },
    decisions: decided,
    sums: spend,
  };

  window.live.startFace();
  window.live.startDecisions();
  at("key").addEventListener("submit", (event) => {
    event.preventDefault();
    const key = at("key-value").value.trim();
    at("key-value").value = "";
    if (key) stream.unlock(key);
  });
  for (const anchor of ["budgets-rows", "limits-rows", "tenants-rows", "models-rows", "refused-rows"]) {
    fill(anchor, []);
  }
  stream = follow({
    event: (name, value) => on[name] && on[name](value),
    unread,
    up,
    lost,
    locked,
  });
  window.addEventListener("online", () => lostAt && stream.again());
})();
