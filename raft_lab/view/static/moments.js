// @ts-check
import { draw, keep, make, put, say } from "./dom.js";
import { seconds } from "./record.js";

/** What happened at one moment each: marks in the lanes of an election, the words beside them, and what the marks mean. */

/** @typedef {import("./record.js").ElectionRecord} ElectionRecord */
/** @typedef {import("./record.js").Mark} Mark */
/** @typedef {import("./rows.js").Scale} Scale */

/** Marks by shape: a request that changed nothing is a tick, a renewal a bar, a new holder a diamond, a refusal a cross. @type {Record<string, string>} */
const OUTLINES = {
  get: "M0 3V9",
  saw: "M0 -3.5 3 2 -3 2z",
  update: "M0 -9V9",
  take: "M0 -10 6 0 0 10 -6 0z",
  refused: "M-5 -5 5 5M5 -5 -5 5",
  lost: "M-4 -6 4 6M0 -9V-4",
  accepted: "M-6 0a6 6 0 1 0 12 0a6 6 0 1 0 -12 0z",
  rejected: "M-5 -5 5 5M5 -5 -5 5",
  revision: "M0 -5V5",
  crash: "M-5 -5 5 5M5 -5 -5 5",
};
/** Words stand in a line of their own above the marks of a lane. */
const WORDS_LINE = 11;
const MARK_LETTER = 6.4;
/** From this size on a write has room for its letter. */
const MARK_LETTERED = 0.9;

export class Moments {
  /** @type {Map<string, {group: SVGGElement, path: SVGPathElement, text: SVGTextElement, title: SVGTitleElement}>} */
  #marks = new Map();
  /** @type {Map<string, SVGTextElement>} */
  #words = new Map();

  /** @param {SVGGElement} marks @param {SVGGElement} words the layers to draw in */
  constructor(marks, words) {
    this.layers = { marks, words };
  }

  /** @param {ElectionRecord} record @param {number} t up to when @param {Scale} scale */
  update(record, t, scale) {
    /** @type {Map<string, Mark>} */
    const seen = new Map();
    for (const [number, mark] of record.picture.marks.entries()) {
      if (mark.at <= t && mark.at >= scale.from && scale.rows.has(mark.lane)) seen.set(`${number}`, mark);
    }
    const create = () => {
      const [path, text, title] = [draw("path"), draw("text", { "text-anchor": "middle", y: 3.5 }), draw("title")];
      return { group: draw("g", { class: "el-mark" }, title, path, text), path, text, title };
    };
    keep(this.layers.marks, this.#marks, [...seen.keys()], create, ({ group }) => group);
    const line = ((scale.rows.get("resource")?.height ?? 0) - 6) / record.picture.pods.length;
    const size = Math.min(1, line / 12, (scale.width / (scale.window / 1e6)) * 0.075); // a leader writes once a second
    for (const [key, { group, path, text, title }] of this.#marks) {
      const mark = seen.get(key);
      if (!mark) continue;
      const written = mark.lane === "resource";
      put(group, "data-what", mark.what);
      put(group, "data-pod", mark.pod);
      put(group, "transform", `translate(${scale.x(mark.at).toFixed(1)} ${markHeight(record, mark, scale)})${written ? ` scale(${Math.max(0.4, size).toFixed(2)})` : ""}`);
      put(path, "d", OUTLINES[mark.what] ?? OUTLINES.update ?? "");
      say(title, `${seconds(mark.at)}: ${mark.text}`);
      say(text, mark.what === "accepted" && size >= MARK_LETTERED ? mark.short : "");
    }
    this.#drawWords(record, [...seen.values()], scale);
  }

  /** @param {ElectionRecord} record @param {Mark[]} seen @param {Scale} scale */
  #drawWords(record, seen, scale) {
    /** @type {Map<string, {x: number, y: number, anchor: string, text: string, what: string}>} */
    const wanted = new Map();
    /** @type {Record<string, number>} */
    const ends = {};
    for (const mark of seen) {
      if (!mark.short || mark.lane === "resource") continue;
      const half = (mark.short.length * MARK_LETTER) / 2;
      const x = Math.max(half, scale.x(mark.at));
      if (x - half < (ends[mark.lane] ?? -99)) continue;
      ends[mark.lane] = x + half + 5;
      wanted.set(`${mark.lane} ${mark.at}`, { x, y: (scale.rows.get(mark.lane)?.y ?? 0) + WORDS_LINE, anchor: "middle", text: mark.short, what: mark.what });
    }
    for (const pod of record.picture.pods) {
      const refused = seen.filter(({ what, pod: who }) => what === "rejected" && who === pod);
      const [first, last] = [refused[0], refused.at(-1)];
      if (!first || !last) continue;
      const right = scale.x(last.at) + 8;
      const fits = right + last.short.length * MARK_LETTER < scale.width;
      wanted.set(`refused ${pod}`, { x: fits ? right : scale.x(first.at) - 8, y: markHeight(record, last, scale) + 4, anchor: fits ? "start" : "end", text: last.short, what: "rejected" });
    }
    keep(this.layers.words, this.#words, [...wanted.keys()], () => draw("text", { class: "el-mark-text" }), (text) => text);
    for (const [key, text] of this.#words) {
      const words = wanted.get(key);
      if (!words) continue;
      put(text, "x", words.x.toFixed(1));
      put(text, "y", words.y);
      put(text, "text-anchor", words.anchor);
      put(text, "data-what", words.what);
      say(text, words.text);
    }
  }
}

/** Where a mark stands in its row: each pod's writes in a line of their own. @param {ElectionRecord} record @param {Mark} mark @param {Scale} scale */
function markHeight(record, { lane, what, pod }, scale) {
  const { y, height } = scale.rows.get(lane) ?? { y: 0, height: 0 };
  const { pods } = record.picture;
  if (lane === "resource") return y + 3 + ((pods.indexOf(pod) + 0.5) / pods.length) * (height - 6);
  if (what === "saw") return y + height - 3.5;
  return y + (lane === "api" ? height - 12 : lane === "etcd" ? height - 8 : height / 2);
}

const MEANINGS = /** @type {[what: string, words: string, sentence: string][]} */ ([
  ["saw", "sees a change", "in a pod's row: it sees that the record has changed, and waits anew"],
  ["get", "reads", "a request that only reads the record"],
  ["update", "renews", "the leader writes a new renewTime: the record changes"],
  ["take", "takes the lease", "the record goes to another holder"],
  ["refused", "refused (409)", "a request that is refused: somebody else was faster"],
  ["lost", "lost", "a request that is lost, waits in a network that is cut, or got no answer in time"],
  ["accepted", "a write", "the leader's work: a write to what it guards"],
  ["rejected", "a refused write", "fencing: its token is older than one that was seen"],
]);

/** What the marks mean, in one line. */
export function marksLegend() {
  const items = MEANINGS.map(([what, words, sentence]) => {
    const group = draw("g", { class: "el-mark", "data-what": what }, draw("path", { d: OUTLINES[what] ?? "" }));
    return make("li", { title: sentence }, draw("svg", { viewBox: "-11 -11 22 22", width: 17, height: 17, class: "el-legend-mark", "aria-hidden": "true" }, group), words);
  });
  return make("ul", { class: "el-legend", "aria-label": "What the marks mean" }, ...items);
}
