// @ts-check
import { Tape } from "./tape.js";
import { Player } from "./player.js";
import { CHUNK, packed, unpacked } from "./pack.js";

/**
 * The session: where on the tape we stand, and the talk with the kernel. One session serves every view of a model.
 * Moving about needs no kernel; acting does, and acts wait for one another so that each stands on the last.
 */

/** @typedef {import("./tape.js").Step} Step */
/** @typedef {{steps?: Step[], packed?: string[], cursor: number, title?: string, names?: Record<string, string>}} TapeState */
/** @typedef {{name: string, section: string, statement: string, protects: string, optional: boolean}} Rule */
/**
 * @typedef {object} Model
 * @property {(name: string) => any} get
 * @property {(name: string, value: any) => void} set
 * @property {(event: string, call: (...args: any[]) => void) => void} on
 * @property {(event: string, call: (...args: any[]) => void) => void} off
 * @property {(content: any) => void} send
 * @property {boolean} [comm_live] whether a kernel is at the other end, where the host lets us see it
 */
/**
 * What the kernel is asked for; a step that is shown already says where it began.
 * @typedef {{do: "act", verb: string, args: unknown[]} | {do: "step", count: number, at?: number} | {do: "run", until: string}
 *   | {do: "name", step: number, name: string} | {do: "live", paused?: boolean, speed?: number}} Wish
 */
/** @typedef {"cursor" | "steps" | "notice" | "play" | "glide" | "kernel" | "asked"} News */

const ANSWER_WITHIN_MS = 4000;
const TELL_AFTER_MS = 80;
const SAVE_AFTER_MS = 1000;
const PROBE_AFTER_MS = 2000;
const NO_KERNEL = "The kernel is busy or gone: you can still play what was recorded.";
const RESTARTED = "The kernel was restarted: run this cell again. What was recorded can still be played.";
const RECORDED = "This is a recording: everything in it can be played and looked at.";
const DAMAGED = "What was saved of this lab cannot be read: run this cell again.";
const NEVER_RAN = "No kernel runs this lab: run this cell to act. What was recorded can still be played.";
const SLOWEST = 0.25;
const FASTEST = 8;

export class Session {
  /** @type {Map<Model, {message: (content: any) => void, tape: () => void, live: () => void}>} */
  #models = new Map();
  /** @type {Set<(news: News) => void>} */
  #listeners = new Set();
  /** @type {Wish[]} */
  #wishes = [];
  /** @type {WeakSet<object>} messages already read: each view hands in the same one */
  #read = new WeakSet();
  /** @type {Map<number, string>} questions on their way: number -> what was asked */
  #asked = new Map();
  /** @type {Set<number>} moves of our own that the kernel may confirm, and that must not move us again */
  #gotos = new Set();
  /** @type {Step[]} what the kernel expects us to ask for next */
  #likely = [];
  /** The first step that is shown but that the kernel has not confirmed; Infinity if there is none. */
  #unconfirmed = Infinity;
  /** @type {string[]} what is packed already, for saving */
  #chunks = [];
  /** @type {TapeState | undefined} what we have saved ourselves */
  #saved;
  /** @type {Promise<void>} */
  #loaded = Promise.resolve();
  #saving = Promise.resolve();
  #number = 0;
  /** The last question that went out before our latest own move: older answers do not know of that move. */
  #moved = 0;
  #heard = performance.now();
  /** When the kernel last heard where we are. */
  #told = -TELL_AFTER_MS;
  #timers = { tell: 0, save: 0, answer: 0 };
  /** @type {"unknown" | "alive" | "silent"} */
  kernel = "unknown";
  /** Why nothing can be done any more, although all can be looked at; "" while a kernel may be there. */
  dead = "";
  /** @type {{kind: "" | "refused" | "silent" | "dead", text: string}} */
  notice = { kind: "", text: "" };
  playing = false;
  speed = 1;
  /** @type {{paused: boolean, speed: number} | null} how time flows by itself, where clients from outside live with the cluster */
  live = null;
  tape = new Tape([]);
  cursor = 0;
  title = "";
  /** @type {Record<string, string>} what steps are called */
  names = {};

  /** @param {TapeState} state @param {{speed?: unknown, rules?: Rule[], recording?: boolean}} options */
  constructor(state, { speed, rules, recording }) {
    if (typeof speed === "number" && speed > 0) this.speed = Math.min(FASTEST, Math.max(SLOWEST, speed));
    this.rules = rules ?? [];
    this.recording = Boolean(recording);
    this.player = new Player(this);
    this.#open(state);
  }

  /** @param {TapeState} state */
  #open(state) {
    if (!state.packed) return this.#load(state.steps ?? [], state);
    this.#loaded = unpacked(state.packed).then(
      (steps) => {
        this.#chunks = (state.packed ?? []).slice(0, Math.floor(steps.length / CHUNK));
        this.#load(steps, state);
        this.tell("steps");
      },
      () => {
        this.#note("silent", DAMAGED);
      },
    );
  }

  /** @param {Step[]} steps @param {TapeState} state */
  #load(steps, state) {
    this.tape = new Tape(steps);
    this.title = state.title ?? "";
    this.names = state.names ?? {};
    this.#likely = [];
    this.#unconfirmed = Infinity;
    this.cursor = this.tape.has(state.cursor) ? state.cursor : this.tape.size - 1;
    if (this.tape.size > 0) this.tape.choose(this.cursor);
  }

  get step() {
    return this.tape.step(this.cursor);
  }

  get frame() {
    return this.tape.frame(this.cursor);
  }

  get ready() {
    return this.tape.size > 0;
  }

  /** Has the step on screen broken an invariant, the first one on its way to do so? */
  get justBroken() {
    const { step } = this;
    const before = step.parent >= 0 ? Object.values(this.tape.frame(step.parent).invariants) : [];
    return step.marks.includes("violation") && !before.some(Boolean);
  }

  /** How this run differs from one of Raft, in words, or "". */
  get modified() {
    return this.ready ? (this.frame.modified ?? "") : "";
  }

  /** The run up to here as one line of text, or "" if it began in a situation that no line can hold. */
  get share() {
    const path = this.tape.path(this.cursor).map((id) => this.tape.step(id));
    if (!path[0]?.share) return "";
    /** @type {string[]} */
    const parts = [];
    let timed = 0;
    for (const step of path) {
      if (step.share && timed) parts.push(`step:${timed}`);
      timed = step.share ? 0 : timed + 1;
      if (step.share) parts.push(step.share);
    }
    return [...parts, ...(timed ? [`step:${timed}`] : [])].join(";");
  }

  get atTip() {
    return this.tape.after(this.cursor) < 0;
  }

  /** @param {(news: News) => void} call @returns {() => void} */
  listen(call) {
    this.#listeners.add(call);
    return () => this.#listeners.delete(call);
  }

  /** @param {News} news */
  tell(news) {
    for (const call of [...this.#listeners]) call(news);
  }

  /** A view begins: listen on its model and ask for what we have missed.
   * @param {Model} model @param {() => boolean} isCutOff does the host know that no kernel is at the other end? */
  attach(model, isCutOff) {
    const message = (/** @type {any} */ content) => this.#receive(content);
    const tape = () => {
      const state = /** @type {TapeState} */ (model.get("tape"));
      if (!state || state === this.#saved || (!state.steps && !state.packed)) return;
      sessions.set(state, this);
      this.#open(state);
      this.tell("steps");
    };
    const live = () => {
      if (model.comm_live === false || isCutOff()) this.#die();
      else if (this.dead) this.#hello(); // an answer brings it back to life
      else window.setTimeout(() => this.probe(), PROBE_AFTER_MS);
    };
    model.on("msg:custom", message);
    model.on("change:tape", tape);
    model.on("comm_live_update", live);
    this.#models.set(model, { message, tape, live });
    if (model.comm_live === false || isCutOff()) this.#die();
    else this.#hello();
  }

  /** @param {Model} model */
  detach(model) {
    const calls = this.#models.get(model);
    if (!calls) return;
    model.off("msg:custom", calls.message);
    model.off("change:tape", calls.tape);
    model.off("comm_live_update", calls.live);
    this.#flush();
    if (this.#timers.save) this.#save();
    this.#models.delete(model);
    if (this.#models.size > 0) return;
    this.pause();
    this.#asked.clear();
    this.#wishes = [];
    clearTimeout(this.#timers.answer);
  }

  /** @param {Record<string, unknown>} content @returns {number} */
  #send(content) {
    const n = ++this.#number;
    const model = [...this.#models.keys()].at(-1);
    try {
      model?.send({ ...content, n });
    } catch {
      this.#die(); // the comm is closed
    }
    return n;
  }

  /** Nobody is at the other end, and nobody will come back: what was recorded is all there is. */
  #die() {
    if (this.dead) return;
    this.dead = this.recording ? RECORDED : this.kernel === "unknown" ? NEVER_RAN : RESTARTED;
    this.kernel = "silent";
    this.#asked.clear();
    this.#wishes = [];
    clearTimeout(this.#timers.answer);
    if (this.playing && this.atTip) this.playing = false;
    this.#note("dead", this.dead);
    this.tell("kernel");
  }

  #revive() {
    this.#heard = performance.now();
    this.kernel = "alive";
    if (this.dead) {
      this.dead = "";
      this.#note("", "");
      this.tell("kernel");
    } else if (this.notice.kind === "silent") this.#note("", "");
  }

  /** Somebody comes to the lab: find out whether the kernel was restarted meanwhile, before they act in vain. */
  probe() {
    if (this.dead || this.waiting || performance.now() - this.#heard < PROBE_AFTER_MS) return;
    this.#heard = performance.now();
    this.#greet();
  }

  /** Ask for what we have missed. Where we have gone meanwhile is told first, or the answer would take us back.
   * @returns {number} */
  #greet() {
    this.#flush();
    return this.#send({ do: "hello", have: this.#confirmed });
  }

  /** How many steps the kernel knows to be ours. */
  get #confirmed() {
    return Math.min(this.tape.size, this.#unconfirmed);
  }

  async #hello() {
    await this.#loaded;
    if (this.#models.size > 0) this.#await(this.#greet(), "hello");
  }

  /** @param {number} n @param {string} what */
  #await(n, what) {
    if (this.dead) return;
    this.#asked.set(n, what);
    this.tell("asked");
    clearTimeout(this.#timers.answer);
    this.#timers.answer = window.setTimeout(() => this.#unanswered(), ANSWER_WITHIN_MS);
  }

  #unanswered() {
    const wanted = [...this.#asked.values()].some((what) => what !== "hello");
    this.kernel = "silent"; // busy or gone: if an answer comes after all, it is taken
    this.playing = false;
    if (wanted) this.#note("silent", NO_KERNEL);
    this.tell("play");
  }

  /** @param {"" | "refused" | "silent" | "dead"} kind @param {string} text */
  #note(kind, text) {
    this.notice = this.dead ? { kind: "dead", text: this.dead } : { kind, text };
    this.tell("notice");
  }

  /** Is an answer to an act or a timed step still on its way? */
  get waiting() {
    for (const what of this.#asked.values()) if (what !== "hello") return true;
    return false;
  }

  /** Does the kernel know where we stand, with nothing on its way? */
  get settled() {
    return !this.waiting && !this.#timers.tell;
  }

  /** Go to a recorded step. The picture changes now; the kernel hears of it a little later.
   * @param {number} id */
  go(id) {
    if (!this.tape.has(id)) return;
    this.#moved = this.#number;
    this.#move(id);
    this.#tellSoon();
  }

  /** At once, unless we have just told: dragging along the tape is not told pixel by pixel. */
  #tellSoon() {
    clearTimeout(this.#timers.tell);
    const wait = Math.max(0, this.#told + TELL_AFTER_MS - performance.now());
    this.#timers.tell = window.setTimeout(() => this.#flush(), wait);
    this.tell("asked");
  }

  /** @param {number} id */
  #move(id) {
    this.cursor = id;
    this.tape.choose(id);
    this.#saveSoon();
    if (this.notice.kind === "refused") this.#note("", "");
    this.tell("cursor");
  }

  #flush() {
    if (!this.#timers.tell) return;
    clearTimeout(this.#timers.tell);
    this.#timers.tell = 0;
    this.#told = performance.now();
    if (!this.dead && this.cursor < this.#unconfirmed) { // else the step that is asked for will take it there
      this.#gotos.add(this.#send({ do: "goto", step: this.cursor }));
    }
    this.tell("asked");
  }

  back() {
    this.pause();
    if (this.ready && this.step.parent >= 0) this.go(this.step.parent);
  }

  forward() {
    this.pause();
    const next = this.ready ? this.tape.after(this.cursor) : -1;
    if (next >= 0) this.go(next);
  }

  /** Act on the cluster: each act waits until the one before it has been answered.
   * @param {...[verb: string, args: unknown[]]} acts */
  act(...acts) {
    this.pause();
    for (const [verb, args] of acts) this.#wish({ do: "act", verb, args });
  }

  /** One step on: the recorded one, so that a recorded run is never left; only at its end the next due thing. */
  stepOnce() {
    this.pause();
    if (!this.ready) return;
    if (!this.atTip && (!this.waiting || this.kernel === "silent" || this.cursor >= this.#unconfirmed)) return this.forward();
    if (!this.#anticipate()) this.#wish({ do: "step", count: 1 });
  }

  /** Show the step that the kernel has foretold, and ask for it all the same. @returns {boolean} whether there is one */
  #anticipate() {
    const step = this.#likely[0];
    const fits = step && step.id === this.tape.size && step.parent === this.cursor && this.#wishes.every((wish) => wish.do === "step");
    if (!fits || this.dead || this.kernel === "silent") return false;
    this.#likely.shift();
    this.#unconfirmed = Math.min(this.#unconfirmed, step.id);
    this.tape.add([step]);
    this.tape.choose(step.id);
    this.tell("steps");
    this.#moved = this.#number;
    this.#move(step.id);
    this.#wish({ do: "step", count: 1, at: step.parent });
    return true;
  }

  /** Compare what the kernel says with what is shown ahead of it, and take back what has come otherwise.
   * @param {Step[]} steps @returns {boolean} whether something was taken back */
  #confirm(steps) {
    for (const step of steps) {
      if (step.id < this.#unconfirmed || step.id >= this.tape.size) continue;
      const shown = this.tape.step(step.id);
      if (shown.parent !== step.parent || shown.sentence !== step.sentence || shown.message !== step.message || shown.code !== step.code) {
        this.#takeBack();
        return true;
      }
      this.#unconfirmed = step.id + 1 < this.tape.size ? step.id + 1 : Infinity;
    }
    return false;
  }

  /** What is shown ahead of the kernel did not come about. */
  #takeBack() {
    if (this.#unconfirmed === Infinity) return;
    const from = this.#unconfirmed;
    this.#unconfirmed = Infinity;
    this.#likely = [];
    this.#wishes = [];
    while (this.cursor >= from) this.cursor = this.step.parent;
    this.tape.cut(from);
    this.tape.choose(this.cursor);
    this.tell("steps");
  }

  /** Let due things happen until something is so. @param {string} until */
  runUntil(until) {
    this.pause();
    this.#wish({ do: "run", until });
  }

  /** Let time flow by itself, or stand still, or at another pace, for everybody. @param {{paused?: boolean, speed?: number}} how */
  drive(how) {
    this.#wish({ do: "live", ...how });
  }

  /** What was before is let go. @param {number} first @param {Step[]} news */
  #letGo(first, news) {
    if (first <= this.tape.first) return;
    const kept = first < this.tape.size ? this.tape.from(first) : [];
    this.#chunks = kept.length ? this.#chunks.slice((first - this.tape.first) / CHUNK) : [];
    this.tape = new Tape(kept.length ? kept : news.slice(0, 1));
    this.#likely = [];
    this.#unconfirmed = Infinity;
    this.cursor = Math.max(first, Math.min(this.cursor, this.tape.size - 1));
    this.tape.choose(this.cursor);
  }

  /** Call a step by a name. @param {number} step @param {string} name */
  call(step, name) {
    this.#wish({ do: "name", step, name });
  }

  /** Go to the next or the previous step on this branch that has this mark. @param {string} mark @param {1 | -1} way */
  jump(mark, way) {
    this.pause();
    const to = this.ready ? this.tape.marked(this.cursor, mark, way) : -1;
    if (to >= 0) this.go(to);
  }

  /** @param {Wish} wish */
  #wish(wish) {
    if (this.dead) return;
    if (this.kernel === "silent") this.#note("silent", NO_KERNEL);
    else if (this.notice.kind) this.#note("", "");
    this.#wishes.push(wish);
    this.#next();
  }

  /** @returns {void} */
  #next() {
    if (this.waiting) return;
    const wish = this.#wishes.shift();
    if (!wish) return;
    if (wish.do === "step" && wish.at === undefined && !this.atTip) { // meanwhile a step was recorded here: that is the one
      this.go(this.tape.after(this.cursor));
      return this.#next();
    }
    this.#flush();
    const foretold = wish.do === "step" && wish.at !== undefined;
    this.#await(this.#send({ at: this.cursor, ...wish }), foretold ? "likely" : wish.do);
  }

  /** Ask for steps beyond the end of the branch on show, without moving there. @param {number} count */
  askAhead(count) {
    if (this.waiting || this.dead) return;
    this.#await(this.#send({ do: "step", at: this.tape.branch.at(-1), count }), "ahead");
  }

  pause() {
    if (!this.playing) return;
    this.playing = false;
    this.#tellSoon(); // the kernel may be a few steps ahead of what was seen
    this.tell("play");
  }

  play() {
    if (!this.ready || this.playing || (this.dead && this.atTip)) return;
    if (this.notice.kind) this.#note("", "");
    this.playing = true;
    this.player.start();
    this.tell("play");
  }

  /** @param {any} content */
  #receive(content) {
    if (typeof content !== "object" || content === null || this.#read.has(content)) return;
    this.#read.add(content);
    const what = this.#asked.get(content.reply_to) ?? "";
    this.#asked.delete(content.reply_to);
    if (this.#asked.size === 0) clearTimeout(this.#timers.answer);
    this.#revive();
    if (content.type === "steps") this.#learn(content, what);
    else if (content.type === "refused") {
      this.#wishes = [];
      this.pause();
      const ahead = this.#unconfirmed < Infinity;
      this.#takeBack();
      if (ahead && this.tape.has(content.cursor)) this.#move(content.cursor);
      this.#note("refused", content.text);
    }
    this.#next();
    this.tell("asked");
  }

  /** @typedef {{steps: Step[], cursor: number, reply_to: number, first?: number, likely?: Step[], names?: Record<string, string>, live?: {paused: boolean, speed: number} | null}} Told */
  /** @param {Told} content @param {string} what was asked, if we asked */
  #learn(content, what) {
    const follows = !content.live || this.atTip || !this.ready;
    if (JSON.stringify(content.live ?? null) !== JSON.stringify(this.live)) {
      this.live = content.live ?? null;
      this.tell("play");
    }
    this.#letGo(content.first ?? 0, content.steps);
    const otherwise = this.#confirm(content.steps);
    const known = this.tape.size;
    if (content.names && JSON.stringify(content.names) !== JSON.stringify(this.names)) {
      this.names = content.names;
      this.tell("steps");
    }
    if (!this.tape.add(content.steps)) {
      this.#hello();
      return;
    }
    this.#likely = (content.likely ?? []).filter((step) => step.id >= this.tape.size);
    const grown = this.tape.size > known;
    const newest = content.steps.at(-1);
    if (grown) {
      if (this.cursor < this.tape.first) this.cursor = this.tape.first;
      this.tape.choose(what === "ahead" && newest ? newest.id : this.cursor);
      this.#saveSoon();
      this.tell("steps");
    }
    if (content.cursor === this.cursor || !this.tape.has(content.cursor)) return;
    if (this.#gotos.delete(content.reply_to)) return;
    if (!follows && (what === "" || what === "live")) return; // who looks at the past is not torn away from it
    if (what === "likely" && !otherwise) { // it was shown already, and since then we may have gone elsewhere
      if (this.#unconfirmed === Infinity) this.#tellSoon();
      return;
    }
    if (what === "name") return this.#tellSoon();
    if ((what === "hello" || what === "") && content.reply_to > 0 && content.reply_to <= this.#moved) return; // a greeting that does not know of our move
    // steps asked for while playing wait to be played; after a pause they are shown, unless we have gone elsewhere
    if (what === "ahead" && (this.playing || newest?.parent !== this.cursor)) {
      if (!this.playing) this.#tellSoon();
      return;
    }
    if (what === "") this.pause();
    clearTimeout(this.#timers.tell);
    this.#timers.tell = 0;
    this.#move(content.cursor);
  }

  #saveSoon() {
    if (!this.#timers.save) this.#timers.save = window.setTimeout(() => this.#save(), SAVE_AFTER_MS);
  }

  /** Let a saved notebook hold everything, in small, without a word to the kernel. */
  #save() {
    clearTimeout(this.#timers.save);
    this.#timers.save = 0;
    const model = [...this.#models.keys()].at(-1);
    if (model && !this.recording) this.#saving = this.#saving.then(() => this.#saveTo(model));
  }

  /** @param {Model} model */
  async #saveTo(model) {
    const { tape, cursor, title, names } = this;
    const chunks = this.#chunks;
    while (tape.first + (chunks.length + 1) * CHUNK <= this.#confirmed) {
      const from = tape.first + chunks.length * CHUNK;
      chunks.push(await packed(tape.steps.slice(from, from + CHUNK)));
    }
    const rest = tape.steps.slice(tape.first + chunks.length * CHUNK);
    const all = rest.length ? [...chunks, await packed(rest)] : [...chunks];
    if (tape !== this.tape) return;
    this.#saved = { packed: all, cursor, title, names };
    sessions.set(this.#saved, this);
    model.set("tape", this.#saved);
  }
}

/** @type {WeakMap<object, Session>} anywidget hands each view a model of its own; the state of the tape is what they share */
const sessions = new WeakMap();

/** The session of a model, shared by all its views. @param {Model} model */
export function sessionOf(model) {
  const state = /** @type {TapeState} */ (model.get("tape") ?? {});
  const known = sessions.get(state);
  if (known) return known;
  const session = new Session({ ...state, cursor: state.cursor ?? 0 }, model.get("options") ?? {});
  sessions.set(state, session);
  return session;
}
