// @ts-check
import { clockText, make, say, put } from "./dom.js";
import { deedsFor } from "./verbs.js";
import { configurationOf, membershipWords, roleWords } from "./cluster.js";
import { timerLeft } from "./nodes.js";

/** The popover at a server, a message or a link: its verbs as a menu, and everything that is known about it. */

/** @typedef {import("./tape.js").Frame} Frame */
/** @typedef {import("./ring.js").Subject} Subject */
/** @typedef {import("./verbs.js").Deed} Deed */
/** @typedef {import("./verbs.js").Desk} Desk */

export class Menu {
  /** @type {Subject | undefined} */
  #subject;
  /** @type {HTMLElement | SVGElement | undefined} */
  #anchor;
  #title = make("h3", { class: "rl-menu-title" });
  #list = make("div", { role: "menu", class: "rl-menu-list" });
  #facts = make("ul", { class: "rl-facts" });
  element = make("div", { class: "rl-menu", hidden: "" }, this.#title, this.#list, this.#facts);

  /** @param {(deed: Deed) => void} perform @param {Desk} desk */
  constructor(perform, desk) {
    this.perform = perform;
    this.desk = desk;
    this.element.addEventListener("keydown", (event) => this.#onKey(event));
    this.element.addEventListener("focusout", (event) => {
      if (event.relatedTarget instanceof Node && !this.element.contains(event.relatedTarget)) this.close(false);
    });
  }

  get isOpen() {
    return !this.element.hidden;
  }

  /** @param {Subject} subject @param {HTMLElement | SVGElement} anchor @param {Frame} frame */
  open(subject, anchor, frame) {
    this.#subject = subject;
    this.#anchor = anchor;
    this.element.hidden = false;
    put(anchor, "aria-expanded", "true");
    this.update(frame);
    this.#place(anchor);
    this.#items()[0]?.focus({ preventScroll: true });
  }

  /** Beside the anchor, inside the root. @param {HTMLElement | SVGElement} anchor */
  #place(anchor) {
    const root = this.element.parentElement;
    if (!root) return;
    const frame = root.getBoundingClientRect();
    const spot = (anchor.querySelector(".rl-shape, .rl-hit, .rl-link-line") ?? anchor).getBoundingClientRect();
    const { width, height } = this.element.getBoundingClientRect();
    const middle = spot.left + spot.width / 2 - frame.left;
    let left = this.#subject?.kind === "link" ? middle + 8 : spot.right - frame.left + 12;
    if (left + width > frame.width - 8) left = Math.max(8, spot.left - frame.left - width - 12);
    const wish = spot.top + spot.height / 2 - frame.top - 40;
    this.element.style.left = `${left}px`;
    this.element.style.top = `${Math.max(8, Math.min(wish, frame.height - height - 8))}px`;
  }

  /** @param {Frame} frame */
  update(frame) {
    const subject = this.#subject;
    if (!this.isOpen || !subject) return;
    const gone = subject.kind === "message" ? !frame.messages[subject.id] : subject.kind === "server" && !frame.servers[subject.id];
    if (gone) return this.close(true);
    const had = this.#items().indexOf(/** @type {HTMLElement} */ (document.activeElement));
    say(this.#title, titleOf(subject, frame));
    put(this.#list, "aria-label", `${titleOf(subject, frame)}: what can happen`);
    this.#list.replaceChildren(...deedsFor(frame, subject, this.desk).map((deed) => this.#item(deed)));
    this.#facts.replaceChildren(...factsOf(subject, frame).map(([name, value]) => make("li", {}, make("span", {}, name), make("span", {}, value))));
    if (had >= 0) this.#items()[had]?.focus({ preventScroll: true });
  }

  /** @param {Deed} deed */
  #item(deed) {
    const name = deed.verb === "propose" ? `Propose “${this.desk.command()}”` : deed.name;
    const item = make("button", { type: "button", role: "menuitem", tabindex: "-1", class: "rl-menu-item" }, name);
    if (deed.reason) {
      item.setAttribute("aria-disabled", "true");
      item.append(make("small", {}, deed.reason));
    }
    item.addEventListener("click", () => {
      if (deed.reason) return;
      this.close(true);
      this.perform(deed);
    });
    return item;
  }

  /** @returns {HTMLElement[]} */
  #items() {
    return /** @type {HTMLElement[]} */ ([...this.#list.children]);
  }

  /** @param {KeyboardEvent} event */
  #onKey(event) {
    const items = this.#items();
    const here = items.indexOf(/** @type {HTMLElement} */ (document.activeElement));
    const steps = /** @type {Record<string, number>} */ ({ ArrowDown: here + 1, ArrowUp: here - 1, Home: 0, End: items.length - 1 });
    const to = steps[event.key];
    if (to !== undefined) items[(to + items.length) % items.length]?.focus();
    else if (event.key === "Escape") this.close(true);
    else if (event.key === "Tab") {
      this.close(true);
      return;
    } else if (event.key === "Enter" || event.key === " ") {
      event.stopPropagation();
      return;
    } else if (event.key === "ArrowLeft" || event.key === "ArrowRight") {
      event.stopPropagation();
      return;
    } else return;
    event.preventDefault();
    event.stopPropagation();
  }

  /** @param {boolean} giveFocusBack */
  close(giveFocusBack) {
    if (!this.isOpen) return;
    const hadFocus = this.element.contains(document.activeElement);
    this.element.hidden = true;
    if (this.#anchor) put(this.#anchor, "aria-expanded", null);
    if (giveFocusBack && hadFocus) this.#anchor?.focus({ preventScroll: true });
    this.#subject = undefined;
  }
}

/** @param {Subject} subject @param {Frame} frame */
function titleOf(subject, frame) {
  if (subject.kind === "server") return `${subject.id}, ${roleWords(frame, subject.id)}`;
  if (subject.kind === "link") return `Link ${subject.a} – ${subject.b}`;
  const message = frame.messages[subject.id];
  return message ? `${message.kind} ${message.src} → ${message.dst}` : subject.id;
}

/** @param {{voters: string[], old: string[], learners: string[]}} configuration @param {string} member */
function configurationText({ voters, old, learners }, member) {
  const groups = old.length ? `old ${old.join(" ")} and new ${voters.join(" ")}` : voters.join(" ");
  return `${groups}${learners.length ? `, learners ${learners.join(" ")}` : ""}${member ? ` (${member})` : ""}`;
}

/** @param {Subject} subject @param {Frame} frame @returns {[string, string][]} */
function factsOf(subject, frame) {
  if (subject.kind === "server") return serverFacts(subject.id, frame);
  if (subject.kind === "link") return [];
  const message = frame.messages[subject.id];
  if (!message) return [];
  return [
    ["term", String(message.term)],
    ...Object.entries(message.fields),
    ["sent", clockText(message.sent_us)],
    ["due", message.held ? "held back" : clockText(message.due_us)],
  ];
}

/** @param {string} id @param {Frame} frame @returns {[string, string][]} */
function serverFacts(id, frame) {
  const server = frame.servers[id];
  if (!server) return [];
  /** @type {[string, string][]} */
  const facts = [
    ["term", String(server.term)],
    ["voted for", server.voted_for || "nobody"],
    ["leader known", server.leader_id || "none"],
    ["counts by", configurationText(configurationOf(frame, id), membershipWords(frame, id))],
    ["log", server.last_index < server.first_index ? "empty" : `${server.first_index} … ${server.last_index}`],
    ["commit_index", String(server.commit_index)],
    ["last_applied", String(server.last_applied)],
  ];
  const { snapshot, durable_index, waiting, reads } = server;
  if (snapshot && snapshot.index > 0) facts.push(["snapshot", `up to ${snapshot.index}, term ${snapshot.term}, members ${snapshot.configuration}`]);
  if (durable_index !== undefined && durable_index < server.last_index) facts.push(["on disk", `up to ${durable_index}`]);
  if (waiting) facts.push(["waiting for disk", waiting === 1 ? "1 message" : `${waiting} messages`]);
  if (Object.keys(reads ?? {}).length) facts.push(["reads", `${Object.keys(reads ?? {}).length} under way`]);
  const machine = Object.entries(server.machine ?? {});
  if (machine.length) facts.push(["machine", machine.map(([key, value]) => `${key} = ${value}`).join(", ")]);
  const votes = Object.keys(server.votes);
  if (votes.length) facts.push(["votes from", votes.join(", ")]);
  if (server.timer.kind) facts.push([`${server.timer.kind} timer`, `${clockText(server.timer.due_us)} (${Math.round(timerLeft(server, frame.time_us) * 100)}% left)`]);
  for (const [peer, progress] of Object.entries(server.progress)) {
    facts.push([`of ${peer}`, `next_index ${progress.next_index}, match_index ${progress.match_index}`]);
  }
  return facts;
}
