// @ts-check
import { roleWords } from "./cluster.js";

/**
 * What led to what on the branch on show: who sent which message at which step, when it arrived or was lost, which stretches
 * each server spent in which role and term, and what clients asked for. It grows with the branch and is never made anew.
 */

/** @typedef {import("./tape.js").Tape} Tape */
/** @typedef {import("./tape.js").Step} Step */
/** @typedef {import("./tape.js").Frame} Frame */
/** @typedef {import("./tape.js").Message} Message */
/** @typedef {{depth: number, id: number, lane: string, verb: string, sent: string[], got: string, marks: string[], commits: string[], quiet: boolean}} Happening */
/** @typedef {{id: string, message: Message, from: number, to: number, lost: boolean, beat: boolean}} Arrow to is -1 while it is in flight */
/** @typedef {{from: number, role: string, term: number}} Stretch it lasts until the next one begins */
/** @typedef {{from: number, to: number, point: number, words: string, outcome: string, row: number, index: number, term: number, key: string, server: string}} Operation to and point are -1 while unknown */

export const OPERATION_ROWS = 3;

export class Causality {
  /** @type {number[]} the steps of the branch that are known so far */
  #branch = [];
  /** @type {Happening[]} one per step of the branch */
  events = [];
  /** @type {Map<string, Arrow>} by message */
  arrows = new Map();
  /** @type {Map<string, Stretch[]>} by server, in order of appearance */
  lanes = new Map();
  /** @type {Operation[]} in order of asking */
  operations = [];

  /** Learn the steps that are new on the branch; forget those of a branch that was left. @param {Tape} tape @returns {boolean} whether anything is new */
  follow(tape) {
    const { branch } = tape;
    let same = 0;
    while (same < this.#branch.length && this.#branch[same] === branch[same]) same += 1;
    if (same === branch.length && same === this.#branch.length) return false;
    if (same < this.#branch.length) this.#forget(same);
    for (let depth = same; depth < branch.length; depth += 1) this.#learn(tape, depth, branch[depth] ?? 0);
    return true;
  }

  /** @param {number} depth from here on */
  #forget(depth) {
    this.#branch.length = depth;
    this.events.length = depth;
    for (const [id, arrow] of this.arrows) {
      if (arrow.from >= depth) this.arrows.delete(id);
      else if (arrow.to >= depth) Object.assign(arrow, { to: -1, lost: false });
    }
    for (const [id, stretches] of this.lanes) {
      while ((stretches.at(-1)?.from ?? -1) >= depth) stretches.pop();
      if (!stretches.length) this.lanes.delete(id);
    }
    this.operations = this.operations.filter(({ from }) => from < depth);
    for (const operation of this.operations) {
      if (operation.point >= depth) operation.point = -1;
      if (operation.to >= depth) Object.assign(operation, { to: -1, outcome: "" });
    }
  }

  /** @param {Tape} tape @param {number} depth @param {number} id */
  #learn(tape, depth, id) {
    const step = tape.step(id);
    const frame = tape.frame(id);
    const before = step.parent < 0 ? undefined : tape.frame(step.parent);
    const ended = this.arrows.get(step.message);
    const got = ended && (step.verb === "deliver" || step.verb === "drop") ? step.message : "";
    if (ended && got) Object.assign(ended, { to: depth, lost: step.verb === "drop" });
    const onBeat = step.verb === "heartbeat" || Boolean(got && ended?.beat);
    const sent = this.#send(frame, before, depth, onBeat);
    const lane = step.actor || (got ? (ended?.message.dst ?? "") : "");
    const quiet = onBeat && step.marks.length === 0 && sent.every((message) => this.arrows.get(message)?.beat);
    const commits = [];
    for (const [name, server] of Object.entries(frame.servers)) {
      const old = before?.servers[name];
      if (old === server && this.lanes.has(name)) continue;
      if (old && server.commit_index > old.commit_index) commits.push(name);
      this.#stretch(name, { from: depth, role: roleWords(frame, name), term: server.term });
    }
    this.events.push({ depth, id, lane, verb: step.verb, sent, got, marks: step.marks, commits, quiet: quiet && commits.length === 0 });
    this.#branch.push(id);
    this.#serve(step, frame, depth, commits);
  }

  /** @param {Frame} frame @param {Frame | undefined} before @param {number} depth @param {boolean} onBeat */
  #send(frame, before, depth, onBeat) {
    if (frame.messages === before?.messages) return [];
    const sent = [];
    for (const [id, message] of Object.entries(frame.messages)) {
      if (before?.messages[id]) continue;
      const beat = message.heartbeat || (onBeat && message.kind === "AppendEntriesReply");
      this.arrows.set(id, { id, message, from: depth, to: -1, lost: false, beat });
      sent.push(id);
    }
    return sent;
  }

  /** @param {string} name @param {Stretch} stretch */
  #stretch(name, stretch) {
    const known = this.lanes.get(name);
    const last = known?.at(-1);
    if (!known) this.lanes.set(name, [stretch]);
    else if (last?.role !== stretch.role || last.term !== stretch.term) known.push(stretch);
  }

  /** What clients ask, and what they hear. @param {Step} step @param {Frame} frame @param {number} depth @param {string[]} commits */
  #serve(step, frame, depth, commits) {
    if (step.ask) this.#ask(step, step.ask, depth);
    const open = this.operations.filter(({ to }) => to < 0);
    for (const operation of open) {
      if (operation.point >= 0 || !operation.index) continue;
      const committed = commits.some((name) => {
        const server = frame.servers[name];
        return server && server.commit_index >= operation.index && server.log[operation.index]?.term === operation.term;
      });
      if (committed) operation.point = depth;
    }
    for (const answer of step.answers ?? []) {
      for (const operation of open) {
        const mine = answer.kind === "read" ? operation.key === answer.id : answer.kind === "applied" && operation.index === answer.index && step.actor === operation.server;
        if (!mine || operation.to >= 0) continue;
        const same = answer.kind === "read" || answer.term === operation.term;
        Object.assign(operation, { to: depth, outcome: same ? (answer.what ?? "done") : "lost" });
        if (answer.kind === "read") operation.point = depth;
      }
    }
  }

  /** @param {Step} step @param {{kind: string, what: string, id?: string}} ask @param {number} depth */
  #ask(step, ask, depth) {
    const refused = step.answers?.find(({ kind }) => kind === "rejected");
    const accepted = step.answers?.find(({ kind }) => kind === "accepted");
    const busy = new Set(this.operations.filter(({ to }) => to < 0 || to >= depth - 1).map(({ row }) => row));
    let row = 0;
    while (busy.has(row) && row < OPERATION_ROWS - 1) row += 1;
    this.operations.push({
      from: depth, to: refused ? depth : -1, point: -1, words: ask.what, outcome: refused ? "rejected" : "", row,
      index: accepted?.index ?? 0, term: accepted?.term ?? 0, key: ask.id ?? "", server: step.actor,
    });
  }

  /** The chain of messages that led to a step, and what it has led to so far, two messages on. @param {number} depth @returns {Set<number>} depths */
  around(depth) {
    const found = new Set([depth]);
    for (let at = this.events[depth]; at?.got; ) {
      const from = this.arrows.get(at.got)?.from ?? -1;
      if (found.has(from)) break;
      found.add(from);
      at = this.events[from];
    }
    let last = [depth];
    for (let round = 0; round < 2; round += 1) {
      last = last.flatMap((from) => (this.events[from]?.sent ?? []).map((id) => this.arrows.get(id)?.to ?? -1)).filter((to) => to >= 0);
      for (const to of last) found.add(to);
    }
    return found;
  }
}
