// @ts-check
import { draw, hueOf, keep, make, put, say } from "./dom.js";
import { Clashes } from "./clashes.js";
import { Moments } from "./moments.js";
import { seconds } from "./record.js";
import { BARS, POD_ROW, TIMES_LINE, TOP, layerRows } from "./rows.js";

/** Four layers on one axis of time: who may lead, believes to lead and works; what was written; what the API was asked; etcd; Raft. */

/** @typedef {import("./record.js").ElectionRecord} ElectionRecord */
/** @typedef {import("./record.js").Span} Span */
/** @typedef {import("./record.js").Overlap} Overlap */
/** @typedef {import("./rows.js").Row} Row */

const FOOT = 2;
/** States of a pod cover its whole row. */
const STATES = new Set(["paused", "down", "cut"]);

let pictures = 0;

export class Reigns {
  /** @type {Map<string, Row>} */
  #rows = new Map();
  /** @type {Map<string, {group: SVGGElement, rect: SVGRectElement, text: SVGTextElement}>} */
  #bars = new Map();
  /** @type {Map<string, {group: SVGGElement, line: SVGLineElement, text: SVGTextElement}>} */
  #times = new Map();
  #layers = { ground: draw("g"), times: draw("g"), bands: draw("g"), bars: draw("g"), hot: draw("g"), marks: draw("g"), words: draw("g"), flags: draw("g") };
  #now = draw("line", { class: "el-now", y1: TIMES_LINE + 4 });
  #height = 0;
  #width = 600;
  #id = `el-${(pictures += 1)}-${Math.random().toString(36).slice(2, 8)}`;
  #observer;
  #from = 0;
  #window = 60e6;

  /** @param {ElectionRecord} record @param {(t: number) => void} look @param {() => void} again */
  constructor(record, look, again) {
    const hatch = (/** @type {string} */ name, /** @type {number} */ gap, /** @type {string} */ turn) =>
      draw("pattern", { id: `${this.#id}-${name}`, width: gap, height: gap, patternUnits: "userSpaceOnUse", patternTransform: `rotate(${turn})` }, draw("line", { x1: 0, y1: 0, x2: 0, y2: gap, class: `el-hatch-${name}` }));
    const defs = draw("defs", {}, hatch("believes", 5, "45"), hatch("clash", 5, "-45"));
    this.svg = draw("svg", { class: "el-lanes", role: "img" }, defs, ...Object.values(this.#layers));
    this.#layers.flags.before(this.#now);
    this.element = make("div", { class: "el-chart" }, this.svg);
    this.#place(record);
    this.moments = new Moments(this.#layers.marks, this.#layers.words);
    this.clashes = new Clashes(this.#layers.bands, this.#layers.hot, this.#layers.flags, `${this.#id}-clash`);
    this.svg.addEventListener("pointerdown", (event) => {
      this.svg.setPointerCapture(event.pointerId);
      look(this.#timeAt(event));
    });
    this.svg.addEventListener("pointermove", (event) => event.buttons && look(this.#timeAt(event)));
    this.#observer = new ResizeObserver(([entry]) => {
      const width = Math.round(entry?.contentRect.width ?? 0);
      if (!width || width === this.#width) return;
      this.#width = width;
      again();
    });
    this.#observer.observe(this.element);
  }

  close() {
    this.#observer.disconnect();
  }

  /** Each lane has its row. @param {ElectionRecord} record */
  #place(record) {
    let y = TOP;
    const rows = /** @type {[string, number][]} */ ([...record.picture.pods.map((pod) => [pod, POD_ROW]), ...Object.entries(layerRows(record.picture.pods.length))]);
    for (const [lane, height] of rows) {
      this.#rows.set(lane, { y, height });
      this.#layers.ground.append(draw("line", { class: "el-rule", x1: 0, x2: "100%", y1: y + height, y2: y + height }));
      y += height;
    }
    this.#height = y + FOOT;
    put(this.svg, "height", this.#height);
    put(this.#now, "y2", y);
  }

  /** @param {PointerEvent} event */
  #timeAt(event) {
    const x = event.clientX - this.svg.getBoundingClientRect().x;
    return this.#from + (x / this.#width) * this.#window;
  }

  /** @param {number} t */
  #x(t) {
    return ((t - this.#from) / this.#window) * this.#width;
  }

  /** @param {ElectionRecord} record @param {number} t up to when @param {number} window how much time is in sight, in microseconds */
  update(record, t, window) {
    this.#window = window;
    this.#from = Math.max(0, Math.min(t - window * 0.94, Math.max(0, record.now - window * 0.94)));
    put(this.svg, "viewBox", `0 0 ${this.#width} ${this.#height}`);
    put(this.#now, "x1", this.#x(t).toFixed(1));
    put(this.#now, "x2", this.#x(t).toFixed(1));
    this.#drawTimes();
    this.#drawBars(record, t);
    const scale = { x: (/** @type {number} */ us) => this.#x(us), from: this.#from, window, width: this.#width, rows: this.#rows };
    this.moments.update(record, t, scale);
    this.clashes.update(record, t, scale);
    put(this.svg, "aria-label", `Timeline up to ${seconds(t)}. ${record.sentence(t).text}`);
  }

  #drawTimes() {
    const gap = [1, 2, 5, 10, 20, 60].find((s) => ((s * 1e6) / this.#window) * this.#width > 52) ?? 60;
    const first = Math.ceil(this.#from / 1e6 / gap) * gap;
    const keys = [];
    for (let s = first; s * 1e6 <= this.#from + this.#window; s += gap) keys.push(String(s));
    const create = () => {
      const [line, text] = [draw("line", { class: "el-grid", y1: TIMES_LINE + 4, y2: this.#height - FOOT }), draw("text", { class: "el-time", y: TIMES_LINE })];
      return { group: draw("g", {}, line, text), line, text };
    };
    keep(this.#layers.times, this.#times, keys, create, ({ group }) => group);
    for (const [key, { line, text }] of this.#times) {
      const x = this.#x(Number(key) * 1e6);
      put(line, "x1", x.toFixed(1));
      put(line, "x2", x.toFixed(1));
      put(text, "x", Math.max(10, Math.min(this.#width - 14, x)).toFixed(1));
      say(text, `${key} s`);
    }
  }

  /** @param {ElectionRecord} record @param {number} t */
  #drawBars(record, t) {
    /** @type {Map<string, Span>} */
    const seen = new Map();
    for (const span of record.spans) {
      if (span.from >= t || (span.to ?? t) < this.#from || !this.#rows.has(span.lane)) continue;
      seen.set(`${span.lane} ${span.what} ${span.from}`, span);
    }
    const order = [...seen.keys()].sort((a, b) => Number(STATES.has(seen.get(b)?.what ?? "")) - Number(STATES.has(seen.get(a)?.what ?? "")));
    const create = () => {
      const [rect, text] = [draw("rect", { rx: 2 }), draw("text", { class: "el-bar-text" })];
      return { group: draw("g", {}, rect, text), rect, text };
    };
    keep(this.#layers.bars, this.#bars, order, create, ({ group }) => group);
    const clashes = [...record.overlaps("believes"), ...record.overlaps("works")];
    for (const [key, bar] of this.#bars) {
      const span = seen.get(key);
      if (span) this.#paintBar(bar, span, t, clashes);
    }
  }

  /** @param {{group: SVGGElement, rect: SVGRectElement, text: SVGTextElement}} bar @param {Span} span @param {number} t @param {Overlap[]} clashes */
  #paintBar({ group, rect, text }, span, t, clashes) {
    const row = this.#rows.get(span.lane) ?? { y: 0, height: 0 };
    const state = STATES.has(span.what);
    const place = state ? { y: 1, height: row.height - 2, label: "" } : BARS[span.what] ?? { y: 4, height: row.height - 8, label: "" };
    const [left, right] = [Math.max(-3, this.#x(span.from)), this.#x(Math.min(span.to ?? t, t))];
    const width = Math.max(1.5, right - left);
    put(group, "class", "el-bar");
    put(group, "data-what", span.what);
    put(group, "data-hue", span.what === "leads" ? hueOf(span.term) : null);
    put(rect, "x", left.toFixed(1));
    put(rect, "width", width.toFixed(1));
    put(rect, "y", row.y + place.y);
    put(rect, "height", place.height);
    put(rect, "fill", span.what === "believes" ? `url(#${this.#id}-believes)` : null);
    const words = span.text || place.label;
    const [free, end] = this.#freeOf(clashes.filter(({ what, lanes }) => what === span.what && lanes.includes(span.lane)), Math.max(0, left), right);
    put(text, "x", (free + 5).toFixed(1));
    put(text, "y", row.y + (span.what === "cut" ? row.height - 3 : state ? row.height - 15 : place.y + place.height / 2 + 4));
    say(text, end - free > words.length * 6.9 + 8 ? words : "");
  }

  /** The first stretch of a bar that no alarm is painted over. @param {Overlap[]} clashes by time @param {number} left @param {number} right @returns {[left: number, right: number]} */
  #freeOf(clashes, left, right) {
    for (const { from, to } of clashes) {
      const [begin, end] = [this.#x(from), this.#x(to)];
      if (end <= left || begin >= right) continue;
      if (begin > left + 1) return [left, begin];
      left = end;
    }
    return [left, right];
  }
}
