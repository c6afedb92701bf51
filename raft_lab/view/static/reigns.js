// @ts-check
import { draw, hueOf, keep, make, put, say } from "./dom.js";
import { seconds } from "./record.js";

/** Four layers on one axis of time: who may lead, believes to lead and works; what was written; what the API was asked; etcd; Raft. */

/** @typedef {import("./record.js").ElectionRecord} ElectionRecord */
/** @typedef {import("./record.js").Span} Span */
/** @typedef {import("./record.js").Mark} Mark */
/** @typedef {{y: number, height: number}} Row */

export const POD_ROW = 68;
export const ROWS = { resource: 50, api: 40, etcd: 30, raft: 40 };
const TOP = 20;
const FOOT = 4;
/** Where in a pod's row each kind of span is painted. @type {Record<string, {y: number, height: number, label: string}>} */
const BARS = {
  may: { y: 5, height: 15, label: "lease valid" },
  believes: { y: 24, height: 15, label: "believes" },
  works: { y: 43, height: 18, label: "works" },
};
/** States of a pod cover its whole row. */
const STATES = new Set(["paused", "down", "cut"]);

let pictures = 0;

export class Reigns {
  /** @type {Map<string, Row>} */
  #rows = new Map();
  /** @type {Map<string, {group: SVGGElement, rect: SVGRectElement, text: SVGTextElement}>} */
  #bars = new Map();
  /** @type {Map<string, {group: SVGGElement, path: SVGPathElement, text: SVGTextElement, title: SVGTitleElement}>} */
  #marks = new Map();
  /** @type {Map<string, {group: SVGGElement, rect: SVGRectElement, text: SVGTextElement, title: SVGTitleElement}>} */
  #clashes = new Map();
  /** @type {Map<string, {group: SVGGElement, line: SVGLineElement, text: SVGTextElement}>} */
  #times = new Map();
  #layers = { ground: draw("g"), times: draw("g"), bars: draw("g"), marks: draw("g"), clashes: draw("g") };
  #now = draw("line", { class: "el-now", y1: TOP - 4 });
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
    const defs = draw("defs", {}, hatch("believes", 5, "45"), hatch("clash", 7, "-45"), hatch("paused", 9, "45"));
    this.svg = draw("svg", { class: "el-lanes", role: "img" }, defs, ...Object.values(this.#layers), this.#now);
    this.element = make("div", { class: "el-chart" }, this.svg);
    this.#place(record);
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
    const rows = /** @type {[string, number][]} */ ([...record.picture.pods.map((pod) => [pod, POD_ROW]), ...Object.entries(ROWS)]);
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
    this.#drawMarks(record, t);
    this.#drawClashes(record, t);
    put(this.svg, "aria-label", `Timeline up to ${seconds(t)}. ${record.sentence(t).text}`);
  }

  #drawTimes() {
    const gap = [1, 2, 5, 10, 20, 60].find((s) => ((s * 1e6) / this.#window) * this.#width > 52) ?? 60;
    const first = Math.ceil(this.#from / 1e6 / gap) * gap;
    const keys = [];
    for (let s = first; s * 1e6 <= this.#from + this.#window; s += gap) keys.push(String(s));
    const create = () => {
      const [line, text] = [draw("line", { class: "el-grid", y1: TOP, y2: this.#height - FOOT }), draw("text", { class: "el-time", y: 12 })];
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
    for (const [key, bar] of this.#bars) {
      const span = seen.get(key);
      if (span) this.#paintBar(bar, span, t);
    }
  }

  /** @param {{group: SVGGElement, rect: SVGRectElement, text: SVGTextElement}} bar @param {Span} span @param {number} t */
  #paintBar({ group, rect, text }, span, t) {
    const row = this.#rows.get(span.lane) ?? { y: 0, height: 0 };
    const state = STATES.has(span.what);
    const place = state ? { y: 1, height: row.height - 2, label: "" } : BARS[span.what] ?? { y: 8, height: row.height - 16, label: "" };
    const [left, right] = [Math.max(-3, this.#x(span.from)), this.#x(Math.min(span.to ?? t, t))];
    const width = Math.max(1.5, right - left);
    put(group, "class", "el-bar");
    put(group, "data-what", span.what);
    put(group, "data-hue", span.what === "leads" ? hueOf(span.term) : null);
    put(rect, "x", left.toFixed(1));
    put(rect, "width", width.toFixed(1));
    put(rect, "y", row.y + place.y);
    put(rect, "height", place.height);
    put(rect, "fill", span.what === "paused" || span.what === "believes" ? `url(#${this.#id}-${span.what})` : null);
    const words = span.text || place.label;
    put(text, "x", (Math.max(0, left) + 5).toFixed(1));
    put(text, "y", row.y + (state ? row.height - 7 : place.y + place.height / 2 + 4));
    say(text, right - Math.max(0, left) > words.length * 6.9 + 8 ? words : "");
  }

  /** @param {ElectionRecord} record @param {number} t */
  #drawMarks(record, t) {
    /** @type {Map<string, Mark>} */
    const seen = new Map();
    for (const [number, mark] of record.picture.marks.entries()) {
      if (mark.at > t || mark.at < this.#from || !this.#rows.has(mark.lane)) continue;
      seen.set(`${number}`, mark);
    }
    const create = () => {
      const [path, text, title] = [draw("path"), draw("text", { class: "el-mark-text" }), draw("title")];
      return { group: draw("g", { class: "el-mark" }, title, path, text), path, text, title };
    };
    keep(this.#layers.marks, this.#marks, [...seen.keys()], create, ({ group }) => group);
    /** @type {Record<string, number>} */
    const ends = {};
    for (const [key, { group, path, text, title }] of this.#marks) {
      const mark = seen.get(key);
      if (!mark) continue;
      const row = this.#rows.get(mark.lane) ?? { y: 0, height: 0 };
      const inside = mark.what === "accepted" || mark.what === "rejected";
      const pods = record.picture.pods;
      const down = inside ? ((pods.indexOf(mark.pod) + 0.5) / pods.length) * (row.height - 4) + 2 : mark.what === "saw" ? row.height - 5 : row.height / 2;
      const [x, y] = [this.#x(mark.at), row.y + down];
      put(group, "data-what", mark.what);
      put(group, "data-pod", mark.pod);
      put(group, "transform", `translate(${x.toFixed(1)} ${y})`);
      put(path, "d", OUTLINES[mark.what] ?? OUTLINES.update ?? "");
      say(title, `${seconds(mark.at)}: ${mark.text}`);
      const wide = mark.short.length * 6.2 + 8;
      const room = inside || x > (ends[mark.lane] ?? -99);
      put(text, "x", inside ? 0 : 6);
      put(text, "y", inside ? 3.5 : 4);
      put(text, "text-anchor", inside ? "middle" : "start");
      say(text, room && mark.what !== "rejected" ? mark.short : "");
      if (room && mark.short && !inside) ends[mark.lane] = x + wide + 6;
    }
  }

  /** Where two believe to lead, or even work, at the same time. @param {ElectionRecord} record @param {number} t */
  #drawClashes(record, t) {
    const found = [...record.overlaps("believes"), ...record.overlaps("works")].filter(({ from, to }) => from < t && to > this.#from);
    const byKey = new Map(found.map((clash) => [`${clash.what} ${clash.from}`, clash]));
    const create = () => {
      const [rect, text, title] = [draw("rect", { rx: 3 }), draw("text"), draw("title")];
      return { group: draw("g", { class: "el-clash" }, title, rect, text), rect, text, title };
    };
    keep(this.#layers.clashes, this.#clashes, [...byKey.keys()], create, ({ group }) => group);
    for (const [key, { group, rect, text, title }] of this.#clashes) {
      const clash = byKey.get(key);
      if (!clash) continue;
      const rows = clash.lanes.map((lane) => this.#rows.get(lane) ?? { y: 0, height: 0 });
      const bar = BARS[clash.what] ?? { y: 0, height: 10 };
      const top = Math.min(...rows.map(({ y }) => y)) + bar.y - 2;
      const bottom = Math.max(...rows.map(({ y }) => y)) + bar.y + bar.height + 2;
      const [left, right] = [Math.max(0, this.#x(clash.from)), this.#x(Math.min(clash.to, t))];
      put(group, "data-what", clash.what);
      put(rect, "fill", `url(#${this.#id}-clash)`);
      put(rect, "x", left.toFixed(1));
      put(rect, "width", Math.max(3, right - left).toFixed(1));
      put(rect, "y", top);
      put(rect, "height", bottom - top);
      const words = clash.what === "works" ? `⚠ ${clash.lanes.length} work` : `${clash.lanes.length} believe`;
      const inside = right - left > words.length * 7.4;
      const end = right > this.#width - 84;
      put(text, "x", inside ? (left + right) / 2 : end ? left - 5 : right + 5);
      put(text, "text-anchor", inside ? "middle" : end ? "end" : "start");
      put(text, "y", clash.what === "works" ? (inside ? (top + bottom) / 2 + 14 : bottom - 8) : inside ? (top + bottom) / 2 - 6 : top + 12);
      say(text, words);
      say(title, `${clash.lanes.join(" and ")} ${clash.what === "works" ? "work" : "believe to lead"} at the same time, from ${seconds(clash.from)} to ${seconds(clash.to)}`);
    }
  }
}

/** Marks by shape: a request that changed nothing is a tick, a renewal a bar, a new holder a diamond, a refusal a cross. @type {Record<string, string>} */
export const OUTLINES = {
  get: "M0 3V9",
  saw: "M0 -3V3",
  update: "M0 -9V9",
  take: "M0 -10 6 0 0 10 -6 0z",
  refused: "M-5 -5 5 5M5 -5 -5 5",
  lost: "M-4 -6 4 6M0 -9V-4",
  accepted: "M-6.5 0a6.5 6.5 0 1 0 13 0a6.5 6.5 0 1 0 -13 0z",
  rejected: "M-5 -5 5 5M5 -5 -5 5",
  revision: "M0 -8V8",
  crash: "M-5 -5 5 5M5 -5 -5 5",
};

const MEANINGS = /** @type {[what: string, words: string][]} */ ([
  ["saw", "in a pod's row: it sees that the record has changed, and waits anew"],
  ["get", "a request that only reads"],
  ["update", "a renewal: the record changes"],
  ["take", "the record goes to another holder"],
  ["refused", "a request that is refused (409: somebody else was faster)"],
  ["lost", "a request that does not get through"],
  ["accepted", "a leader's write, taken"],
  ["rejected", "a write that is refused, since its token is too old"],
]);

/** What the marks mean. */
export function marksLegend() {
  const items = MEANINGS.map(([what, words]) => {
    const group = draw("g", { class: "el-mark", "data-what": what }, draw("path", { d: OUTLINES[what] ?? "" }));
    return make("li", {}, draw("svg", { viewBox: "-12 -12 24 24", width: 22, height: 22, class: "el-legend-mark", "aria-hidden": "true" }, group), words);
  });
  return make("details", { class: "el-legend" }, make("summary", {}, "What the marks mean"), make("ul", {}, ...items));
}
