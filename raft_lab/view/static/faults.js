// @ts-check
import { keep, make, put, say, show } from "./dom.js";
import { configurationOf, leaderOf } from "./cluster.js";

/** What concerns the cluster as a whole: a proposal to the leader, partitions drawn by hand, healing, and its members. */

/** @typedef {import("./tape.js").Frame} Frame */
/** @typedef {(...acts: [verb: string, args: unknown[]][]) => void} Act */

/** @type {Frame} */
const noFrame = { time_us: 0, servers: {}, messages: {}, cuts: {}, quorum: { voters: [], old: [], learners: [] }, invariants: {}, next: "" };

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
    this.members = new Members(act, () => this.#side && this.#draw(null));
    this.onSide = onSide;
    const form = make("form", { class: "rl-propose" }, this.#text, this.#propose);
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      this.#submit();
    });
    this.#text.addEventListener("input", () => (this.#touched = true));
    this.#partition.addEventListener("click", () => this.#isOff(this.#partition) || this.#draw(this.#side ? null : new Set()));
    this.#cancel.addEventListener("click", () => this.#draw(null));
    this.#apply.addEventListener("click", () => this.#finish());
    this.#alone.addEventListener("click", () => this.#isOff(this.#alone) || this.#draw(new Set([leaderOf(this.#frame ?? noFrame)].filter(Boolean))));
    this.#heal.addEventListener("click", () => this.#isOff(this.#heal) || this.act(["heal", []]));
    this.element = make("div", { class: "rl-faults", role: "group", "aria-label": "The cluster as a whole" }, form, this.#partition, this.members.button, this.#heal, this.#drawing, this.members.element);
    show(this.#drawing, false);
  }

  /** @returns {string} what a proposal would say */
  command() {
    return this.#text.value.trim() || this.#usual();
  }

  /** @returns {string} a command that the servers' state machine takes */
  #usual() {
    return `${this.#frame?.store ? "put" : "set"} x ${this.#count}`;
  }

  /** A command was proposed: the next default counts on, unless somebody has written their own. */
  proposed() {
    this.#count += 1;
    if (!this.#touched) this.#text.value = this.#usual();
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

  /** @param {Frame} frame @param {string} closed why nothing can be done at all, or "" */
  update(frame, closed) {
    this.#frame = frame;
    if (!this.#touched && this.#text.value !== this.#usual()) this.#text.value = this.#usual();
    const leader = leaderOf(frame);
    if (this.#side) this.#draw(closed ? null : new Set([...this.#side].filter((id) => frame.servers[id])));
    put(this.#partition, "aria-disabled", closed ? "true" : null);
    put(this.#partition, "title", closed || null);
    const reason = closed ? closed : leader ? (frame.servers[leader]?.can.propose ?? "") : "There is no leader now: propose to a server from its own menu.";
    put(this.#propose, "aria-disabled", reason ? "true" : null);
    put(this.#propose, "title", reason || `to ${leader}, the leader`);
    const cuts = Object.keys(frame.cuts).length > 0;
    put(this.#heal, "aria-disabled", cuts && !closed ? null : "true");
    put(this.#heal, "title", closed || (cuts ? "mend every link" : "No link is cut."));
    put(this.#alone, "aria-disabled", leader ? null : "true");
    this.members.update(frame, closed);
  }

  /** @param {Set<string> | null} side */
  #draw(side) {
    this.#side = side;
    if (side) this.members.close();
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

/** @typedef {"voter" | "learner" | "out"} Standing */
/** @type {Standing[]} */
const STANDINGS = ["out", "learner", "voter"]; // how a server comes in, and then goes

/** Who belongs to the cluster: each server is a voter, a learner or out; the leader is asked to make it so. */
class Members {
  /** @type {Frame} */
  #frame = noFrame;
  /** @type {Map<string, Standing> | null} what is asked for, while it is being chosen */
  #wanted = null;
  /** @type {Set<string>} servers that were booted here and shall be learners */
  #booted = new Set();
  #closed = "";
  /** @type {Map<string, {chip: HTMLButtonElement}>} */
  #chips = new Map();
  #hint = make("span", { class: "rl-hint" });
  #list = make("span", { class: "rl-members", role: "group", "aria-label": "Members" });
  #add = make("button", { type: "button", class: "rl-button", title: "start another server, as a learner" }, "+ server");
  #apply = make("button", { type: "button", class: "rl-button rl-primary" }, "Apply");
  #cancel = make("button", { type: "button", class: "rl-button" }, "Cancel");
  button = make("button", { type: "button", class: "rl-button", "aria-pressed": "false" }, "Members…");
  element = make("div", { class: "rl-drawing rl-choosing", role: "group", "aria-label": "Change the members", hidden: "" }, this.#list, this.#add, this.#hint, this.#apply, this.#cancel);

  /** @param {Act} act @param {() => void} onOpen */
  constructor(act, onOpen) {
    this.act = act;
    this.button.addEventListener("click", () => {
      if (this.#wanted) return this.close();
      if (this.#closed) return;
      onOpen();
      this.#wanted = new Map();
      this.#paint();
    });
    this.#cancel.addEventListener("click", () => this.close());
    this.#add.addEventListener("click", () => {
      const name = this.#nextName();
      this.#booted.add(name);
      this.act(["boot", [name]]);
    });
    this.#apply.addEventListener("click", () => this.#finish());
  }

  close() {
    this.#wanted = null;
    this.#booted.clear();
    this.#paint();
  }

  /** @param {Frame} frame @param {string} closed */
  update(frame, closed) {
    this.#frame = frame;
    this.#closed = closed;
    put(this.button, "aria-disabled", closed ? "true" : null);
    put(this.button, "title", closed || null);
    if (closed && this.#wanted) this.close();
    else if (this.#wanted) this.#paint();
  }

  /** @returns {string} the first of S1, S2, … that is free */
  #nextName() {
    let number = 1;
    while (this.#frame.servers[`S${number}`] || this.#booted.has(`S${number}`)) number += 1;
    return `S${number}`;
  }

  /** What a server is by the configuration of the leader, or of the newest term. @param {string} id @returns {Standing} */
  #now(id) {
    const { voters, learners } = configurationOf(this.#frame, leaderOf(this.#frame));
    return voters.includes(id) ? "voter" : learners.includes(id) ? "learner" : "out";
  }

  /** @param {string} id @returns {Standing} */
  #standing(id) {
    return this.#wanted?.get(id) ?? (this.#booted.has(id) ? "learner" : this.#now(id));
  }

  /** @param {Standing} standing */
  #those(standing) {
    return Object.keys(this.#frame.servers).filter((id) => this.#standing(id) === standing);
  }

  #reason() {
    const leader = leaderOf(this.#frame);
    if (!leader) return "There is no leader now, and only a leader can change the members.";
    if (this.#those("voter").length === 0) return "A cluster needs a voter.";
    if (Object.keys(this.#frame.servers).every((id) => this.#standing(id) === this.#now(id))) return "Press a server to change what it is.";
    return this.#frame.servers[leader]?.can.reconfigure ?? "";
  }

  #paint() {
    const open = this.#wanted !== null;
    show(this.element, open);
    put(this.button, "aria-pressed", String(open));
    if (!open) return;
    keep(this.#list, this.#chips, Object.keys(this.#frame.servers), (id) => {
      const chip = make("button", { type: "button", class: "rl-button rl-member", "data-member": id });
      chip.addEventListener("click", () => {
        this.#wanted?.set(id, STANDINGS[(STANDINGS.indexOf(this.#standing(id)) + 1) % STANDINGS.length] ?? "voter");
        this.#paint();
      });
      return { chip };
    }, ({ chip }) => chip);
    for (const [id, { chip }] of this.#chips) {
      const standing = this.#standing(id);
      say(chip, `${id} ${standing}`);
      put(chip, "data-standing", standing);
      put(chip, "data-changed", standing === this.#now(id) ? null : "true");
    }
    const reason = this.#reason();
    say(this.#add, `+ ${this.#nextName()}`);
    put(this.#add, "aria-label", `Start server ${this.#nextName()}`);
    put(this.#apply, "aria-disabled", reason ? "true" : null);
    say(this.#hint, reason || `${leaderOf(this.#frame)}, the leader, is asked for this.`);
  }

  #finish() {
    if (this.#reason()) return;
    const [leader, voters, learners] = [leaderOf(this.#frame), this.#those("voter"), this.#those("learner")];
    this.close();
    this.act(["reconfigure", [leader, voters, learners]]);
  }
}
