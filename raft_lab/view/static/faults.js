// @ts-check
import { make, put, say, show } from "./dom.js";
import { configurationOf, leaderOf } from "./cluster.js";

/** What concerns the cluster as a whole: a proposal to the leader, partitions drawn by hand, and healing. */

/** @typedef {import("./tape.js").Frame} Frame */
/** @typedef {(...acts: [verb: string, args: unknown[]][]) => void} Act */

export class Faults {
  /** @type {Frame | undefined} */
  #frame;
  /** @type {Set<string> | null} the servers on the other side, while a partition is being drawn */
  #side = null;
  #touched = false;
  #count = 1;
  #text = make("input", { type: "text", class: "rl-input", value: "set x 1", "aria-label": "Command to propose", spellcheck: "false" });
  #propose = make("button", { type: "submit", class: "rl-button" }, "Propose");
  #partition = make("button", { type: "button", class: "rl-button", "aria-pressed": "false" }, "Partition…");
  #heal = make("button", { type: "button", class: "rl-button" }, "Heal all");
  #hint = make("span", { class: "rl-hint" });
  #apply = make("button", { type: "button", class: "rl-button rl-primary" }, "Apply");
  #cancel = make("button", { type: "button", class: "rl-button" }, "Cancel");
  #alone = make("button", { type: "button", class: "rl-button" }, "Leader alone");
  #drawing = make("div", { class: "rl-drawing", role: "group", "aria-label": "Draw a partition" }, this.#hint, this.#alone, this.#apply, this.#cancel);

  /** @param {Act} act @param {(side: Set<string> | null) => void} onSide shows the sides on the ring */
  constructor(act, onSide) {
    this.act = act;
    this.onSide = onSide;
    const form = make("form", { class: "rl-propose" }, this.#text, this.#propose);
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      this.#submit();
    });
    this.#text.addEventListener("input", () => (this.#touched = true));
    this.#partition.addEventListener("click", () => this.#draw(this.#side ? null : new Set()));
    this.#cancel.addEventListener("click", () => this.#draw(null));
    this.#apply.addEventListener("click", () => this.#finish());
    this.#alone.addEventListener("click", () => this.#draw(new Set([leaderOf(this.#frame ?? noFrame)].filter(Boolean))));
    this.#heal.addEventListener("click", () => this.#isOff(this.#heal) || this.act(["heal", []]));
    this.element = make("div", { class: "rl-faults", role: "group", "aria-label": "The cluster as a whole" }, form, this.#partition, this.#heal, this.#drawing);
    show(this.#drawing, false);
  }

  /** @returns {string} what a proposal would say */
  command() {
    return this.#text.value.trim() || `set x ${this.#count}`;
  }

  /** A command was proposed: the next default counts on, unless somebody has written their own. */
  proposed() {
    this.#count += 1;
    if (!this.#touched) this.#text.value = `set x ${this.#count}`;
  }

  get drawing() {
    return this.#side !== null;
  }

  /** @param {HTMLElement} button */
  #isOff(button) {
    return button.getAttribute("aria-disabled") === "true";
  }

  #submit() {
    if (this.#isOff(this.#propose)) return;
    this.act(["propose", [leaderOf(this.#frame ?? noFrame), this.command()]]);
  }

  /** @param {Frame} frame */
  update(frame) {
    this.#frame = frame;
    const leader = leaderOf(frame);
    const reason = leader ? (frame.servers[leader]?.can.propose ?? "") : "There is no leader now: propose to a server from its own menu.";
    put(this.#propose, "aria-disabled", reason ? "true" : null);
    put(this.#propose, "title", reason || `to ${leader}, the leader`);
    const cuts = Object.keys(frame.cuts).length > 0;
    put(this.#heal, "aria-disabled", cuts ? null : "true");
    put(this.#heal, "title", cuts ? "mend every link" : "No link is cut.");
    put(this.#alone, "aria-disabled", leader ? null : "true");
  }

  /** @param {Set<string> | null} side */
  #draw(side) {
    this.#side = side;
    show(this.#drawing, side !== null);
    put(this.#partition, "aria-pressed", String(side !== null));
    const members = side ? [...side] : [];
    say(this.#hint, members.length ? `${members.join(", ")} on one side, the rest on the other.` : "Click the servers that belong on one side.");
    const possible = members.length > 0 && members.length < Object.keys(this.#frame?.servers ?? {}).length;
    put(this.#apply, "aria-disabled", possible ? null : "true");
    this.onSide(side);
  }

  /** While a partition is drawn, clicking a server changes its side. @param {string} id */
  toggle(id) {
    const side = new Set(this.#side);
    if (!side.delete(id)) side.add(id);
    this.#draw(side);
  }

  /** Stop drawing without a partition. */
  cancel() {
    this.#draw(null);
    this.#partition.focus();
  }

  #finish() {
    if (this.#isOff(this.#apply)) return;
    const all = Object.keys(this.#frame?.servers ?? {});
    const one = all.filter((id) => this.#side?.has(id));
    const rest = all.filter((id) => !this.#side?.has(id));
    this.#draw(null);
    this.act(["partition", [one, rest]]);
  }
}

/** @type {Frame} */
const noFrame = { time_us: 0, servers: {}, messages: {}, cuts: {}, quorum: { voters: [], old: [], learners: [] }, invariants: {}, next: "" };
