// @ts-check
import { clockText, hueOf, keep, make, put, say, show } from "./dom.js";
import { icon, messagePicture } from "./icons.js";
import { shortName } from "./names.js";
import { deedsFor, listedDeeds, mainDeed, messageDeeds, serverDeeds, timerWords } from "./verbs.js";

/**
 * The agenda: everything that can happen now. First what is due, in the order in which it happens by itself; then what
 * can be done to a server at any time; on demand, what cannot happen, with the reason.
 */

/** @typedef {import("./tape.js").Frame} Frame */
/** @typedef {import("./tape.js").Message} Message */
/** @typedef {import("./ring.js").Subject} Subject */
/** @typedef {import("./verbs.js").Deed} Deed */
/** @typedef {import("./verbs.js").Desk} Desk */
/**
 * @typedef {object} Row
 * @property {HTMLElement} element @property {HTMLElement} head @property {HTMLElement} words @property {HTMLElement} due
 * @property {HTMLElement} buttons @property {HTMLButtonElement} more opens the menu of what the row is about
 * @property {Map<string, {button: HTMLButtonElement}>} kept @property {Deed[]} deeds @property {string} look
 */
/** @typedef {{key: string, due: number, message?: Message, verb?: string}} Due a message, or what a server's timer does */

const ICON_VERBS = new Set(["drop", "duplicate", "hold", "release"]);

/** Everything that happens by itself, soonest first; what is held comes last. @param {Frame} frame @returns {Due[]} */
export function dueEvents(frame) {
  /** @type {Due[]} */
  const events = Object.entries(frame.messages).map(([key, message]) => ({ key, due: message.held ? Infinity : message.due_us, message }));
  for (const [id, server] of Object.entries(frame.servers)) {
    for (const [verb, due] of Object.entries(timersOf(server))) events.push({ key: `${id} ${verb}`, due, verb });
  }
  return events.sort((a, b) => (a.due === b.due ? Number(!a.message) - Number(!b.message) : a.due - b.due));
}

/** @param {import("./tape.js").Server} server @returns {Record<string, number>} */
function timersOf(server) {
  if (server.due) return server.due;
  const { kind, due_us } = server.timer;
  return kind ? { [kind === "heartbeat" ? "heartbeat" : "timeout"]: due_us } : {};
}

/** What a row of this key is about: `m7`, or the server of `S1 timeout` and of `S1`. @param {string} key */
function aboutOf(key) {
  return key.split(" ")[0] ?? key;
}

export class Agenda {
  /** @type {Map<string, Row>} */
  #due = new Map();
  /** @type {Map<string, Row>} */
  #servers = new Map();
  #dueList = make("div", { class: "rl-agenda-list", role: "list", "aria-label": "By time" });
  #crew = make("div", { class: "rl-agenda-list", role: "list", "aria-label": "At any time" });
  #dueTitle = make("h4", {}, "By time");
  #empty = make("p", { class: "rl-quiet" }, "Nothing will happen by itself.");
  #notNow = make("summary", {}, "What cannot happen now");
  #reasons = make("ul", { class: "rl-reasons" });
  #closed = make("details", { class: "rl-closed" }, this.#notNow, this.#reasons);
  #reason = make("p", { class: "rl-reason", role: "status" });
  #active = "";
  /** @type {Frame | undefined} */
  #frame;

  /** @param {(deed: Deed) => void} perform @param {(key: string) => void} light @param {Desk} desk
   * @param {(subject: Subject, element: HTMLElement) => void} more opens the menu of a server or a message */
  constructor(perform, light, desk, more) {
    this.perform = perform;
    this.light = light;
    this.desk = desk;
    this.more = more;
    const scroll = make("div", { class: "rl-agenda-scroll" },
      make("div", { class: "rl-agenda-part", tabindex: "0", role: "group", "aria-label": "What happens by itself" }, this.#dueTitle, this.#empty, this.#dueList, this.#closed),
      make("div", { class: "rl-agenda-part", tabindex: "0", role: "group", "aria-label": "What can be done at any time" }, make("h4", {}, "At any time"), this.#crew),
    );
    this.element = make("section", { class: "rl-agenda", "aria-label": "What can happen now" }, scroll, this.#reason);
    scroll.addEventListener("keydown", (event) => this.#onKey(event));
    scroll.addEventListener("focusin", (event) => this.#onFocus(event.target));
    scroll.addEventListener("focusout", () => this.#explain("", ""));
    this.#closed.addEventListener("toggle", () => this.#paintReasons());
    show(this.#reason, false);
  }

  /** @param {Frame} frame */
  update(frame) {
    this.#frame = frame;
    const events = dueEvents(frame);
    const focused = this.#rows().findIndex((row) => row.element.contains(document.activeElement));
    const held = this.#rows()[focused];
    keep(this.#dueList, this.#due, events.map(({ key }) => key), (key) => this.#make(key), (row) => row.element);
    keep(this.#crew, this.#servers, Object.keys(frame.servers), (id) => this.#make(id), (row) => row.element);
    show(this.#empty, events.length === 0);
    say(this.#dueTitle, events.length ? `By time (${events.length})` : "By time");
    for (const event of events) this.#paintDue(/** @type {Row} */ (this.#due.get(event.key)), event, frame);
    for (const [id, row] of this.#servers) {
      const name = row.more.firstElementChild;
      if (name) say(name, shortName(frame.servers, id));
      this.#offer(row, listedDeeds(serverDeeds(frame, id, this.desk)), id);
    }
    this.#paintReasons();
    this.#rove();
    if (focused < 0 || held?.element.contains(document.activeElement)) return;
    const rows = this.#rows(); // the row that had the focus is gone or has moved: stay in its place
    (held?.element.isConnected ? held : rows[Math.min(focused, rows.length - 1)])?.element.focus({ preventScroll: true });
  }

  /** @returns {Row[]} in the order of the page */
  #rows() {
    const byElement = new Map([...this.#due.values(), ...this.#servers.values()].map((row) => [/** @type {Element} */ (row.element), row]));
    return [...this.#dueList.children, ...this.#crew.children].flatMap((element) => byElement.get(element) ?? []);
  }

  /** @param {string} key @returns {Row} */
  #make(key) {
    const about = aboutOf(key);
    const isServer = Boolean(this.#frame?.servers[about]);
    const head = make("span", { class: "rl-row-head" });
    const words = make("span", { class: "rl-row-words" });
    const due = make("span", { class: "rl-row-due" });
    const buttons = make("span", { class: "rl-row-buttons" });
    const more = make("button", { type: "button", class: "rl-icon-button rl-more", tabindex: "-1", "aria-haspopup": "menu" }, icon("more"));
    const element = make("div", { class: "rl-row", role: "listitem", tabindex: "-1", "data-about": about, "data-row": key }, head, words, due, buttons);
    if (key === about && isServer) {
      more.prepend(make("strong"));
      head.append(more);
    } else element.append(more);
    put(more, "aria-label", `Menu of ${about}`);
    put(more, "title", isServer ? `everything that can happen to ${about}` : "everything that can happen to this message");
    more.addEventListener("click", () => this.more(isServer ? { kind: "server", id: about } : { kind: "message", id: about }, more));
    element.addEventListener("contextmenu", (event) => {
      event.preventDefault();
      more.click();
    });
    element.addEventListener("pointerenter", () => this.light(about));
    element.addEventListener("pointerleave", () => this.light(""));
    return { element, head, words, due, buttons, more, kept: new Map(), deeds: [], look: "" };
  }

  /** @param {Row} row @param {Due} event @param {Frame} frame */
  #paintDue(row, { key, due, message, verb }, frame) {
    const about = aboutOf(key);
    const wait = due - frame.time_us;
    say(row.due, due === Infinity ? "held" : wait > 0 ? `in ${clockText(wait)}` : "now");
    put(row.element, "data-held", due === Infinity ? "true" : null);
    if (message) {
      const way = `${shortName(frame.servers, message.src)} → ${shortName(frame.servers, message.dst)}`;
      const look = `${message.kind} ${message.term} ${message.reply} ${message.ok} ${way}`;
      if (row.look !== look) {
        row.look = look;
        row.head.replaceChildren(messagePicture(message, hueOf(message.term)), way);
        put(row.head, "title", `${message.src} → ${message.dst}`);
      }
      say(row.words, message.text);
      put(row.words, "title", message.text);
      put(row.more, "aria-label", `Menu of ${message.label || message.kind} ${message.src} to ${message.dst}`);
      this.#offer(row, messageDeeds(frame, about, this.desk), `${message.label || message.kind} ${message.src} to ${message.dst}`);
      return;
    }
    if (!row.look) row.head.append(icon("clock"));
    row.look = "timer";
    say(row.words, timerWords(verb ?? "", shortName(frame.servers, about)));
    put(row.words, "title", timerWords(verb ?? "", about));
    this.#offer(row, deedsFor(frame, { kind: "server", id: about }, this.desk).filter((deed) => deed.verb === verb), about);
  }

  /** Offer these deeds as buttons. @param {Row} row @param {Deed[]} deeds @param {string} about */
  #offer(row, deeds, about) {
    row.deeds = deeds;
    keep(row.buttons, row.kept, deeds.map((deed) => deed.verb), (verb) => {
      const button = make("button", { type: "button", class: ICON_VERBS.has(verb) ? "rl-icon-button" : "rl-verb", tabindex: "-1", "data-verb": verb });
      button.append(ICON_VERBS.has(verb) ? icon(verb) : (deeds.find((deed) => deed.verb === verb)?.name ?? verb));
      button.addEventListener("click", () => {
        const deed = row.deeds.find((one) => one.verb === verb);
        if (deed?.reason) this.#explain(deed.name, deed.reason);
        else if (deed) this.perform(deed);
      });
      return { button };
    }, ({ button }) => button);
    for (const deed of deeds) {
      const button = row.kept.get(deed.verb)?.button;
      if (!button) continue;
      put(button, "aria-disabled", deed.reason ? "true" : null);
      put(button, "title", deed.reason || (ICON_VERBS.has(deed.verb) ? deed.name : null));
      put(button, "aria-label", `${deed.name} ${about}`);
    }
  }

  /** What cannot happen, and why: written out only while somebody looks. */
  #paintReasons() {
    const frame = this.#frame;
    if (!frame || !this.#closed.open) return;
    const refused = [
      ...Object.entries(frame.messages).flatMap(([id, { src, dst, label }]) =>
        messageDeeds(frame, id, this.desk).map((deed) => ({ what: `${deed.name} ${label} ${src} → ${dst}`, reason: deed.reason }))),
      ...Object.keys(frame.servers).flatMap((id) => serverDeeds(frame, id, this.desk).map((deed) => ({ what: `${id}: ${deed.name}`, reason: deed.reason }))),
    ].filter(({ reason }) => reason);
    this.#reasons.replaceChildren(...refused.map(({ what, reason }) => make("li", {}, make("span", {}, what), make("span", {}, reason))));
  }

  /** One row is the tab stop, with its buttons; arrows move it. */
  #rove() {
    const rows = this.#rows();
    const active = rows.find((row) => row.element.dataset.row === this.#active) ?? rows[0];
    for (const row of rows) {
      const stop = row === active ? "0" : "-1";
      put(row.element, "tabindex", stop);
      for (const { button } of row.kept.values()) put(button, "tabindex", stop);
      put(row.more, "tabindex", stop);
    }
  }

  /** @param {EventTarget | null} target */
  #onFocus(target) {
    const row = this.#rows().find((one) => one.element.contains(/** @type {globalThis.Node} */ (target)));
    if (!row) return;
    this.#active = row.element.dataset.row ?? "";
    this.#rove();
    this.light(row.element.dataset.about ?? "");
    const verb = target instanceof HTMLButtonElement ? target.dataset.verb : undefined;
    const deed = row.deeds.find((one) => one.verb === verb);
    this.#explain(deed?.name ?? "", deed?.reason ?? "");
  }

  /** @param {string} name @param {string} reason */
  #explain(name, reason) {
    say(this.#reason, reason ? `${name}: ${reason}` : "");
    show(this.#reason, reason !== "");
  }

  /** @param {KeyboardEvent} event */
  #onKey(event) {
    const rows = this.#rows();
    const here = rows.findIndex((row) => row.element.contains(/** @type {globalThis.Node} */ (event.target)));
    if (here < 0) return;
    const way = event.key === "ArrowDown" ? 1 : event.key === "ArrowUp" ? -1 : 0;
    if (way) rows[Math.min(rows.length - 1, Math.max(0, here + way))]?.element.focus();
    else if (event.key === "Enter" && event.target === rows[here]?.element) {
      const deed = mainDeed(rows[here]?.deeds ?? []);
      if (deed) this.perform(deed);
    } else return;
    event.preventDefault();
    event.stopPropagation();
  }
}
