// @ts-check
// A small web page whose background is what a key holds. Drawn from plain values, in a notebook or on a page of its own.

/** @typedef {{revision: number, type: string, value: string, before: string | null}} Change */
/** @typedef {{key: string, colour: string, changes: Change[], member: string}} SiteState */

/** @param {string} tag @param {string} name @param {HTMLElement} parent */
function siteElement(tag, name, parent) {
  const element = document.createElement(tag);
  element.className = name;
  parent.append(element);
  return element;
}

/** A patch of a colour with its name; a value that is no colour is only named. @param {HTMLElement} parent @param {string | null} value */
function sitePatch(parent, value) {
  const patch = siteElement("span", "site-patch", parent);
  if (value && CSS.supports("color", value)) {
    const dot = siteElement("span", "site-dot", patch);
    dot.style.background = value;
  }
  siteElement("code", "", patch).textContent = value === null ? "nothing" : value === "" ? "''" : value;
}

/** Build it once; what comes back shows a state. @param {HTMLElement} el */
function buildSite(el) {
  const root = siteElement("section", "raft-site", el);
  root.setAttribute("aria-label", "A web page that follows a key");
  const card = siteElement("div", "site-card", root);
  siteElement("strong", "site-title", card).textContent = "Hello! I am a web page.";
  const says = siteElement("div", "site-says", card);
  says.setAttribute("role", "status");
  const where = siteElement("div", "site-where", card);
  const list = siteElement("ol", "site-changes", card);

  return (/** @type {SiteState} */ state) => {
    const usable = CSS.supports("color", state.colour);
    if (usable || !state.colour) root.style.backgroundColor = state.colour;
    root.dataset.colour = state.colour;
    says.replaceChildren();
    if (!state.colour) says.append("Nobody has told me a colour yet.");
    else if (usable) {
      says.append("My background is ");
      sitePatch(says, state.colour);
    } else says.append(`“${state.colour}” is no colour, so I stay as I am.`);
    where.textContent = state.member
      ? `I watch ${state.key} at ${state.member}.`
      : `I watch ${state.key}, but no member with a leader answers. I will try again.`;
    list.replaceChildren(
      ...[...state.changes].reverse().map((change) => {
        const line = document.createElement("li");
        siteElement("span", "site-revision", line).textContent = `revision ${change.revision}`;
        siteElement("b", "", line).textContent = change.type;
        sitePatch(line, change.before);
        line.append(" → ");
        sitePatch(line, change.type === "DELETE" ? null : change.value);
        return line;
      }),
    );
  };
}

/** @param {{model: any, el: HTMLElement}} context */
function renderSite({ model, el }) {
  const show = buildSite(el);
  const names = ["key", "colour", "changes", "member"];
  const look = () => show(/** @type {any} */ (Object.fromEntries(names.map((name) => [name, model.get(name)]))));
  for (const name of names) model.on(`change:${name}`, look);
  look();
  return () => {
    for (const name of names) model.off(`change:${name}`, look);
  };
}

/** The same page by itself: it listens to its server. @param {HTMLElement} el */
function followEvents(el) {
  const show = buildSite(el);
  new EventSource("/events").onmessage = (event) => show(JSON.parse(event.data));
}

export default { render: renderSite };
