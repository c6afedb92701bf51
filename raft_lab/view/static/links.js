// @ts-check
import { draw, keep, put, say, show } from "./dom.js";
import { CENTRE, RING_WIDTH, groupsOf, wallBetween } from "./circle.js";

/** The links between servers: thin lines, with a wall and an arrow where a direction is cut, and one wall per partition. */

/** @typedef {import("./tape.js").Frame} Frame */
/** @typedef {import("./circle.js").Point} Point */
/** @typedef {{a: string, b: string, group: SVGGElement, wall: SVGGElement, there: SVGPathElement, back: SVGPathElement}} Link */

export class Links {
  /** @type {Map<string, Link>} */
  #links = new Map();
  /** @type {Record<string, boolean> | undefined} */
  #cuts;
  #seats = "";
  /** @type {Point[]} along the wall of a partition; none if there is no such wall */
  wall = [];
  /** @type {string[][]} */
  #groups = [];
  layer = draw("g", { class: "rl-links" });
  #wall = draw("path", { class: "rl-partition" });
  #wallText = draw("text", { class: "rl-partition-text" });
  walls = draw("g", { class: "rl-walls" }, this.#wall, this.#wallText);

  /** @param {(a: string, b: string, element: SVGElement) => void} pick */
  constructor(pick) {
    this.pick = pick;
  }

  /** @param {Frame} frame @param {Map<string, Point>} seats */
  update(frame, seats) {
    const ids = [...seats.keys()];
    const seating = ids.join(" ");
    if (this.#cuts === frame.cuts && this.#seats === seating) return;
    this.#cuts = frame.cuts;
    const keys = ids.flatMap((a, i) => ids.slice(i + 1).map((b) => `${a} ${b}`));
    if (this.#seats !== seating) keep(this.layer, this.#links, [], (key) => this.#make(key, seats), (link) => link.group);
    this.#seats = seating;
    keep(this.layer, this.#links, keys, (key) => this.#make(key, seats), (link) => link.group);
    const groups = (this.#groups = groupsOf(frame));
    for (const link of this.#links.values()) this.#paint(link, frame, groups);
    const { path, label, points } = wallBetween(ids, groups);
    this.wall = groups.length > 1 ? points : [];
    put(this.#wall, "d", path);
    show(this.walls, groups.length > 1);
    if (groups.length < 2) return;
    say(this.#wallText, "partition");
    put(this.#wallText, "x", Math.min(RING_WIDTH - 34, Math.max(34, label.x)).toFixed(1));
    put(this.#wallText, "y", (label.y > CENTRE.y ? label.y + 19 : label.y - 8).toFixed(1));
  }

  /** The wall that stands between two servers; a link that is cut alone has its own bar half-way. @param {string} src @param {string} dst */
  wallOf(src, dst) {
    return this.#groups.some((group) => group.includes(src) && group.includes(dst)) ? [] : this.wall;
  }

  /** Where the word "partition" stands, so that nothing else is written there: left, top, right, bottom; none without a wall. */
  get label() {
    if (!this.wall.length) return [];
    const [x, y] = [Number(this.#wallText.getAttribute("x")), Number(this.#wallText.getAttribute("y"))];
    return [x - 34, y - 12, x + 34, y + 4];
  }

  /** @param {string} key @param {Map<string, Point>} seats @returns {Link} */
  #make(key, seats) {
    const [a = "", b = ""] = key.split(" ");
    const from = seats.get(a) ?? CENTRE;
    const to = seats.get(b) ?? CENTRE;
    const line = { x1: from.x, y1: from.y, x2: to.x, y2: to.y };
    const there = draw("path", { d: "M-26 0H-9M-14 -4.5-9 0-14 4.5" });
    const back = draw("path", { d: "M26 0H9M14 -4.5 9 0 14 4.5" });
    const angle = (Math.atan2(to.y - from.y, to.x - from.x) * 180) / Math.PI;
    const wall = draw(
      "g",
      { class: "rl-cut", transform: `translate(${(from.x + to.x) / 2} ${(from.y + to.y) / 2}) rotate(${angle})` },
      draw("path", { d: "M-4 0H4", class: "rl-cut-gap" }),
      draw("path", { d: "M-2.5 -11V11M2.5 -11V11", class: "rl-cut-wall" }),
      there,
      back,
    );
    const group = draw(
      "g",
      { class: "rl-link", tabindex: -1, role: "button", "data-link": `${a}-${b}`, "aria-haspopup": "menu" },
      draw("line", { ...line, class: "rl-link-hit" }),
      draw("line", { ...line, class: "rl-link-line" }),
      wall,
    );
    group.addEventListener("click", () => this.pick(a, b, group));
    group.addEventListener("keydown", (event) => {
      if (event.key !== "Enter") return;
      event.preventDefault();
      event.stopPropagation();
      this.pick(a, b, group);
    });
    return { a, b, group, wall, there, back };
  }

  /** @param {Link} link @param {Frame} frame @param {string[][]} groups */
  #paint(link, frame, groups) {
    const there = Boolean(frame.cuts[`${link.a}>${link.b}`]);
    const back = Boolean(frame.cuts[`${link.b}>${link.a}`]);
    const apart = groups.length > 1 && !groups.some((group) => group.includes(link.a) && group.includes(link.b));
    show(link.wall, (there || back) && !apart);
    show(link.there, there);
    show(link.back, back);
    put(link.group, "data-cut", there && back ? "both" : there ? "there" : back ? "back" : null);
    put(link.group, "aria-label", linkWords(link.a, link.b, there, back));
  }
}

/** @param {string} a @param {string} b @param {boolean} there @param {boolean} back */
function linkWords(a, b, there, back) {
  if (there && back) return `link ${a}–${b}, cut in both directions`;
  if (there) return `link ${a}–${b}, cut from ${a} to ${b}`;
  if (back) return `link ${a}–${b}, cut from ${b} to ${a}`;
  return `link ${a}–${b}`;
}
