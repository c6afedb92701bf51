// @ts-check
import { keep, make, put, say, show } from "./dom.js";
import { leaderOf } from "./cluster.js";

/**
 * A prediction: what will happen, asked before it happens, answered by clicking the picture or a button, and judged by
 * the steps that follow. It needs no kernel where they are recorded, and forgets what somebody answered.
 */

/** @typedef {import("./session.js").Session} Session */
/** @typedef {import("./session.js").Model} Model */
/** @typedef {import("./tape.js").Frame} Frame */
/** @typedef {import("./tape.js").Tape} Tape */
/** @typedef {{kind: "winner" | "commit" | "overwritten", at: number, text: string, index?: number, term?: number}} Asked */
/** @typedef {{right: string[], words: string}} Outcome which choices were right, and what happened, in words */

/** What one may answer: a name for people by key. @param {Asked} asked @param {Frame} frame @returns {[key: string, words: string][]} */
function choicesOf(asked, frame) {
  if (asked.kind === "commit") return [["yes", "Yes"], ["no", "No"]];
  if (asked.kind === "winner") return Object.keys(frame.servers).map((id) => [id, id]);
  return Object.entries(frame.servers).flatMap(([id, server]) =>
    Object.entries(server.log)
      .filter(([index]) => Number(index) > server.commit_index && id !== leaderOf(frame))
      .map(([index, entry]) => /** @type {[string, string]} */ ([`${id} ${index}`, `${id}: ${index} (${entry.text})`])),
  );
}

/** What has come of it on the way from the question to a step, or undefined as long as that is open.
 * @param {Tape} tape @param {Asked} asked @param {number} cursor @returns {Outcome | undefined} */
function outcomeOf(tape, asked, cursor) {
  const path = tape.path(cursor);
  const begin = path.indexOf(asked.at);
  if (begin < 0) return undefined;
  const first = tape.frame(asked.at);
  for (const id of path.slice(begin + 1)) {
    const found = JUDGES[asked.kind](asked, first, tape.frame(tape.step(id).parent), tape.frame(id));
    if (found) return found;
  }
  return undefined;
}

/** @type {Record<Asked["kind"], (asked: Asked, first: Frame, before: Frame, after: Frame) => Outcome | undefined>} */
const JUDGES = {
  winner(_, __, before, after) {
    for (const [id, server] of Object.entries(after.servers)) {
      if (server.role === "leader" && before.servers[id]?.role !== "leader") return { right: [id], words: `${id} leads term ${server.term}.` };
    }
    return undefined;
  },
  commit({ index = 0, term }, _, __, after) {
    for (const server of Object.values(after.servers)) {
      if (server.commit_index < index) continue;
      const entry = server.log[String(index)];
      if (entry?.term === term) return { right: ["yes"], words: `Entry ${index} is committed.` };
      if (entry) return { right: ["no"], words: `Entry ${index} is another one now, “${entry.text}” of term ${entry.term}, and that is committed.` };
    }
    return undefined;
  },
  overwritten(_, first, __, after) {
    const leader = after.servers[leaderOf(after)];
    const running = Object.values(after.servers).filter((server) => !server.crashed);
    if (!leader || running.some((server) => !sameLog(server.log, leader.log, server.last_index, leader.last_index))) return undefined;
    const right = Object.entries(first.servers).flatMap(([id, server]) =>
      Object.entries(server.log).filter(([index, entry]) => after.servers[id]?.log[index]?.term !== entry.term).map(([index]) => `${id} ${index}`),
    );
    return { right, words: right.length ? `Gone are: ${right.map((key) => key.replace(" ", "’s entry ")).join(", ")}.` : "Nothing was overwritten." };
  },
};

/** @param {Frame["servers"][string]["log"]} one @param {Frame["servers"][string]["log"]} other @param {number} end @param {number} otherEnd */
function sameLog(one, other, end, otherEnd) {
  return end === otherEnd && Object.entries(one).every(([index, entry]) => !other[index] || other[index].term === entry.term);
}

export class Ask {
  /** @type {Asked | undefined} */
  #asked;
  /** @type {Set<string>} */
  #chosen = new Set();
  #sealed = false;
  /** @type {Map<string, {button: HTMLButtonElement}>} */
  #buttons = new Map();
  #question = make("span", { class: "rl-ask-text" });
  #choices = make("div", { class: "rl-ask-choices", role: "group" });
  #submit = make("button", { type: "button", class: "rl-button rl-primary" }, "That is all");
  #verdict = make("output", { class: "rl-ask-verdict", "aria-live": "polite" });
  element = make("section", { class: "rl-ask", "aria-label": "Prediction", hidden: "" }, make("span", { class: "rl-ask-tag" }, "Predict"), this.#question, this.#choices, this.#submit, this.#verdict);

  /** @param {Session} session @param {Model} model */
  constructor(session, model) {
    this.session = session;
    this.model = model;
    this.changed = () => this.#begin();
    model.on("change:options", this.changed);
    this.#submit.addEventListener("click", () => this.#seal());
    this.#begin();
  }

  #begin() {
    this.#asked = this.model.get("options")?.ask;
    this.#chosen.clear();
    this.#sealed = false;
    this.update();
  }

  get #open() {
    return this.#asked !== undefined && !this.#sealed && this.session.cursor === this.#asked.at;
  }

  /** A server was clicked: does that answer the question? @param {string} id */
  takesServer(id) {
    if (!this.#open || this.#asked?.kind !== "winner") return false;
    this.#choose(id);
    return true;
  }

  /** An entry in the ledger was clicked, perhaps. @param {Element} target */
  click(target) {
    const cell = /** @type {HTMLElement | null} */ (target.closest(".rl-cell"));
    const row = cell?.closest("[data-about]");
    if (!cell || !row || !this.#open || this.#asked?.kind !== "overwritten") return;
    this.#choose(`${row.getAttribute("data-about")} ${cell.style.getPropertyValue("--rl-index")}`);
  }

  /** @param {string} key */
  #choose(key) {
    if (!this.#open || !this.#buttons.has(key)) return;
    if (this.#asked?.kind !== "overwritten") {
      this.#chosen = new Set([key]);
      this.#seal();
      return;
    }
    if (!this.#chosen.delete(key)) this.#chosen.add(key);
    this.update();
  }

  #seal() {
    this.#sealed = true;
    this.update();
  }

  update() {
    const asked = this.#asked;
    const { session } = this;
    const here = asked !== undefined && session.ready && session.tape.has(asked.at);
    show(this.element, here);
    put(this.element, "data-open", here && this.#open ? asked.kind : null);
    if (!here) return;
    say(this.#question, asked.text);
    const choices = new Map(choicesOf(asked, session.tape.frame(asked.at)));
    keep(this.#choices, this.#buttons, [...choices.keys()], (key) => this.#make(key, choices.get(key) ?? key), ({ button }) => button);
    const outcome = outcomeOf(session.tape, asked, session.cursor);
    for (const [key, { button }] of this.#buttons) {
      put(button, "aria-pressed", String(this.#chosen.has(key)));
      put(button, "aria-disabled", this.#open ? null : "true");
      put(button, "data-right", outcome?.right.includes(key) ? "true" : null);
    }
    show(this.#submit, this.#open && asked.kind === "overwritten");
    const { words, right } = this.#say(outcome);
    say(this.#verdict, words);
    put(this.#verdict, "data-right", right);
  }

  /** @param {Outcome | undefined} outcome @returns {{words: string, right: string | null}} */
  #say(outcome) {
    if (!this.#sealed) return { words: outcome ? `${outcome.words} Go back and predict it.` : this.#open ? "" : "Go back to where it is asked, to answer.", right: null };
    if (!outcome) return { words: "Now let it run, and see.", right: null };
    const right = outcome.right.length === this.#chosen.size && outcome.right.every((key) => this.#chosen.has(key));
    return { words: `${right ? "✓ Right." : "✗ Not this time."} ${outcome.words}`, right: String(right) };
  }

  /** @param {string} key @param {string} words */
  #make(key, words) {
    const button = make("button", { type: "button", class: "rl-button", "aria-pressed": "false" }, words);
    button.addEventListener("click", () => this.#choose(key));
    return { button };
  }

  close() {
    this.model.off("change:options", this.changed);
  }
}
