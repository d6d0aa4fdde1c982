// Follows the gateway's stream: reads server-sent events, and after a drop goes on where it was.
(() => {
  "use strict";
  const WHERE = "/v1/tokenergy/live";
  const FIRST_MS = 1000;
  const MOST_MS = 15000;
  const SILENT_MS = 40000; // a comment comes every 10 s: so long without one is a drop
  const STORED = "tokenergy-key";

  // fetch, not EventSource: a key rides in a header, never in an address
  const keep = {
    held: "",
    get key() {
      try {
        return window.sessionStorage.getItem(STORED) || this.held;
      } catch {
        return this.held; // without storage the key is asked for again when the page is read anew
      }
    },
    set key(value) {
      this.held = value;
      try {
        if (value) window.sessionStorage.setItem(STORED, value);
        else window.sessionStorage.removeItem(STORED);
      } catch {
        // kept in the page alone
      }
    },
  };

  // Take a text in pieces, give events: what the standard says of lines, fields and blank lines.
  const parser = (give) => {
    let rest = "";
    let event = { name: "", data: [], id: null };
    const line = (text) => {
      if (text === "") {
        if (event.data.length) give(event.name || "message", event.data.join("\n"), event.id);
        event = { name: "", data: [], id: null };
        return;
      }
      const at = text.indexOf(":");
      if (at === 0) return; // a comment: the gateway is there
      const field = at < 0 ? text : text.slice(0, at);
      const value = at < 0 ? "" : text.slice(at + 1).replace(/^ /, "");
      if (field === "event") event.name = value;
      else if (field === "data") event.data.push(value);
      else if (field === "id") event.id = value;
    };
    return (piece) => {
      rest += piece;
      let from = 0;
      for (let end = rest.indexOf("\n"); end >= 0; end = rest.indexOf("\n", from)) {
        line(rest.slice(from, end).replace(/\r$/, ""));
        from = end + 1;
      }
      rest = rest.slice(from);
    };
  };

  const wordsOf = async (answer) => {
    const text = await answer.text().catch(() => "");
    try {
      const { error } = JSON.parse(text);
      return (error && (error.message || error)) || text;
    } catch {
      return /^\s*</.test(text) ? "" : text.slice(0, 300);
    }
  };

  // follow({ event(name, value), unread(name, error), up(), lost(why), locked(why, status) })
  // -> { again(), unlock(key) }
  const follow = (on) => {
    let last = "";
    let waitMs = FIRST_MS;
    let timer = 0;
    let asking = null;

    const later = (why) => {
      on.lost(why, waitMs);
      timer = window.setTimeout(ask, waitMs);
      waitMs = Math.min(MOST_MS, 2 * waitMs);
    };

    const read = async (answer, stop) => {
      let silent = 0;
      let over = "";
      const listen = () => {
        window.clearTimeout(silent);
        silent = window.setTimeout(() => stop.abort(), SILENT_MS);
      };
      const take = parser((name, data, id) => {
        if (id) last = id;
        waitMs = FIRST_MS;
        try {
          const value = JSON.parse(data);
          if (name === "over") over = value;
          else on.event(name, value);
        } catch (error) {
          on.unread(name, error); // the line stands: to connect anew would mend nothing
        }
      });
      const reader = answer.body.getReader();
      const decoder = new TextDecoder();
      try {
        listen();
        for (let got = await reader.read(); !got.done; got = await reader.read()) {
          listen();
          take(decoder.decode(got.value, { stream: true }));
        }
      } finally {
        window.clearTimeout(silent);
      }
      return over;
    };

    const ask = async () => {
      window.clearTimeout(timer);
      const stop = new AbortController();
      asking = stop;
      const headers = { Accept: "text/event-stream" };
      if (keep.key) headers.Authorization = `Bearer ${keep.key}`;
      if (last) headers["Last-Event-ID"] = last;
      let why = "";
      try {
        const answer = await window.fetch(WHERE, { headers, cache: "no-store", signal: stop.signal });
        if (answer.status === 401 || answer.status === 403) {
          const said = await wordsOf(answer);
          keep.key = "";
          on.locked(said, answer.status);
          return;
        }
        if (!answer.ok) {
          why = (await wordsOf(answer)) || `the gateway answers ${answer.status}`;
        } else {
          on.up();
          const over = await read(answer, stop);
          if (over && over.reason === "key") {
            keep.key = "";
            on.locked(over.text, 401);
            return;
          }
          why = over ? over.text : "";
        }
      } catch {
        // the line broke, or was never there
      }
      if (asking === stop) later(why);
    };

    const again = () => {
      if (asking) asking.abort();
      ask();
    };
    ask();
    return {
      again,
      unlock: (key) => {
        keep.key = key;
        waitMs = FIRST_MS;
        again();
      },
    };
  };

  Object.assign(window.live, { follow, parser });
})();
