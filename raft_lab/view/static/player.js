// @ts-check
/**
 * Playing: time flows between one step and the next, messages glide and timers run down. At the end of a recorded run
 * it stops; from the end on, the kernel is asked for more a little ahead of time.
 */

/** @typedef {import("./session.js").Session} Session */
/** @typedef {import("./tape.js").Frame} Frame */

const REAL_MS_PER_VIRTUAL_MS = 50;
const SHORTEST_MS = 320;
const LONGEST_MS = 1400;
const AHEAD_MS = 250;

/** When something is due next, as far as this frame tells. @param {Frame} frame */
export function nextDue(frame) {
  let due = Infinity;
  for (const message of Object.values(frame.messages)) {
    if (!message.held) due = Math.min(due, message.due_us);
  }
  for (const server of Object.values(frame.servers)) {
    if (server.timer.kind) due = Math.min(due, server.timer.due_us);
  }
  return due === Infinity ? frame.time_us : Math.max(due, frame.time_us);
}

export class Player {
  #request = 0;
  #began = 0;
  #from = -1;
  /** Did it begin in the recorded past? Then it ends where the record ends. */
  #replays = false;

  /** @param {Session} session */
  constructor(session) {
    this.session = session;
  }

  start() {
    cancelAnimationFrame(this.#request);
    this.#from = -1;
    this.#replays = !this.session.atTip;
    this.#request = requestAnimationFrame((now) => this.#tick(now));
  }

  /** The time at which this step's successor happens: recorded, or foretold by the frame. */
  #until() {
    const { session } = this;
    const next = session.tape.after(session.cursor);
    return next >= 0 ? session.tape.frame(next).time_us : nextDue(session.frame);
  }

  /** How long the step on screen stays there. */
  #stay() {
    const virtual = (this.#until() - this.session.frame.time_us) / 1000;
    const real = Math.min(LONGEST_MS, Math.max(SHORTEST_MS, virtual * REAL_MS_PER_VIRTUAL_MS));
    return real / this.session.speed;
  }

  /** @param {number} now */
  #tick(now) {
    const { session } = this;
    if (!session.playing) return;
    if (this.#from !== session.cursor) {
      this.#from = session.cursor;
      this.#began = now;
    }
    const stay = this.#stay();
    const elapsed = now - this.#began;
    const next = session.tape.after(session.cursor);
    this.#askAhead(stay, stay - elapsed);
    if (elapsed >= stay && next >= 0) {
      session.go(next);
      this.#from = next;
      this.#began = now - Math.min(elapsed - stay, 50); // what was lost between two pictures is made good
      if (session.justBroken || (this.#replays && session.atTip)) return session.pause(); // the moment to look at
    } else if (next < 0 && session.kernel === "silent") {
      session.pause();
      return;
    }
    session.tell("glide");
    this.#request = requestAnimationFrame((later) => this.#tick(later));
  }

  /** @param {number} stay @param {number} left */
  #askAhead(stay, left) {
    const { session } = this;
    const ahead = session.tape.branch.length - 1 - session.tape.depth(session.cursor);
    const buffered = Math.max(0, left) + ahead * stay;
    if (this.#replays || session.kernel === "silent" || session.waiting || buffered > AHEAD_MS) return;
    session.askAhead(Math.max(1, Math.floor((AHEAD_MS - buffered) / stay)));
  }

  /** The virtual time on show: that of the step, or somewhere on the way to the next one. */
  clock() {
    const { session } = this;
    const time = session.frame.time_us;
    if (!session.playing || this.#from !== session.cursor) return time;
    const part = Math.min(1, (performance.now() - this.#began) / this.#stay());
    return time + (this.#until() - time) * Math.max(0, part);
  }
}
