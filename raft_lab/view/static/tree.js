// @ts-check
import { clockText, draw, keep, make, put, say, show } from "./dom.js";
import { miniature } from "./miniature.js";

/**
 * The tree of branches: one track per branch, joined to the track that it left. The same steps stand below one another,
 * so a track shows how long the branch is and where it parted. A step under the pointer, or reached with the arrow keys,
 * shows its cluster in the small.
 */

/** @typedef {import("./session.js").Session} Session */
/** @typedef {{tip: number, from: number, row: number}} Track a branch: its last step, and the step where it left another (-1: none) */

const PITCH = 24;
const LEFT = 12;

export class Tree {
  /** @type {Track[]} */
  #tracks = [];
  /** @type {Map<string, {group: SVGGElement, line: SVGPathElement, hit: SVGPathElement, name: SVGTextElement, dot: SVGCircleElement}>} */
  #drawn = new Map();
  #width = 600;
  #painted = "";
  #observer;
  #layer = draw("g");
  #head = draw("circle", { r: 5.5, class: "rl-tree-head" });
  #spot = draw("circle", { r: 5, class: "rl-tree-spot", hidden: "" });
  #picture = draw("svg", { class: "rl-tree-picture", role: "group", "aria-label": "Branches" }, this.#layer, this.#spot, this.#head);
  #tip = make("div", { class: "rl-tree-tip", role: "status", hidden: "" });
  #scroll = make("div", { class: "rl-tree-scroll" }, this.#picture);
  element = make("div", { class: "rl-tree" }, this.#scroll, this.#tip);

  /** @param {Session} session */
  constructor(session) {
    this.session = session;
    this.#picture.addEventListener("pointerleave", () => this.#look(-1));
    this.#picture.addEventListener("focusout", () => this.#look(-1));
    this.#observer = new ResizeObserver(([entry]) => {
      this.#width = entry?.contentRect.width || this.#width;
      this.update();
    });
    this.#observer.observe(this.element);
  }

  close() {
    this.#observer.disconnect();
  }

  /** Every branch, the first one first; each begins where it left a branch that was there before. @returns {Track[]} */
  #branches() {
    const { tape } = this.session;
    /** @type {Set<number>} */
    const seen = new Set();
    return tape.tips().map((tip, row) => {
      let from = tip;
      while (from >= 0 && !seen.has(from)) {
        seen.add(from);
        from = tape.step(from).parent;
      }
      return { tip, from, row };
    });
  }

  update() {
    const { session } = this;
    if (!session.ready || this.element.closest("[hidden]")) return;
    const { tape } = session;
    const look = `${this.#width} ${tape.size} ${tape.branch.at(-1)} ${JSON.stringify(session.names)}`;
    if (look !== this.#painted) {
      this.#painted = look;
      this.#tracks = this.#branches();
      this.#paint();
    }
    const here = this.#tracks.find((track) => this.#holds(track, session.cursor));
    put(this.#head, "cx", this.#x(tape.depth(session.cursor)).toFixed(1));
    put(this.#head, "cy", this.#y(here?.row ?? 0));
  }

  /** Is this step drawn on this track? @param {Track} track @param {number} id */
  #holds({ tip, from }, id) {
    const { tape } = this.session;
    return tape.depth(id) > (from < 0 ? -1 : tape.depth(from)) && tape.path(tip)[tape.depth(id)] === id;
  }

  /** @param {number} depth */
  #x(depth) {
    const deepest = Math.max(1, ...this.#tracks.map(({ tip }) => this.session.tape.depth(tip)));
    return LEFT + (depth / deepest) * (this.#width - LEFT - 170);
  }

  /** @param {number} row */
  #y(row) {
    return 14 + row * PITCH;
  }

  #paint() {
    const { tape, names } = this.session;
    const height = this.#y(this.#tracks.length - 1) + 14;
    put(this.#picture, "viewBox", `0 0 ${this.#width} ${height}`);
    put(this.#picture, "height", height);
    const rows = new Map();
    keep(this.#layer, this.#drawn, this.#tracks.map(({ tip, row }) => `${row} ${tip}`), () => this.#make(), ({ group }) => group);
    for (const track of this.#tracks) {
      const { tip, from, row } = track;
      const drawn = this.#drawn.get(`${row} ${tip}`);
      if (!drawn) continue;
      for (let at = tip; at > from && at >= 0; at = tape.step(at).parent) rows.set(at, row);
      const y = this.#y(row);
      const end = this.#x(tape.depth(tip)).toFixed(1);
      const joint = from >= 0 ? this.#x(tape.depth(from)) : this.#x(0);
      const parent = this.#y(rows.get(from) ?? row);
      put(drawn.line, "d", from >= 0 ? `M${joint.toFixed(1)} ${parent}V${y - 6}q0 6 6 6H${end}` : `M${joint.toFixed(1)} ${y}H${end}`);
      put(drawn.hit, "d", `M${joint.toFixed(1)} ${y}H${this.#width}`);
      put(drawn.dot, "cx", end);
      put(drawn.dot, "cy", y);
      const onShow = tape.branch.at(-1) === tip;
      put(drawn.group, "data-on", onShow ? "true" : null);
      put(drawn.group, "aria-current", onShow ? "true" : null);
      const broken = tape.path(tip).some((id) => id > from && tape.step(id).marks.includes("violation"));
      put(drawn.group, "data-broken", broken ? "true" : null);
      const label = branchName(this.session, tip);
      say(drawn.name, label.length > 24 ? `${label.slice(0, 23)}…` : label);
      put(drawn.name, "x", Number(end) + 9);
      put(drawn.name, "y", y + 4);
      put(drawn.group, "aria-label", `${label}, up to step ${tip}${from >= 0 ? `, left at step ${from}` : ""}${broken ? ", breaks a rule" : ""}: ${tape.step(tip).sentence}`);
      put(drawn.group, "data-tip", tip);
    }
    put(this.#picture, "data-named", Object.keys(names).length);
  }

  #make() {
    const line = draw("path", { class: "rl-tree-line" });
    const hit = draw("path", { class: "rl-tree-hit" });
    const dot = draw("circle", { r: 3.5, class: "rl-tree-dot" });
    const name = draw("text", { class: "rl-tree-name" });
    const group = draw("g", { class: "rl-track-of", tabindex: 0, role: "button" }, line, dot, name, hit);
    let at = -1;
    const tip = () => Number(group.getAttribute("data-tip"));
    group.addEventListener("focus", () => this.#look((at = tip())));
    group.addEventListener("pointermove", (event) => this.#look(this.#near(tip(), event.clientX)));
    group.addEventListener("click", (event) => this.#enter(this.#near(tip(), event.clientX)));
    group.addEventListener("keydown", (event) => {
      const way = event.key === "ArrowLeft" ? -1 : event.key === "ArrowRight" ? 1 : 0;
      if (way) this.#look((at = this.#beside(tip(), at, way)));
      else if (event.key === "Enter") this.#enter(at);
      else if (event.key === "ArrowDown" || event.key === "ArrowUp") this.#walk(group, event.key === "ArrowDown" ? 1 : -1);
      else return;
      event.preventDefault();
      event.stopPropagation();
    });
    return { group, line, hit, name, dot };
  }

  /** @param {SVGGElement} group @param {1 | -1} way */
  #walk(group, way) {
    const all = [...this.#layer.children];
    const next = /** @type {SVGGElement | undefined} */ (all[all.indexOf(group) + way]);
    next?.focus();
  }

  /** The step of this branch that is drawn nearest to here. @param {number} tip @param {number} clientX */
  #near(tip, clientX) {
    const path = this.session.tape.path(tip);
    const from = this.#tracks.find((track) => track.tip === tip)?.from ?? -1;
    const least = from < 0 ? 0 : this.session.tape.depth(from) + 1;
    const part = (clientX - this.#picture.getBoundingClientRect().left - LEFT) / Math.max(1, this.#x(path.length - 1) - LEFT);
    const depth = Math.round(part * (path.length - 1));
    return path[Math.min(path.length - 1, Math.max(least, depth))] ?? tip;
  }

  /** @param {number} tip @param {number} at @param {number} way */
  #beside(tip, at, way) {
    const path = this.session.tape.path(tip);
    const depth = this.session.tape.depth(at) + way;
    return path[Math.min(path.length - 1, Math.max(0, depth))] ?? at;
  }

  /** @param {number} id */
  #enter(id) {
    this.session.pause();
    this.session.go(id);
  }

  /** Show this step in the small, below the tree; -1 shows none. @param {number} id */
  #look(id) {
    const { tape } = this.session;
    const shown = tape.has(id);
    show(this.#tip, shown);
    show(this.#spot, shown);
    if (!shown || this.#tip.dataset.step === String(id)) return void (shown || delete this.#tip.dataset.step);
    this.#tip.dataset.step = String(id);
    const frame = tape.frame(id);
    this.#tip.replaceChildren(miniature(frame, `Step ${id} · ${clockText(frame.time_us)}`, tape.step(id).sentence));
    const row = this.#tracks.find((one) => this.#holds(one, id))?.row ?? 0;
    put(this.#spot, "cx", this.#x(tape.depth(id)).toFixed(1));
    put(this.#spot, "cy", this.#y(row));
    const box = this.element.getBoundingClientRect();
    this.#tip.style.left = `${Math.min(Math.max(0, box.width - 330), Math.max(0, this.#x(tape.depth(id)) - 165))}px`;
  }
}

/** What a branch is called: by the last step that is its alone and has a name, or else by how it begins.
 * @param {Session} session @param {number} tip */
export function branchName(session, tip) {
  const { tape, names } = session;
  for (let at = tip; at >= 0; at = tape.step(at).parent) {
    const name = names[at];
    if (name) return name;
    const siblings = tape.siblings(at);
    if (siblings.length > 1 && siblings[0] !== at) return beginning(tape.step(at));
  }
  return "the first run";
}

/** @param {import("./tape.js").Step} step */
function beginning({ code, timed }) {
  return timed || !code ? "by itself" : code.replace(/^cluster\./, "");
}
