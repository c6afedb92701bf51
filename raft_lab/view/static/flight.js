// @ts-check
import { draw, hueOf, prefersStillness, put, say } from "./dom.js";
import { CENTRE, RING_WIDTH, chordBetween, meeting, pointOn, pushApart, spread } from "./circle.js";
import { messageMark, messageOutline } from "./icons.js";

/** Messages on their way: where each one is, how it got there, and what became of those that are gone. */

/** @typedef {import("./tape.js").Frame} Frame */
/** @typedef {import("./tape.js").Message} Message */
/** @typedef {import("./tape.js").Step} Step */
/** @typedef {import("./circle.js").Point} Point */
/** @typedef {import("./circle.js").Chord} Chord */
/** @typedef {import("./links.js").Links} Links */
/**
 * @typedef {object} Dot
 * @property {string} id @property {SVGGElement} group @property {SVGTextElement} label @property {SVGRectElement} reach @property {SVGPathElement} heading @property {Message | undefined} seen
 * @property {Point} at @property {Point} from @property {Point} to @property {number} fade 0 none, 1 fades, 2 bursts
 * @property {Chord} chord @property {string} way
 */

const LONGEST_FLIGHT_MS = 260;
const BURST = "M-6 -6 6 6M6 -6 -6 6M0 -10V-16M0 10V16M-10 0H-16M10 0H16";
const LABEL_PLACES = /** @type {const} */ ([[14, 4, "start"], [-14, 4, "end"], [0, 24, "middle"], [0, -15, "middle"]]);

export class Flight {
  /** @type {Map<string, Dot>} */
  #dots = new Map();
  /** @type {Dot[]} */
  #leaving = [];
  /** @type {Map<string, Chord>} */
  #chords = new Map();
  /** @type {Frame | undefined} */
  #frame;
  #began = 0;
  #lasts = 0;
  #request = 0;
  #updated = 0;
  #margin = 0;
  /** @type {Map<string, Point>} */
  #seats = new Map();
  #burst = draw("path", { class: "rl-burst", d: BURST, hidden: "" });
  #dotLayer = draw("g");
  layer = draw("g", { class: "rl-messages" }, this.#burst, this.#dotLayer);

  /** @param {(id: string, element: SVGElement) => void} pick @param {Links} links where the walls are */
  constructor(pick, links) {
    this.pick = pick;
    this.links = links;
  }

  close() {
    cancelAnimationFrame(this.#request);
  }

  /** @param {Map<string, Point>} seats @param {number} margin */
  seat(seats, margin) {
    this.#seats = seats;
    this.#chords.clear();
    this.#margin = margin;
    for (const dot of this.#dots.values()) dot.way = "";
  }

  /** @param {string} src @param {string} dst @returns {Chord} */
  #chord(src, dst) {
    const way = `${src}>${dst}`;
    let chord = this.#chords.get(way);
    if (!chord) {
      chord = chordBetween(this.#seats.get(src) ?? CENTRE, this.#seats.get(dst) ?? CENTRE, this.#margin);
      this.#chords.set(way, chord);
    }
    return chord;
  }

  /**
   * Show this frame. Things travel only if `step` led here from the frame shown before.
   * @param {Frame} frame @param {Step | null} step @param {Message} [lost] the message that this step lost
   * @returns {number} how long the flight lasts, in milliseconds
   */
  update(frame, step, lost) {
    const now = performance.now();
    const before = this.#frame;
    for (const dot of this.#leaving) dot.group.remove();
    this.#leaving = [];
    const still = prefersStillness() || !before;
    this.#lasts = still ? 0 : Math.min(LONGEST_FLIGHT_MS, 0.8 * (now - this.#updated));
    this.#updated = now;
    this.#frame = frame;
    for (const [id, dot] of this.#dots) {
      if (frame.messages[id]) continue;
      this.#dots.delete(id);
      this.#leave(dot, id, step);
    }
    this.#mourn(frame, lost);
    let next = this.#dotLayer.firstElementChild;
    for (const [id, message] of Object.entries(frame.messages)) {
      let dot = this.#dots.get(id);
      if (!dot) {
        dot = this.#make(id);
        this.#dots.set(id, dot);
        this.#paint(dot, message);
        dot.at = this.#birthplace(message, step);
      } else if (dot.seen !== message) this.#paint(dot, message);
      dot.from = dot.at;
      if (dot.group === next) next = next.nextElementSibling;
      else this.#dotLayer.insertBefore(dot.group, next);
    }
    this.#aim(frame, frame.time_us);
    this.#placeLabels();
    this.#began = now;
    cancelAnimationFrame(this.#request);
    this.#fly(now);
    return this.#lasts;
  }

  /** While time flows: move on to this moment. @param {number} clock */
  glide(clock) {
    if (!this.#frame || prefersStillness()) return;
    this.#aim(this.#frame, clock);
    if (performance.now() - this.#began >= this.#lasts) this.#fly(this.#began + this.#lasts);
  }

  /** @param {string} id @returns {Dot} */
  #make(id) {
    const label = draw("text", { class: "rl-message-label" });
    const reach = draw("rect", { class: "rl-reach" });
    const heading = draw("path", { class: "rl-heading", d: "M14 -4 19 0 14 4z" });
    const group = draw(
      "g",
      { class: "rl-message", "data-message": id, tabindex: -1, role: "button", "aria-haspopup": "menu" },
      draw("title"), reach, draw("circle", { r: 14, class: "rl-hit" }), draw("path", { class: "rl-outline" }),
      draw("path", { class: "rl-message-mark" }), draw("path", { class: "rl-held", d: "M-2.5 -4V4M2.5 -4V4" }), heading, label,
    );
    group.addEventListener("click", () => this.pick(id, group));
    group.addEventListener("keydown", (event) => {
      if (event.key !== "Enter") return;
      event.preventDefault();
      event.stopPropagation();
      this.pick(id, group);
    });
    const nowhere = { x: 0, y: 0 };
    return { id, group, label, reach, heading, seen: undefined, at: nowhere, from: nowhere, to: nowhere, fade: 0, chord: this.#chord("", ""), way: "" };
  }

  /** @param {Dot} dot @param {Message} message */
  #paint(dot, message) {
    dot.seen = message;
    const [title, , , outline, mark] = /** @type {Element[]} */ ([...dot.group.children]);
    const words = `${message.src} → ${message.dst}: ${message.text}${message.held ? " (held)" : ""}`;
    if (title) say(title, words);
    put(dot.group, "aria-label", words);
    put(dot.group, "data-hue", hueOf(message.term));
    put(dot.group, "data-held", message.held ? "true" : null);
    put(dot.group, "data-kind", message.kind);
    put(dot.group, "data-src", message.src);
    put(dot.group, "data-dst", message.dst);
    if (outline) put(outline, "d", messageOutline(message.kind, message.heartbeat));
    if (outline) put(outline, "class", message.reply ? "rl-outline rl-reply" : "rl-outline rl-request");
    if (mark) put(mark, "d", messageMark(message));
    say(dot.label, message.label);
    put(dot.heading, "transform", `rotate(${((this.#angle(message) * 180) / Math.PI).toFixed(1)})`);
  }

  /** The direction of its way. @param {Message} message */
  #angle({ src, dst }) {
    const from = this.#seats.get(src) ?? CENTRE;
    const to = this.#seats.get(dst) ?? CENTRE;
    return Math.atan2(to.y - from.y, to.x - from.x);
  }

  /** How far a message gets: to the wall, if its link is cut. @param {Message} message @param {Frame} frame */
  #limit({ src, dst }, frame) {
    return frame.cuts[`${src}>${dst}`] ? meeting(this.#chord(src, dst), this.links.wallOf(src, dst)) : 0.85;
  }

  /** Where a message ends that is lost: at the wall, at the door of a crashed server, or wherever it is. @param {Message} message @param {Frame} frame */
  #end(message, frame) {
    const down = frame.servers[message.dst]?.crashed ?? false;
    const cut = frame.cuts[`${message.src}>${message.dst}`];
    const part = cut ? this.#limit(message, frame) : down ? 0.95 : Math.min(0.85, Math.max(0.15, wayDone(message, frame.time_us)));
    return pointOn(this.#chord(message.src, message.dst), part, 0);
  }

  /** A mark stays where a message was lost, as long as that step is on screen. @param {Frame} frame @param {Message} [lost] */
  #mourn(frame, lost) {
    this.#burst.toggleAttribute("hidden", !lost);
    if (!lost) return;
    const { x, y } = this.#end(lost, frame);
    put(this.#burst, "transform", `translate(${x.toFixed(1)} ${y.toFixed(1)})`);
  }

  /** Where a new dot comes from: its sender, or the original of which it is a copy. @param {Message} message @param {Step | null} step */
  #birthplace(message, step) {
    const original = step?.verb === "duplicate" ? this.#dots.get(step.message) : undefined;
    if (original) return original.at;
    if (step) return this.#seats.get(message.src) ?? CENTRE;
    const chord = this.#chord(message.src, message.dst);
    return pointOn(chord, 0.15, 0);
  }

  /** @param {Dot} dot @param {string} id @param {Step | null} step */
  #leave(dot, id, step) {
    const message = dot.seen;
    if (this.#lasts === 0 || !step || !message) {
      dot.group.remove();
      return;
    }
    dot.from = dot.at;
    dot.to = dot.at;
    dot.fade = 1;
    if (step.message === id && step.verb === "deliver") {
      dot.to = this.#seats.get(message.dst) ?? dot.at;
      dot.fade = 0;
    } else if (step.message === id && step.verb === "drop") {
      dot.fade = 2;
      if (this.#frame) dot.to = this.#end(message, this.#frame);
    }
    dot.label.setAttribute("visibility", "hidden");
    this.#leaving.push(dot);
  }

  /** Set the destination of every dot for this moment. @param {Frame} frame @param {number} clock */
  #aim(frame, clock) {
    /** @type {Map<string, Dot[]>} */
    const ways = new Map();
    for (const dot of this.#dots.values()) {
      const message = /** @type {Message} */ (dot.seen);
      dot.way ||= `${message.src}>${message.dst}`;
      const row = ways.get(dot.way);
      if (row) row.push(dot);
      else ways.set(dot.way, [dot]);
    }
    for (const row of ways.values()) {
      const first = /** @type {Message} */ (row[0]?.seen);
      const chord = this.#chord(first.src, first.dst);
      const parts = row.map((dot) => wayDone(/** @type {Message} */ (dot.seen), clock));
      const limit = this.#limit(first, frame);
      const places = spread(parts, chord.length, limit < 0.85 ? Math.max(0.1, limit - 13 / Math.max(60, chord.length)) : 0.85);
      for (const [index, place] of places.entries()) {
        const dot = row[index];
        if (dot) dot.to = pointOn(chord, place.part, place.lane);
      }
    }
    const [left = 0, top = 0, right = 0, bottom = 0] = this.links.label;
    for (const { to } of right ? this.#dots.values() : []) { // nothing lies on the word "partition"
      if (to.x < left - 10 || to.x > right + 10 || to.y < top - 10 || to.y > bottom + 10) continue;
      to.y = to.y < (top + bottom) / 2 ? top - 12 : bottom + 12;
    }
    pushApart([...this.#dots.values()].map((dot) => dot.to), [...this.#seats.values()], this.#margin + 7);
  }

  /** One picture of the flight. @param {number} now */
  #fly(now) {
    const part = this.#lasts ? Math.min(1, (now - this.#began) / this.#lasts) : 1;
    const eased = 1 - (1 - part) ** 3;
    for (const dot of this.#dots.values()) moveDot(dot, eased);
    for (const dot of this.#leaving) {
      moveDot(dot, eased);
      if (dot.fade) put(dot.group, "opacity", (1 - part).toFixed(2));
      if (dot.fade === 2) put(dot.group, "transform", `${dot.group.getAttribute("transform")} scale(${(1 + part).toFixed(2)})`);
      if (part === 1) dot.group.remove();
    }
    if (part === 1) this.#leaving = [];
    else this.#request = requestAnimationFrame((later) => this.#fly(Math.max(later, now)));
  }

  /** Write each label on the first free side of its dot; a label without a place is shown on hover only. */
  #placeLabels() {
    /** @type {number[][]} boxes taken: left, top, right, bottom */
    const taken = [...this.#seats.values()].map(({ x, y }) => [x - 44, y - 44, x + 44, y + 44]);
    for (const { x, y } of this.#seats.values()) {
      const edge = y < CENTRE.y ? y - this.#margin - 17 : y + this.#margin;
      taken.push([x - 42, edge, x + 42, edge + 17]);
    }
    if (this.links.label.length) taken.push(this.links.label);
    for (const { x, y } of this.links.wall) taken.push([x - 5, y - 5, x + 5, y + 5]);
    for (const { to } of this.#dots.values()) taken.push([to.x - 10, to.y - 10, to.x + 10, to.y + 10]);
    for (const dot of this.#dots.values()) {
      const wide = 7 * (dot.seen?.label.length ?? 0);
      const turn = dot.seen ? this.#angle(dot.seen) : 0;
      const free = LABEL_PLACES.find(([dx, dy, anchor]) => {
        const ahead = anchor === "middle" ? Math.sin(turn) * Math.sign(dy) : Math.cos(turn) * Math.sign(dx);
        if (ahead > 0.8) return false; // the arrow head points there
        const left = dot.to.x + dx - (anchor === "end" ? wide : anchor === "middle" ? wide / 2 : 0);
        const top = dot.to.y + dy - 10;
        const box = [left, top, left + wide, top + 13];
        const clear = left > 0 && left + wide < RING_WIDTH && !taken.some((other) => overlaps(box, other));
        if (clear) taken.push(box);
        return clear;
      });
      const [dx, dy, anchor] = free ?? LABEL_PLACES[3];
      const left = anchor === "end" ? dx - wide : anchor === "middle" ? -wide / 2 : 0;
      put(dot.reach, "x", left);
      put(dot.reach, "y", dy - 10);
      put(dot.reach, "width", free ? wide + Math.abs(dx) : 0);
      put(dot.reach, "height", 13);
      put(dot.label, "x", dx);
      put(dot.label, "y", dy);
      put(dot.label, "text-anchor", anchor);
      put(dot.label, "data-crowded", free ? null : "true");
    }
  }
}

/** What part of its way a message has behind it. @param {Message} message @param {number} clock */
export function wayDone(message, clock) {
  const whole = message.due_us - message.sent_us;
  return whole > 0 ? (clock - message.sent_us) / whole : 0;
}

/** @param {Dot} dot @param {number} part */
function moveDot(dot, part) {
  dot.at = { x: dot.from.x + (dot.to.x - dot.from.x) * part, y: dot.from.y + (dot.to.y - dot.from.y) * part };
  put(dot.group, "transform", `translate(${dot.at.x.toFixed(1)} ${dot.at.y.toFixed(1)})`);
}

/** @param {number[]} a @param {number[]} b */
function overlaps([al = 0, at = 0, ar = 0, ab = 0], [bl = 0, bt = 0, br = 0, bb = 0]) {
  return al < br && bl < ar && at < bb && bt < ab;
}
