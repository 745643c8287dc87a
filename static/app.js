// What makes the pages quicker to work with. Every page does all of it without this file too, in more steps.
//
// Listeners hang on the document, so that what is swapped in later works as well. One block a subject; none knows another.
"use strict";

// --- Text that becomes elements: only through this policy, which the page's own policy names (Trusted Types) ----------
const fragments = {
  // What no answer of ours holds, and what it holds in the head of a page alone, of which nothing is shown.
  never: "script:not([src]), iframe, frame, object, embed, applet, base, style, meta[http-equiv], template[shadowrootmode]",
  inHead: "script, link, meta",
  links: ["href", "xlink:href", "src", "action", "formaction", "data", "poster", "ping"],
  allows(html) {
    if (html.querySelector(`${this.never}, body :is(${this.inHead})`)) return false;
    for (const element of html.querySelectorAll("*")) {
      for (const { name, value } of element.attributes) {
        if (/^(on|hx-on|style$|srcdoc$)/i.test(name)) return false;
        if (this.links.includes(name) && !/^https?:$/.test(new URL(value, location.href).protocol)) return false;
      }
    }
    return true;
  },
  policy: undefined,
  parse(text) {
    return new DOMParser().parseFromString(this.policy.createHTML(text), "text/html");
  },
};
{
  // Parsed to be looked at, in a document in which nothing runs and nothing is loaded.
  let looking = false;
  const createHTML = (text) => {
    if (looking) return text;
    looking = true;
    try {
      if (fragments.allows(fragments.parse(text))) return text;
    } finally {
      looking = false;
    }
    throw new TypeError("An answer holds what no answer of ours holds. It is not shown.");
  };
  const rules = { createHTML };
  fragments.policy = window.trustedTypes?.createPolicy("mission-control", rules) ?? rules;
  // htmx makes elements of what it fetched by the same policy, and runs no text as a script.
  const nothing = function () { throw new TypeError("No text is run as a script here."); };
  const policy = { createHTML: (text) => fragments.policy.createHTML(text), createScript: nothing };
  htmx.registerExtension("guarded", { init: (api) => { api.initSecurity(policy, nothing, nothing); } });
}

// --- Copy: buttons that stand hidden until there is somebody who can copy -----------------------------------------
{
  const show = (root) => {
    for (const button of root.querySelectorAll("[data-copy][hidden], [data-copy-of][hidden]")) button.hidden = false;
  };

  document.addEventListener("click", async (event) => {
    const button = event.target.closest("[data-copy], [data-copy-of]");
    if (!button) return;
    const source = button.dataset.copyOf && document.getElementById(button.dataset.copyOf);
    const text = source ? (source.value ?? source.textContent) : button.dataset.copy;
    const label = button.querySelector("span");
    const before = (button.dataset.label ??= label.textContent);
    try {
      await navigator.clipboard.writeText(text);
      label.textContent = "Copied";
    } catch {
      label.textContent = "Select and copy it by hand";
    }
    setTimeout(() => { label.textContent = before; }, 2000);
  });

  document.addEventListener("htmx:after:swap", () => show(document));
  show(document);
}

// --- Live: one stream a page says what changed, and the page asks again for what it shows --------------------------
{
  const holder = document.getElementById("live-state");
  const list = () => document.getElementById("list");
  const detail = () => document.getElementById("detail");
  const words = {
    connecting: "Connecting",
    live: "Live",
    reconnecting: "Reconnecting. Refresh to be sure",
    paused: "Paused while this page is in the background",
    "signed-out": "Signed out. Sign in again to go on",
  };
  // A stream that was silent for two beats is dead, whatever the network says.
  const silence = 35000;
  // A connection that comes back at once is not worth a word.
  const patience = 1500;
  let connection, worried, lastHeard = Date.now();

  const show = (state) => {
    clearTimeout(worried);
    worried = undefined;
    if (holder.dataset.state === state) return;
    holder.dataset.state = state;
    for (const place of document.querySelectorAll("[data-live]")) {
      place.hidden = false;
      place.dataset.state = state;
      place.textContent = words[state];
    }
  };
  const worry = () => {
    if (holder.dataset.state === "signed-out") return;
    worried ??= setTimeout(() => show(document.hidden ? "paused" : "reconnecting"), patience);
  };

  // Requests that the page makes by itself do not count as somebody being there.
  const ask = (address, target, swap, part) =>
    htmx.ajax("GET", address, { target, swap, headers: { "X-Background": "1", ...(part && { "X-Part": part }) } });

  const newest = () => new URLSearchParams(list()?.dataset.news?.split("?")[1]).get("after");
  const pending = new Set();
  let gathering;

  const refresh = () => {
    gathering = undefined;
    const rows = [...pending].filter((id) => document.getElementById(`op-${id}`));
    const here = detail()?.dataset.operation;
    const after = newest();
    if (rows.length) {
      const query = new URLSearchParams(list().dataset.query);
      for (const id of rows) query.append("id", id);
      ask(`/dashboard/operations/changed?${query}`, "#changes", "innerHTML");
    }
    if (here && pending.has(here)) {
      ask(location.pathname + location.search, "#detail", "outerMorph", document.querySelector(".panes").dataset.part);
    }
    if (after && [...pending].some((id) => id > after)) ask(list().dataset.news, "#news", "innerHTML");
    pending.clear();
  };

  document.addEventListener("operations", (event) => {
    const line = JSON.parse(event.detail.data);
    for (const name of ["waiting", "attention"]) {
      for (const place of document.querySelectorAll(`[data-count="${name}"]`)) place.textContent = line[name];
    }
    if (line.ids === null) {
      // Too much to say: everything that is shown is asked for again.
      if (detail()?.dataset.operation) pending.add(detail().dataset.operation);
      for (const row of document.querySelectorAll("#list [id^=op-]")) pending.add(row.id.slice(3));
      pending.add("ffffffff-ffff-ffff-ffff-ffffffffffff");
    } else {
      for (const id of line.ids) pending.add(id);
    }
    if (pending.size) gathering ??= setTimeout(refresh, 50);
  });

  if (holder) {
    for (const place of document.querySelectorAll("[data-live]")) place.hidden = false;
    document.addEventListener("htmx:sse:after:connection", (event) => {
      connection = event.detail.connection;
      lastHeard = Date.now();
      show("live");
    });
    document.addEventListener("htmx:sse:close", () => { connection = undefined; });
    // What is answered instead of a stream or a part (a refusal, the page to sign in) is nothing to show in its place.
    document.addEventListener("htmx:before:swap", (event) => {
      const { sourceElement, request, response } = event.detail.ctx;
      const isGone = [401, 403].includes(response?.status) || response?.raw.redirected;
      const isOurs = sourceElement === holder || request.headers["X-Background"] || request.headers["X-Part"];
      if (!isOurs || (response?.status === 200 && !isGone && sourceElement !== holder)) return;
      event.preventDefault();
      if (isGone) show("signed-out");
      else if (sourceElement === holder) worry();
    });
    document.addEventListener("htmx:sse:before:message", () => { lastHeard = Date.now(); });
    document.addEventListener("htmx:sse:before:connection", worry);
    document.addEventListener("htmx:sse:error", (event) => {
      if (event.detail.status === 401 || event.detail.status === 403) show("signed-out");
      else worry();
    });
    setInterval(() => {
      if (!connection && holder.dataset.state !== "signed-out") {
        worry();
        htmx.ajax("GET", holder.getAttribute("hx-sse:connect"), { source: holder });
        return;
      }
      if (Date.now() - lastHeard < silence || document.hidden) return;
      lastHeard = Date.now();
      worry();
      connection?.reader?.cancel();
    }, 5000);
  }

  // What came since, at a click and never under the pointer.
  document.addEventListener("click", (event) => {
    const pill = event.target.closest("#new-pill");
    if (!pill || event.ctrlKey || event.metaKey || event.shiftKey) return;
    if (!document.querySelector(".panes[data-view=list] #list")) return;
    event.preventDefault();
    htmx.ajax("GET", pill.href, { target: "#list", select: "#list", swap: "outerHTML" });
  });
}

// --- Panes: beside the list where there is room, a page of its own where there is not -------------------------------
{
  const wide = matchMedia("(min-width: 64rem)");
  const panes = () => document.querySelector(".panes");
  const detail = () => document.getElementById("detail");
  const named = (address) => new URL(address).pathname.match(/\/operations\/([0-9a-f-]{36})$/)?.[1];

  const mark = () => {
    const shown = detail()?.dataset.operation;
    for (const link of document.querySelectorAll("#list .strip-to")) {
      if (shown && link.closest("li").id === `op-${shown}`) link.setAttribute("aria-current", "true");
      else link.removeAttribute("aria-current");
    }
  };

  const open = async (address) => {
    await htmx.ajax("GET", address, { target: "#detail", swap: "outerHTML", headers: { "X-Part": panes().dataset.part } });
    if (detail()?.dataset.operation !== named(address)) return location.assign(address);
    document.title = document.title.replace(/^(\[Sandbox\] )?.*( · Mission Control)$/, `$1${detail().dataset.title.replaceAll("$", "$$$$")}$2`);
    mark();
  };

  document.addEventListener("click", async (event) => {
    const link = event.target.closest("#list .strip-to");
    if (!link || !wide.matches || event.button || event.ctrlKey || event.metaKey || event.shiftKey || event.altKey) return;
    event.preventDefault();
    history.pushState({ beside: true }, "", link.href);
    await open(link.href);
    if (detail()?.getBoundingClientRect().top < 0) detail().scrollIntoView();
  });
  window.addEventListener("popstate", () => {
    if (!panes()) return;
    if (named(location.href) && wide.matches) open(location.href);
    else location.reload();
  });
  document.addEventListener("htmx:after:swap", mark);

  // The list stays where it was across a decision, which loads the page anew.
  const place = "list-scroll";
  const pane = document.querySelector(".pane-list");
  if (pane) {
    const [address, top] = (sessionStorage.getItem(place) ?? "").split(" ");
    if (address === pane.dataset.query) pane.scrollTop = Number(top);
    window.addEventListener("pagehide", () => {
      const now = document.querySelector(".pane-list");
      if (now) sessionStorage.setItem(place, `${now.dataset.query} ${now.scrollTop}`);
    });
  }
}

// --- Times: "3 min ago" stays true while the page is open ---------------------------------------------------------------
{
  const ago = (at) => {
    const minutes = Math.floor((Date.now() - at) / 60000);
    if (minutes < 1) return "just now";
    if (minutes < 60) return `${minutes} min ago`;
    if (minutes < 1440) return `${Math.floor(minutes / 60)} h ago`;
    if (minutes < 2880) return "1 day ago";
    return minutes < 10080 ? `${Math.floor(minutes / 1440)} days ago` : null;
  };
  const local = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "medium" });
  const age = () => {
    for (const time of document.querySelectorAll("time[data-ago]")) {
      const at = new Date(time.dateTime);
      const words = ago(at);
      if (words && time.textContent !== words) time.textContent = words;
      if (!time.title.includes(" · ")) time.title += ` · ${local.format(at)} here`;
    }
  };
  setInterval(age, 20000);
  document.addEventListener("htmx:after:swap", age);
  age();
}

// --- Keyboard: single keys, which can be switched off, and never while somebody types --------------------------------
{
  const go = { o: "/dashboard/operations", i: "/dashboard/integrations", s: "/dashboard/settings?tab=integrations" };
  const isOn = () => document.body.dataset.shortcuts === "on";
  const isTyping = (target) => target.closest?.("input:not([type=checkbox], [type=radio]), textarea, select, [contenteditable]");
  const links = () => [...document.querySelectorAll("#list .strip-to")].filter((link) => link.checkVisibility());
  const press = (selector) => document.querySelector(selector)?.click();
  const openDialog = (id) => {
    const dialog = document.getElementById(id);
    if (dialog && !dialog.open) dialog.showModal();
  };
  let leads = 0;

  const move = (step) => {
    const all = links();
    if (!all.length) return;
    const focused = all.indexOf(document.activeElement);
    const at = focused >= 0 ? focused : all.findIndex((link) => link.hasAttribute("aria-current"));
    const next = at < 0 ? (step > 0 ? 0 : all.length - 1) : Math.min(Math.max(at + step, 0), all.length - 1);
    all[next].focus();
    all[next].scrollIntoView({ block: "nearest" });
  };
  const back = () => {
    const current = document.querySelector("#list .strip-to[aria-current]");
    if (current?.checkVisibility()) current.focus();
    else press(".pane-detail .back a, .back a");
  };
  const search = () => {
    const field = document.querySelector("input[type=search]");
    if (field) field.focus();
    else location.assign("/dashboard/operations");
  };
  const keys = {
    "?": () => openDialog("shortcuts"),
    "/": search,
    j: () => move(1),
    k: () => move(-1),
    Escape: back,
    n: () => press('.nav a[href$="/new-sms"]'),
    c: () => press('.nav a[href$="/new-call"]'),
    a: () => openDialog("approve-dialog"),
  };

  document.addEventListener("keydown", (event) => {
    if (!isOn() || event.ctrlKey || event.metaKey || event.altKey || event.defaultPrevented) return;
    // A dialog is closed by the browser; nothing else happens below it.
    if (document.querySelector("dialog[open], [popover]:popover-open")) return;
    if (isTyping(event.target)) {
      if (event.key === "Escape") event.target.blur();
      return;
    }
    if (leads && Date.now() - leads < 1500 && go[event.key]) {
      event.preventDefault();
      return location.assign(go[event.key]);
    }
    leads = event.key === "g" ? Date.now() : 0;
    if (!keys[event.key]) return;
    event.preventDefault();
    keys[event.key]();
  });
}

// --- Theme: changes in place, and is kept by the same form -------------------------------------------------------------
document.addEventListener("submit", async (event) => {
  const form = event.target.closest("form[data-theme-switch]");
  if (!form || !event.submitter) return;
  event.preventDefault();
  const theme = event.submitter.value;
  const kept = await fetch(form.action, { method: "POST", body: new URLSearchParams({ theme }), redirect: "manual" });
  if (kept.type !== "opaqueredirect" && !kept.ok) return form.requestSubmit(event.submitter);
  if (theme === "auto") delete document.documentElement.dataset.theme;
  else document.documentElement.dataset.theme = theme;
  for (const button of form.querySelectorAll("button")) button.setAttribute("aria-pressed", button.value === theme);
});

// --- Compose -----------------------------------------------------------------------------------------------------------
{
  // What is said about the form follows what is typed: the server looks it over, and each part goes to its place.
  let timer, asked;

  const look = async (form) => {
    asked?.abort();
    asked = new AbortController();
    try {
      const body = new URLSearchParams(new FormData(form));
      const answer = await fetch(form.dataset.check, { method: "POST", body, signal: asked.signal });
      if (!answer.ok || answer.redirected) return;
      const told = fragments.parse(await answer.text());
      for (const part of told.querySelectorAll("body > [id]")) {
        const place = document.getElementById(part.id);
        // What has not changed is not said again.
        if (place && place.innerHTML.trim() !== part.innerHTML.trim()) place.replaceChildren(...part.childNodes);
      }
    } catch {
      // The next pause in typing asks again, and the button looks over everything.
    }
  };

  const typed = (event) => {
    const form = event.target.closest("form[data-check]");
    if (!form) return;
    clearTimeout(timer);
    timer = setTimeout(look, 300, form);
  };
  document.addEventListener("input", typed);
  document.addEventListener("change", typed);

  // One press, one request. The key makes one operation of two anyway; this shows that the first press counted.
  const free = (form) => {
    delete form.dataset.underWay;
    for (const button of form.querySelectorAll("button")) button.removeAttribute("aria-disabled");
  };
  document.addEventListener("submit", (event) => {
    const form = event.target.closest("form[data-once]");
    if (!form || event.defaultPrevented) return;
    if (form.dataset.underWay) return event.preventDefault();
    form.dataset.underWay = "true";
    // After the event, so that the pressed button is still part of what is sent.
    setTimeout(() => { for (const button of form.querySelectorAll("button")) button.setAttribute("aria-disabled", "true"); });
    // A request that was stopped leaves the page as it is.
    setTimeout(free, 15000, form);
  });
  addEventListener("pageshow", () => document.querySelectorAll("form[data-once]").forEach(free));
}
