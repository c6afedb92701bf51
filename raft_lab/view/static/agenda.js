// @ts-check
import { clockText, hueOf, keep, make, put, say, show } from "./dom.js";
import { icon, messagePicture } from "./icons.js";
import { listedDeeds, mainDeed, messageDeeds, serverDeeds } from "./verbs.js";

/** The agenda: what can happen now. The usual things stay in sight when they cannot, greyed, with the reason. */

/** @typedef {import("./tape.js").Frame} Frame */
/** @typedef {import("./tape.js").Message} Message */
/** @typedef {import("./verbs.js").Deed} Deed */
/** @typedef {import("./verbs.js").Desk} Desk */
/**
 * @typedef {object} Row
 * @property {HTMLElement} element @property {HTMLElement} head @property {HTMLElement} words @property {HTMLElement} due
 * @property {HTMLElement} buttons @property {Map<string, {button: HTMLButtonElement}>} kept @property {Deed[]} deeds @property {string} look @property {HTMLButtonElement} [more]
 */

export class Agenda {
  /** @type {Map<string, Row>} */
  #messages = new Map();
  /** @type {Map<string, Row>} */
  #servers = new Map();
  #wire = make("div", { class: "rl-agenda-list", role: "list", "aria-label": "Messages in flight" });
  #crew = make("div", { class: "rl-agenda-list", role: "list", "aria-label": "Servers" });
  #wireTitle = make("h4", {}, "Messages in flight");
  #empty = make("p", { class: "rl-quiet" }, "Nothing is in flight.");
  #reason = make("p", { class: "rl-reason", role: "status" });
  #active = "";

  /** @param {(deed: Deed) => void} perform @param {(key: string) => void} light @param {Desk} desk
   * @param {(server: string, element: HTMLElement) => void} more opens the menu of a server */
  constructor(perform, light, desk, more) {
    this.perform = perform;
    this.light = light;
    this.desk = desk;
    this.more = more;
    const scroll = make("div", { class: "rl-agenda-scroll" },
      make("div", { class: "rl-agenda-part" }, this.#wireTitle, this.#empty, this.#wire),
      make("div", { class: "rl-agenda-part" }, make("h4", {}, "Servers"), this.#crew),
    );
    this.element = make("section", { class: "rl-agenda", "aria-label": "What can happen now" }, scroll, this.#reason);
    scroll.addEventListener("keydown", (event) => this.#onKey(event));
    scroll.addEventListener("focusin", (event) => this.#onFocus(event.target));
    scroll.addEventListener("focusout", () => this.#explain("", ""));
    show(this.#reason, false);
  }

  /** @param {Frame} frame */
  update(frame) {
    const order = Object.entries(frame.messages).sort(([, a], [, b]) => a.due_us - b.due_us).map(([id]) => id);
    const focused = this.#rows().findIndex((row) => row.element.contains(document.activeElement));
    const held = this.#rows()[focused];
    keep(this.#wire, this.#messages, order, (id) => this.#make(id), (row) => row.element);
    keep(this.#crew, this.#servers, Object.keys(frame.servers), (id) => this.#makeServer(id), (row) => row.element);
    show(this.#empty, order.length === 0);
    say(this.#wireTitle, order.length ? `Messages in flight (${order.length})` : "Messages in flight");
    for (const [id, row] of this.#messages) {
      const message = frame.messages[id];
      if (message) this.#paintMessage(row, id, message, frame);
    }
    for (const [id, row] of this.#servers) {
      this.#offer(row, listedDeeds(serverDeeds(frame, id, this.desk)), id);
    }
    this.#rove();
    if (focused < 0 || held?.element.contains(document.activeElement)) return;
    const rows = this.#rows(); // the row that had the focus is gone or has moved: stay in its place
    (held?.element.isConnected ? held : rows[Math.min(focused, rows.length - 1)])?.element.focus({ preventScroll: true });
  }

  /** @returns {Row[]} in the order of the page */
  #rows() {
    const all = [...this.#messages.values(), ...this.#servers.values()];
    const byElement = new Map(all.map((row) => [/** @type {Element} */ (row.element), row]));
    return [...this.#wire.children, ...this.#crew.children].flatMap((element) => byElement.get(element) ?? []);
  }

  /** @param {string} id @returns {Row} */
  #make(id) {
    const head = make("span", { class: "rl-row-head" });
    const words = make("span", { class: "rl-row-words" });
    const due = make("span", { class: "rl-row-due" });
    const buttons = make("span", { class: "rl-row-buttons" });
    const element = make("div", { class: "rl-row", role: "listitem", tabindex: "-1", "data-about": id }, head, words, due, buttons);
    element.addEventListener("pointerenter", () => this.light(id));
    element.addEventListener("pointerleave", () => this.light(""));
    return { element, head, words, due, buttons, kept: new Map(), deeds: [], look: "" };
  }

  /** @param {string} id @returns {Row} */
  #makeServer(id) {
    const row = this.#make(id);
    const button = make("button", { type: "button", class: "rl-icon-button", tabindex: "-1", "aria-haspopup": "menu", "aria-label": `Menu of ${id}`, title: `everything that can happen to ${id}` }, make("strong", {}, id), icon("more"));
    button.addEventListener("click", () => this.more(id, button));
    row.more = button;
    row.head.append(button);
    return row;
  }

  /** @param {Row} row @param {string} id @param {Message} message @param {Frame} frame */
  #paintMessage(row, id, message, frame) {
    const look = `${message.kind} ${message.term} ${message.reply} ${message.ok} ${message.src} ${message.dst}`;
    if (row.look !== look) {
      row.look = look;
      row.head.replaceChildren(messagePicture(message, hueOf(message.term)), `${message.src} → ${message.dst}`);
    }
    say(row.words, message.text);
    put(row.words, "title", message.text);
    const wait = message.due_us - frame.time_us;
    say(row.due, message.held ? "held" : wait > 0 ? `in ${clockText(wait)}` : "");
    put(row.element, "data-held", message.held ? "true" : null);
    this.#offer(row, messageDeeds(frame, id, this.desk), `${message.label || message.kind} ${message.src} to ${message.dst}`);
  }

  /** Offer these deeds as buttons. @param {Row} row @param {Deed[]} deeds @param {string} about */
  #offer(row, deeds, about) {
    row.deeds = deeds;
    const verbs = deeds.map((deed) => deed.verb);
    const isMessage = row.look !== "";
    keep(row.buttons, row.kept, verbs, (verb) => {
      const button = make("button", { type: "button", class: isMessage ? "rl-icon-button" : "rl-verb", tabindex: "-1", "data-verb": verb });
      const name = row.deeds.find((deed) => deed.verb === verb)?.name ?? verb;
      button.append(isMessage && verb !== "deliver" ? icon(verb) : name);
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
      put(button, "title", deed.reason || (isMessage ? deed.name : null));
      put(button, "aria-label", `${deed.name} ${about}`);
    }
  }

  /** One row is the tab stop, with its buttons; arrows move it. */
  #rove() {
    const rows = this.#rows();
    const active = rows.find((row) => row.element.dataset.about === this.#active) ?? rows[0];
    for (const row of rows) {
      const stop = row === active ? "0" : "-1";
      put(row.element, "tabindex", stop);
      for (const { button } of row.kept.values()) put(button, "tabindex", stop);
      if (row.more) put(row.more, "tabindex", stop);
    }
  }

  /** @param {EventTarget | null} target */
  #onFocus(target) {
    const row = this.#rows().find((one) => one.element.contains(/** @type {globalThis.Node} */ (target)));
    if (!row) return;
    this.#active = row.element.dataset.about ?? "";
    this.#rove();
    this.light(this.#active);
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
