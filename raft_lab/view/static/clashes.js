// @ts-check
import { draw, keep, put, say } from "./dom.js";
import { listed, seconds } from "./record.js";
import { BARS } from "./rows.js";

/** Two at once: when more than one pod believes to lead, or even works. A band behind their rows, their bars in alarm, a flag above. */

/** @typedef {import("./record.js").ElectionRecord} ElectionRecord */
/** @typedef {import("./record.js").Overlap} Overlap */
/** @typedef {import("./rows.js").Scale} Scale */

const CLASH_FLAG = { y: 17, height: 16 };
const FLAG_LETTER = 6.9;

export class Clashes {
  /** @type {Map<string, {group: SVGGElement, rect: SVGRectElement, left: SVGLineElement, right: SVGLineElement}>} */
  #bands = new Map();
  /** @type {Map<string, {group: SVGGElement, rect: SVGRectElement, text: SVGTextElement}>} */
  #bars = new Map();
  /** @type {Map<string, {group: SVGGElement, rect: SVGRectElement, text: SVGTextElement, title: SVGTitleElement}>} */
  #flags = new Map();

  /** @param {SVGGElement} bands behind the bars @param {SVGGElement} bars over them @param {SVGGElement} flags @param {string} hatch */
  constructor(bands, bars, flags, hatch) {
    this.layers = { bands, bars, flags };
    this.hatch = hatch;
  }

  /** @param {ElectionRecord} record @param {number} t @param {Scale} scale */
  update(record, t, scale) {
    const found = [...record.overlaps("works"), ...record.overlaps("believes")].filter(({ from, to }) => from < t && to > scale.from);
    const until = (/** @type {Overlap} */ { to }) => Math.min(to, t);
    const byKey = new Map(found.map((clash) => [`${clash.what} ${clash.from}`, clash]));
    this.#drawBands(byKey, until, scale);
    this.#drawBars(record, found, until, scale);
    this.#drawFlags(byKey, until, scale);
  }

  /** From the first of their rows to the last, and on to what they write. @param {Map<string, Overlap>} clashes @param {(clash: Overlap) => number} until @param {Scale} scale */
  #drawBands(clashes, until, scale) {
    const create = () => {
      const [rect, left, right] = [draw("rect"), draw("line"), draw("line")];
      return { group: draw("g", { class: "el-band" }, rect, left, right), rect, left, right };
    };
    keep(this.layers.bands, this.#bands, [...clashes.keys()], create, ({ group }) => group);
    for (const [key, { group, rect, left, right }] of this.#bands) {
      const clash = clashes.get(key);
      if (!clash) continue;
      const rows = [...clash.lanes, ...(clash.what === "works" ? ["resource"] : [])].map((lane) => scale.rows.get(lane) ?? { y: 0, height: 0 });
      const [top, bottom] = [Math.min(...rows.map(({ y }) => y)) + 1, Math.max(...rows.map(({ y, height }) => y + height)) - 1];
      const [begin, end] = [Math.max(-3, scale.x(clash.from)), scale.x(until(clash))];
      put(group, "data-what", clash.what);
      for (const [name, value] of Object.entries({ x: begin.toFixed(1), width: Math.max(2, end - begin).toFixed(1), y: top, height: bottom - top })) put(rect, name, value);
      for (const [line, x] of /** @type {[SVGLineElement, number][]} */ ([[left, begin], [right, end]])) {
        for (const [name, value] of Object.entries({ x1: x.toFixed(1), x2: x.toFixed(1), y1: CLASH_FLAG.y + CLASH_FLAG.height, y2: bottom })) put(line, name, value);
      }
    }
  }

  /** @param {ElectionRecord} record @param {Overlap[]} found @param {(clash: Overlap) => number} until @param {Scale} scale */
  #drawBars(record, found, until, scale) {
    const byKey = new Map(found.flatMap((clash) => clash.lanes.map((lane) => [`${clash.what} ${clash.from} ${lane}`, { clash, lane }])));
    const create = () => {
      const [rect, text] = [draw("rect", { rx: 2 }), draw("text")];
      return { group: draw("g", { class: "el-hot" }, rect, text), rect, text };
    };
    keep(this.layers.bars, this.#bars, [...byKey.keys()], create, ({ group }) => group);
    for (const [key, { group, rect, text }] of this.#bars) {
      const one = byKey.get(key);
      if (!one) continue;
      const { clash, lane } = one;
      const place = BARS[clash.what] ?? { y: 0, height: 10, label: "" };
      const top = (scale.rows.get(lane)?.y ?? 0) + place.y;
      const [begin, end] = [Math.max(-3, scale.x(clash.from)), scale.x(until(clash))];
      put(group, "data-what", clash.what);
      put(rect, "fill", clash.what === "believes" ? `url(#${this.hatch})` : null);
      for (const [name, value] of Object.entries({ x: begin.toFixed(1), width: Math.max(2, end - begin).toFixed(1), y: top, height: place.height })) put(rect, name, value);
      const words = record.span(lane, clash.what, clash.from)?.text || place.label;
      put(text, "x", (Math.max(0, begin) + 5).toFixed(1));
      put(text, "y", top + place.height / 2 + 4);
      say(text, end - Math.max(0, begin) > words.length * FLAG_LETTER + 8 ? words : "");
    }
  }

  /** @param {Map<string, Overlap>} clashes those of workers first: they have the right of way @param {(clash: Overlap) => number} until @param {Scale} scale */
  #drawFlags(clashes, until, scale) {
    const create = () => {
      const [rect, text, title] = [draw("rect", { rx: 3, y: CLASH_FLAG.y, height: CLASH_FLAG.height }), draw("text", { y: CLASH_FLAG.y + 12, "text-anchor": "middle" }), draw("title")];
      return { group: draw("g", { class: "el-clash" }, title, rect, text), rect, text, title };
    };
    keep(this.layers.flags, this.#flags, [...clashes.keys()], create, ({ group }) => group);
    /** @type {[left: number, right: number][]} */
    const taken = [];
    for (const [key, clash] of clashes) {
      const flag = this.#flags.get(key);
      if (!flag) continue;
      const { lanes, what, from } = clash;
      const both = what === "works" ? `⚠ ${lanes.length} work` : `${lanes.length} believe`;
      const middle = (Math.max(0, scale.x(from)) + scale.x(until(clash))) / 2;
      const free = (/** @type {number} */ left, /** @type {number} */ width) => taken.every(([from, to]) => left > to + 3 || left + width < from - 3);
      const room = [`${both} for ${seconds(until(clash) - from)}`, both].flatMap((words) => {
        const width = words.length * FLAG_LETTER + 10;
        const beside = taken.filter(([, to]) => to > middle).map(([from]) => from - 4 - width);
        return [middle - width / 2, ...beside].map((left) => ({ words, width, left: Math.max(0, Math.min(left, scale.width - width)) }));
      }).find(({ left, width }) => free(left, width));
      put(flag.group, "data-what", what);
      say(flag.title, `${listed(lanes)} ${what === "works" ? "work" : "believe to lead"} at the same time, from ${seconds(from)} to ${seconds(until(clash))}`);
      say(flag.text, room?.words ?? "");
      put(flag.rect, "width", (room?.width ?? 0).toFixed(1));
      if (!room) continue;
      taken.push([room.left, room.left + room.width]);
      put(flag.rect, "x", room.left.toFixed(1));
      put(flag.text, "x", (room.left + room.width / 2).toFixed(1));
    }
  }
}
