// @ts-check
import { clockText, draw, make, put, say, show } from "./dom.js";

/**
 * The scrubber: the branch on show as a painted track, with a thin lane for each server's role below it. One path per kind
 * of mark, however many steps there are.
 */

/** @typedef {import("./session.js").Session} Session */

/** @type {Record<string, [name: string, shape: (x: number) => string]>} what each mark is called, and how it is drawn */
const TRACK_MARKS = {
  commit: ["commit", (x) => `M${x} 21v5`],
  election: ["election starts", (x) => `M${x} 2l4 4 -4 4 -4 -4z`],
  leader: ["leader elected", (x) => `M${x - 5.5} 10v-7.5l3.2 3 2.3 -4 2.3 4 3.2 -3v7.5z`],
  crash: ["crash", (x) => `M${x - 3.5} 2.5l7 7M${x + 3.5} 2.5l-7 7`],
  violation: ["a rule is broken", (x) => `M${x} 0l5.5 10h-11z`],
};

/** What a lane shows; nothing while crashed. */
const LANE_ROLES = ["follower", "candidate", "leader"];
const LANES_FROM = 31;
const LANE_PITCH = 4;

export class Scrubber {
  #width = 600;
  #painted = "";
  #bands = draw("g", { class: "rl-track-bands" });
  #forks = draw("path", { class: "rl-track-forks" });
  /** @type {Record<string, SVGPathElement>} */
  #lanes = {};
  /** @type {Record<string, SVGPathElement>} */
  #marks = {};
  #head = draw("path", { class: "rl-track-head" });
  #tip = make("div", { class: "rl-track-tip", "aria-hidden": "true", hidden: "" });
  #track;
  #observer;
  input = make("input", { type: "range", min: "0", max: "0", value: "0", step: "1", "aria-label": "Step on this branch" });

  /** @param {Session} session */
  constructor(session) {
    this.session = session;
    for (const name of Object.keys(TRACK_MARKS)) this.#marks[name] = draw("path", { class: `rl-mark rl-mark-${name}` });
    for (const role of LANE_ROLES) this.#lanes[role] = draw("path", { class: `rl-lane rl-lane-${role}` });
    this.#track = draw("svg", { class: "rl-track", "aria-hidden": "true" }, this.#bands, ...Object.values(this.#lanes), this.#forks, ...Object.values(this.#marks), this.#head);
    this.element = make("div", { class: "rl-scrubber" }, this.#track, this.input, this.#tip);
    this.input.addEventListener("input", () => {
      const id = session.tape.branch[Number(this.input.value)];
      if (id === undefined) return;
      session.pause();
      session.go(id);
    });
    this.element.addEventListener("pointermove", (event) => this.#hover(event));
    this.element.addEventListener("pointerleave", () => show(this.#tip, false));
    this.#observer = new ResizeObserver(([entry]) => {
      this.#width = entry?.contentRect.width || this.#width;
      this.update();
    });
    this.#observer.observe(this.element);
  }

  close() {
    this.#observer.disconnect();
  }

  update() {
    if (!this.session.ready) return;
    const { tape, cursor, step, frame } = this.session;
    const last = tape.branch.length - 1;
    const look = `${this.#width} ${last} ${tape.branch[last]} ${tape.size}`;
    if (look !== this.#painted) {
      this.#painted = look;
      this.#paint();
    }
    const depth = tape.depth(cursor);
    put(this.input, "max", last);
    if (this.input.value !== String(depth)) this.input.value = String(depth);
    put(this.input, "aria-valuetext", `step ${cursor}, ${clockText(frame.time_us)}: ${step.sentence}`);
    put(this.#head, "transform", `translate(${this.#x(depth).toFixed(1)} 0)`);
  }

  /** @param {number} depth */
  #x(depth) {
    const last = Math.max(1, this.session.tape.branch.length - 1);
    return 8 + (depth / last) * (this.#width - 16);
  }

  #paint() {
    const { tape } = this.session;
    const height = LANES_FROM - 1 + LANE_PITCH * Object.keys(tape.frame(tape.branch.at(-1) ?? 0).servers).length;
    put(this.#track, "viewBox", `0 0 ${this.#width} ${height}`);
    put(this.#head, "d", `M0 0V${height}M-4.5 28h9l-4.5 -6z`);
    this.element.style.height = `${height}px`;
    /** @type {Record<string, string[]>} */
    const paths = {};
    const forks = [];
    let drawn = "";
    for (const [depth, id] of tape.branch.entries()) {
      const x = Math.round(this.#x(depth) * 10) / 10;
      if (tape.siblings(id).length > 1) forks.push(`M${this.#x(depth - 1).toFixed(1)} 21v6`);
      for (const mark of tape.step(id).marks) {
        const shape = TRACK_MARKS[mark]?.[1];
        const key = `${mark} ${Math.round(x / 2)}`;
        if (!shape || drawn.endsWith(key)) continue;
        drawn = key;
        (paths[mark] ??= []).push(shape(x));
      }
    }
    for (const [name, path] of Object.entries(this.#marks)) put(path, "d", (paths[name] ?? []).join(""));
    put(this.#forks, "d", forks.join(""));
    this.#paintBands();
    this.#paintLanes();
  }

  /** The roles of each server, one lane below another, read from what each step changed. */
  #paintLanes() {
    const { tape } = this.session;
    /** @type {Record<string, string[]>} */
    const paths = {};
    /** @type {Map<string, {role: string, crashed: boolean, from: number}>} */
    const now = new Map();
    const lane = [...Object.keys(tape.frame(tape.branch.at(-1) ?? 0).servers)];
    const end = (/** @type {string} */ id, /** @type {number} */ depth) => {
      const span = now.get(id);
      if (!span || span.crashed) return;
      const role = span.role === "precandidate" ? "candidate" : span.role;
      const y = LANES_FROM + LANE_PITCH * lane.indexOf(id);
      (paths[role] ??= []).push(`M${this.#x(span.from).toFixed(1)} ${y}H${this.#x(depth).toFixed(1)}`);
    };
    for (const [depth, id] of tape.branch.entries()) {
      for (const [name, changed] of Object.entries(tape.changedServers(id))) {
        const known = now.get(name);
        const role = changed.role ?? known?.role ?? "follower";
        const crashed = changed.crashed ?? known?.crashed ?? false;
        if (known && known.role === role && known.crashed === crashed) continue;
        end(name, depth);
        now.set(name, { role, crashed, from: depth });
      }
    }
    for (const id of now.keys()) end(id, Math.max(1, tape.branch.length - 1));
    for (const [role, path] of Object.entries(this.#lanes)) put(path, "d", (paths[role] ?? []).join(""));
  }

  /** Bands of the highest term. Terms are read where a step says that one has changed. */
  #paintBands() {
    const { tape } = this.session;
    /** @type {{term: number, from: number}[]} */
    const bands = [];
    for (const [depth, id] of tape.branch.entries()) {
      const known = bands.at(-1);
      if (known && !tape.step(id).marks.includes("term") && !tape.step(id).marks.includes("election")) continue;
      const term = Math.max(0, ...Object.values(tape.frame(id).servers).map((server) => server.term));
      if (known?.term !== term) bands.push({ term, from: depth });
    }
    const end = this.#width - 8;
    const parts = bands.flatMap(({ term, from }, index) => {
      const x = index ? this.#x(from) : 8;
      const next = bands[index + 1];
      const width = Math.max(1, (next ? this.#x(next.from) : end) - x);
      const hue = term > 0 ? String((term - 1) % 7) : "none";
      const rect = draw("rect", { x, y: 11.5, width, height: 9.5, class: "rl-track-band", "data-hue": hue });
      const text = draw("text", { x: x + 4, y: 19.4, class: "rl-track-term" });
      text.textContent = width > 44 ? `term ${term}` : width > 12 ? String(term) : "";
      return [rect, text];
    });
    this.#bands.replaceChildren(...parts);
  }

  /** @param {PointerEvent} event */
  #hover(event) {
    const { tape } = this.session;
    const box = this.element.getBoundingClientRect();
    const last = tape.branch.length - 1;
    const part = (event.clientX - box.left - 8) / Math.max(1, box.width - 16);
    const id = tape.branch[Math.min(last, Math.max(0, Math.round(part * last)))];
    if (id === undefined) return;
    const step = tape.step(id);
    const marks = step.marks.map((mark) => TRACK_MARKS[mark]?.[0]).filter(Boolean);
    const roles = Object.entries(tape.frame(id).servers).filter(([, server]) => server.crashed || server.role !== "follower");
    const who = roles.map(([name, server]) => `${name} ${server.crashed ? "crashed" : server.role}`).join(", ");
    say(this.#tip, `Step ${id}${marks.length ? ` (${marks.join(", ")})` : ""} · ${step.sentence}${who ? ` · ${who}` : ""}`);
    show(this.#tip, true);
    const wide = this.#tip.offsetWidth;
    this.#tip.style.left = `${Math.min(box.width - wide, Math.max(0, event.clientX - box.left - wide / 2))}px`;
  }
}

/** The marks as a legend. @returns {HTMLElement} */
export function trackLegend() {
  const items = Object.entries(TRACK_MARKS).map(([mark, [name, shape]]) => {
    const picture = draw("svg", { viewBox: mark === "commit" ? "0 15 16 16" : "0 -1 16 16", class: "rl-legend-mark", "aria-hidden": "true" });
    picture.append(draw("path", { class: `rl-mark rl-mark-${mark}`, d: shape(8) }));
    return make("li", {}, picture, name);
  });
  const lanes = draw("svg", { viewBox: "0 0 40 16", class: "rl-legend-mark rl-legend-lanes", "aria-hidden": "true" },
    draw("path", { class: "rl-lane rl-lane-follower", d: "M0 8H13" }), draw("path", { class: "rl-lane rl-lane-candidate", d: "M14 8H26" }), draw("path", { class: "rl-lane rl-lane-leader", d: "M27 8H40" }));
  items.push(make("li", {}, lanes, "a lane per server: follower, candidate, leader; a gap while crashed"));
  return make("ul", { class: "rl-legend-list" }, ...items);
}

