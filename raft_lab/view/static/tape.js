// @ts-check
/**
 * The tape: every step that ever happened, as a tree. Frames are unfolded from patches when they are first looked
 * at, and share all that did not change with their parent's, so that "same object" means "nothing to repaint".
 */

/** @typedef {{term: number, text: string, kind: string}} Entry */
/** @typedef {{next_index: number, match_index: number, acked_round?: number}} Progress */
/**
 * @typedef {object} Server
 * @property {string} role @property {boolean} crashed @property {number} term @property {string} voted_for
 * @property {string} leader_id @property {Record<string, boolean>} votes @property {Record<string, Entry>} log
 * @property {number} first_index @property {number} last_index @property {number} commit_index
 * @property {number} last_applied @property {Record<string, Progress>} progress
 * @property {{kind: string, from_us: number, due_us: number}} timer @property {Record<string, string>} can
 * @property {number} [durable_index] @property {number} [waiting] messages that wait for the disk
 * @property {{index: number, term: number, configuration: string}} [snapshot] what its log stands on
 * @property {Record<string, number>} [reads] at a leader, reads under way, with the round of heartbeats that each waits for
 * @property {Record<string, string>} [machine] @property {number} [round] the latest round that a read asked for
 * @property {string} [configuration] @property {Record<string, string>} [sessions] @property {Record<string, string>} [extra]
 * @property {Record<string, number>} [due] when each of its timers runs out, by what it does then
 */
/**
 * @typedef {object} Message
 * @property {string} kind @property {string} src @property {string} dst @property {number} term
 * @property {boolean} reply @property {boolean} ok @property {boolean} heartbeat @property {string} label
 * @property {string} text @property {Record<string, string>} fields @property {number} sent_us
 * @property {number} due_us @property {boolean} held @property {Record<string, string>} can
 */
/**
 * @typedef {object} Frame
 * @property {number} time_us @property {Record<string, Server>} servers @property {Record<string, Message>} messages
 * @property {Record<string, boolean>} cuts @property {{voters: string[], old: string[], learners: string[]}} quorum
 * @property {Record<string, string>} invariants @property {string} next
 * @property {import("./store.js").Store} [store] its key-value store, if it is one
 * @property {string} [modified] how the run differs from one of Raft @property {Record<string, boolean>} [rules] which are on
 */
/**
 * @typedef {object} Step
 * @property {number} id @property {number} parent @property {Frame} [frame] @property {unknown} [patch]
 * @property {string} verb @property {string} actor @property {string} message @property {string} sentence
 * @property {string} rule @property {string} section @property {string} code @property {string[]} marks
 * @property {{kind: "propose" | "read", what: string, id?: string}} [ask] what a client asked for at this step
 * @property {{kind: "accepted" | "rejected" | "applied" | "read", index?: number, term?: number, what?: string, id?: string}[]} [answers]
 * @property {string} [share] what a share string says of it @property {boolean} [timed]
 */

/** @param {unknown} value @returns {value is Record<string, unknown>} */
function isRecord(value) {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/**
 * JSON merge patch (RFC 7396) that never writes into its base: what the patch leaves alone is the same object as before.
 * @param {unknown} base @param {unknown} patch @returns {unknown}
 */
export function merged(base, patch) {
  if (!isRecord(patch)) return patch;
  const from = isRecord(base) ? base : {};
  /** @type {Record<string, unknown> | undefined} */
  let copy;
  for (const key of Object.keys(patch)) {
    const value = patch[key];
    if (value === null) {
      if (Object.hasOwn(from, key)) delete (copy ??= { ...from })[key];
    } else {
      const next = merged(from[key], value);
      if (next !== from[key]) (copy ??= { ...from })[key] = next;
    }
  }
  return copy ?? from;
}

export class Tape {
  /** @type {Frame[]} frames already unfolded, by step id */
  #frames = [];
  /** @type {number[][]} */
  #children = [];
  /** @type {number[]} */
  #depths = [];
  /** @type {Map<string, number[]>} steps by mark */
  #marked = new Map();
  /** @type {number[]} the branch on show: step ids from the root to a tip, by depth */
  branch = [];

  /** @param {Step[]} steps in order; of a cluster that runs for hours the oldest ones are missing */
  constructor(steps) {
    this.first = steps[0]?.id ?? 0;
    /** @type {Step[]} by id */
    this.steps = this.first ? [] : steps;
    for (const step of steps) {
      this.steps[step.id] = step;
      this.#index(step);
    }
  }

  /** The steps from this one on, which is the beginning then. @param {number} first @returns {Step[]} */
  from(first) {
    const [start, ...rest] = this.steps.slice(first);
    return start ? [{ ...start, parent: -1, frame: this.frame(first), patch: undefined }, ...rest] : [];
  }

  get size() {
    return this.steps.length;
  }

  /** Take over what the kernel sent. False when steps are missing in between.
   * @param {Step[]} steps */
  add(steps) {
    for (const step of steps) {
      if (step.id < this.size) continue;
      if (step.id > this.size) return false;
      this.steps.push(step);
      this.#index(step);
    }
    return true;
  }

  /** @param {Step} step */
  #index(step) {
    this.#children[step.id] = [];
    this.#depths[step.id] = step.parent < 0 ? 0 : this.depth(step.parent) + 1;
    if (step.parent >= 0) this.children(step.parent).push(step.id);
    for (const mark of step.marks) {
      const known = this.#marked.get(mark);
      if (known) known.push(step.id);
      else this.#marked.set(mark, [step.id]);
    }
  }

  /** @param {number} id @returns {Step} */
  step(id) {
    const step = this.steps[id];
    if (!step) throw new RangeError(`The tape has no step ${id}.`);
    return step;
  }

  /** @param {number} id */
  has(id) {
    return id >= this.first && id < this.size;
  }

  /** @param {number} id */
  depth(id) {
    return this.#depths[id] ?? 0;
  }

  /** @param {number} id @returns {number[]} */
  children(id) {
    return this.#children[id] ?? [];
  }

  /** @param {number} id @returns {number[]} the step and its siblings, oldest first */
  siblings(id) {
    const parent = this.step(id).parent;
    return parent < 0 ? [id] : this.children(parent);
  }

  /** @param {number} id @returns {Frame} */
  frame(id) {
    const way = [];
    let at = id;
    while (!this.#frames[at] && !this.step(at).frame) {
      way.push(at);
      at = this.step(at).parent;
    }
    let frame = (this.#frames[at] ??= /** @type {Frame} */ (this.step(at).frame));
    for (const below of way.reverse()) {
      frame = this.#frames[below] = /** @type {Frame} */ (merged(frame, this.step(below).patch));
    }
    return frame;
  }

  /** @param {number} id @returns {number[]} step ids from the root to this step */
  path(id) {
    const way = [];
    for (let at = id; at >= 0; at = this.step(at).parent) way.push(at);
    return way.reverse();
  }

  /** Put the branch on show that runs through this step. The branch already on show is kept if it does.
   * @param {number} id */
  choose(id) {
    if (this.branch[this.depth(id)] !== id) this.branch = this.path(id);
    this.#extend();
  }

  #extend() {
    let tip = this.branch[this.branch.length - 1] ?? this.first;
    for (let next = this.children(tip).at(-1); next !== undefined; next = this.children(tip).at(-1)) {
      this.branch.push(next);
      tip = next;
    }
  }

  /** The recorded step after this one on the branch on show, or -1. @param {number} id */
  after(id) {
    const next = this.branch[this.depth(id) + 1];
    return next !== undefined && this.step(next).parent === id ? next : -1;
  }

  /** What this step says of the servers: all, where it carries its whole frame. @param {number} id
   * @returns {Record<string, Partial<Server>>} */
  changedServers(id) {
    const { frame, patch } = this.step(id);
    if (frame) return frame.servers;
    return /** @type {{servers?: Record<string, Partial<Server>>}} */ (patch)?.servers ?? {};
  }

  /** Forget the steps from this one on: they never happened. @param {number} from */
  cut(from) {
    for (const step of this.steps.splice(from)) {
      const siblings = this.#children[step.parent];
      if (siblings) this.#children[step.parent] = siblings.filter((id) => id !== step.id);
      for (const mark of step.marks) this.#marked.set(mark, (this.#marked.get(mark) ?? []).filter((id) => id < from));
    }
    for (const known of [this.#frames, this.#children, this.#depths]) known.length = Math.min(known.length, from);
    this.branch = this.branch.filter((id) => id < from);
  }

  /** The nearest step with this mark before or after this one on the branch on show, or -1.
   * @param {number} id @param {string} mark @param {1 | -1} way */
  marked(id, mark, way) {
    for (let depth = this.depth(id) + way; depth >= 0 && depth < this.branch.length; depth += way) {
      const at = this.branch[depth] ?? -1;
      if (this.step(at).marks.includes(mark)) return at;
    }
    return -1;
  }

  /** The newest step anywhere that has this mark, or -1. @param {string} mark */
  lastMarked(mark) {
    const found = this.#marked.get(mark);
    return found?.at(-1) ?? -1;
  }

  /** The last step of every branch, in order of discovery. @returns {number[]} */
  tips() {
    return this.steps.filter(({ id }) => this.children(id).length === 0).map(({ id }) => id);
  }

  /** The last step that two branches have in common. @param {number} one @param {number} other */
  fork(one, other) {
    const [a, b] = [this.path(one), this.path(other)];
    let depth = 0;
    while (depth + 1 < Math.min(a.length, b.length) && a[depth + 1] === b[depth + 1]) depth += 1;
    return a[depth] ?? 0;
  }

  /** The first step of the run of steps, up to this one, in which an invariant is broken.
   * @param {number} id @param {string} name */
  brokenSince(id, name) {
    let first = id;
    for (let at = id; at >= 0 && this.frame(at).invariants[name]; at = this.step(at).parent) first = at;
    return first;
  }
}
