// @ts-check
import { keep, make, put, say, show } from "./dom.js";
import { cellAround, insertCellBelow } from "./cells.js";
import { icon } from "./icons.js";
import { copyText } from "./share.js";

/** What is said in words: the sentence of this step, the rules that hold or are broken, and the code so far. */

/** @typedef {import("./session.js").Session} Session */

/** The sentence first; then the rule and its section; then the line of Python that does the same. */
export class Sentence {
  #title = make("span", { class: "rl-title" });
  #modified = make("span", { class: "rl-modified" });
  #sentence = make("p", { class: "rl-sentence" });
  #rule = make("p", { class: "rl-rule" });
  #code = make("code", { class: "rl-line" });
  #live = make("div", { class: "rl-live", "aria-live": "polite", "aria-atomic": "true" }, this.#sentence, make("div", { class: "rl-beneath" }, this.#rule, this.#code));
  #alert = make("div", { class: "rl-alert", role: "alert" });
  #quiet = make("p", { class: "rl-silent", role: "status" });

  /** @param {HTMLElement} beneath what stands under the sentence without being read out with it */
  constructor(beneath) {
    const head = make("div", { class: "rl-head" }, this.#title, this.#modified);
    const said = make("div", { class: "rl-said" }, this.#live, beneath);
    this.element = make("header", { class: "rl-words" }, head, said, this.#alert, this.#quiet);
  }

  /** @param {Session} session */
  update(session) {
    const { step } = session;
    say(this.#title, session.title);
    say(this.#modified, session.modified ? `modified Raft: ${session.modified}` : "");
    show(this.#modified, session.modified !== "");
    put(this.#live, "aria-live", session.playing && session.speed > 1 ? "off" : "polite");
    say(this.#sentence, step.sentence || "The cluster as it starts.");
    say(this.#rule, [step.rule, step.section].filter(Boolean).join(" "));
    const [line, ...more] = step.code.split("\n");
    say(this.#code, more.length ? `${line} …` : line);
    put(this.#code, "title", step.code);
    show(this.#code, step.code !== "");
  }

  /** @param {Session} session */
  notice(session) {
    const { kind, text } = session.notice;
    say(this.#alert, kind === "refused" ? text : "");
    show(this.#alert, kind === "refused");
    say(this.#quiet, kind === "silent" || kind === "dead" ? text : "");
    show(this.#quiet, kind === "silent" || kind === "dead");
  }
}

/** One line while all is well; a sentence and a way back to the culprit when it is not. */
export class Invariants {
  /** @type {Map<string, {chip: HTMLElement, words: HTMLElement, go: HTMLButtonElement}>} */
  #chips = new Map();
  /** @type {Record<string, string> | undefined} */
  #seen;
  #open = false;
  #summary = make("button", { type: "button", class: "rl-invariants-summary", "aria-expanded": "false" });
  #list = make("ul", { class: "rl-chips", hidden: "" });
  #culprit = -1;
  #back = make("button", { type: "button", class: "rl-verb rl-culprit", hidden: "" });

  /** @param {Session} session */
  constructor(session) {
    this.session = session;
    this.element = make("section", { class: "rl-invariants", "aria-label": "Invariants" }, this.#summary, this.#back, this.#list);
    this.#back.addEventListener("click", () => {
      session.pause();
      session.go(this.#culprit);
    });
    this.#summary.addEventListener("click", () => {
      this.#open = !this.#open;
      this.#seen = undefined;
      this.update(this.session);
    });
  }

  /** @param {Session} session */
  update(session) {
    const { invariants } = session.frame;
    this.#wayBack(Object.values(invariants).some(Boolean));
    if (this.#seen === invariants) return;
    this.#seen = invariants;
    const names = Object.keys(invariants);
    const broken = names.filter((name) => invariants[name]);
    const more = broken.length > 1 && !this.#open ? ", among them" : "";
    const all = names.length === 1 ? "1 invariant holds" : `${names.length} invariants hold`;
    say(this.#summary, broken.length ? `✗ ${broken.length} of ${names.length} invariants broken${more}` : names.length ? `✓ ${all}` : "no invariants are watched");
    put(this.#summary, "aria-expanded", String(this.#open));
    put(this.element, "data-broken", broken.length ? "true" : null);
    const shown = this.#open ? [...broken, ...names.filter((name) => !invariants[name])] : broken.slice(0, 1);
    show(this.#list, shown.length > 0);
    keep(this.#list, this.#chips, shown, (name) => this.#make(name), ({ chip }) => chip);
    for (const [name, { chip, words, go }] of this.#chips) {
      const reason = invariants[name] ?? "";
      put(chip, "data-broken", reason ? "true" : null);
      const off = session.rules.find((rule) => rule.protects === name && session.frame.rules?.[rule.name] === false);
      say(words, reason ? `✗ ${name}: ${reason}${off ? ` The rule “${off.name}”, which protects it, is off.` : ""}` : `✓ ${name}`);
      show(go, reason !== "");
    }
  }

  /** A rule is broken elsewhere on the tape, and one has walked away from it. @param {boolean} broken is one broken here? */
  #wayBack(broken) {
    const { tape, cursor } = this.session;
    const ahead = broken ? -1 : tape.marked(cursor, "violation", 1);
    this.#culprit = broken ? -1 : ahead >= 0 ? ahead : tape.lastMarked("violation");
    show(this.#back, this.#culprit >= 0);
    say(this.#back, `Back to the counterexample, step ${this.#culprit}`);
  }

  /** @param {string} name */
  #make(name) {
    const words = make("span", {});
    const go = make("button", { type: "button", class: "rl-button" }, "Go to the step");
    go.addEventListener("click", () => {
      const { session } = this;
      session.pause();
      session.go(session.tape.brokenSince(session.cursor, name));
    });
    return { chip: make("li", { class: "rl-chip" }, words, go), words, go };
  }
}

/** The code that leads from the start to this step, line by line. */
export class Code {
  /** @type {number[]} the steps whose lines are shown, in order */
  #lines = [];
  #list = make("ol", { class: "rl-code-lines" });
  #copied = make("span", { role: "status", class: "rl-quiet" });
  element;

  #insert = make("button", { type: "button", class: "rl-button", hidden: "" }, "Insert as a cell");

  /** @param {Session} session */
  constructor(session) {
    this.#insert.addEventListener("click", async () => {
      const done = await insertCellBelow(this.element, this.#text(session));
      if (!done) say(this.#copied, "This notebook gives no cell: copy the code instead.");
    });
    const copy = make("button", { type: "button", class: "rl-button" }, icon("copy"), "Copy");
    copy.addEventListener("click", () => this.#copy(session));
    this.element = make("details", { class: "rl-code" }, make("summary", {}, "Code so far"), make("div", { class: "rl-code-bar" }, copy, this.#insert, this.#copied), this.#list);
    this.element.addEventListener("toggle", () => this.update(session));
  }

  /** @param {Session} session */
  update(session) {
    if (!this.element.open) return;
    const { tape } = session;
    say(this.#copied, "");
    show(this.#insert, cellAround(this.element) !== null);
    const path = tape.path(session.cursor).filter((id) => tape.step(id).code);
    let same = 0;
    while (same < path.length && this.#lines[same] === path[same]) same += 1;
    while (this.#list.children.length > same) this.#list.lastElementChild?.remove();
    for (const id of path.slice(same)) this.#list.append(make("li", {}, make("code", {}, tape.step(id).code)));
    this.#lines = path;
    this.#list.querySelector("[aria-current]")?.removeAttribute("aria-current");
    this.#list.lastElementChild?.setAttribute("aria-current", "step");
    this.#list.scrollTop = this.#list.scrollHeight;
  }

  /** The code as people write it: timed steps in a row are one call. @param {Session} session */
  #text({ tape, cursor }) {
    /** @type {string[]} */
    const lines = [];
    let timed = 0;
    for (const id of [...tape.path(cursor), -1]) {
      const code = id < 0 ? "" : tape.step(id).code;
      if (code === "cluster.step()") {
        timed += 1;
        continue;
      }
      if (timed) lines.push(timed === 1 ? "cluster.step()" : `cluster.step(${timed})`);
      timed = 0;
      if (code) lines.push(code);
    }
    return lines.join("\n");
  }

  /** @param {Session} session */
  #copy(session) {
    return copyText(this.#text(session), this.#list, this.#copied);
  }
}
