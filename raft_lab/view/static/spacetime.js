// @ts-check
import { Causality, OPERATION_ROWS } from "./causality.js";
import { AXIS, BAR, STEP, makeArrow, makeBar, makeSpot, paintArrow, paintBar, paintSpot } from "./arrows.js";
import { clockText, draw, hueOf, keep, make, put, say } from "./dom.js";
import { shortName } from "./names.js";

/** The space-time diagram: a lane for each server, steps from left to right, an arrow for each message. Only what is in sight is drawn. */

/** @typedef {import("./session.js").Session} Session */
/** @typedef {import("./causality.js").Stretch} Stretch */
/** @typedef {import("./arrows.js").Ground} Ground */
/** @typedef {"focus" | "context" | "all"} Mode */

const SQUEEZED = 5;
const LANE = 43;
const NARROWEST_LANE = 28;
const MARGIN = 700;
const CONTEXT = 8;
const MODES = /** @type {[Mode, string, string][]} */ ([
  ["all", "All", "every step alike"],
  ["context", "Last few", "the last few steps before this one stand out"],
  ["focus", "This step", "only what led to this step, and what came of it, stands out"],
]);
export class SpaceTime {
  #causality = new Causality();
  /** @type {number[]} where each step stands, and at the end where the picture ends */
  #xs = [0];
  /** @type {Mode} */
  #mode = "all";
  #beats = false;
  #width = 600;
  #look = "";
  /** @type {Map<string, number>} */
  #lanes = new Map();
  #top = AXIS;
  #lane = LANE;
  /** @type {Map<string, import("./arrows.js").Drawn>} */
  #arrows = new Map();
  /** @type {Map<string, import("./arrows.js").Spot>} */
  #spots = new Map();
  /** @type {Map<string, import("./arrows.js").Bar>} */
  #bars = new Map();
  /** @type {Map<string, {rect: SVGRectElement}>} */
  #stretches = new Map();
  /** @type {Map<string, {text: SVGTextElement}>} */
  #times = new Map();
  /** @type {Map<string, {box: HTMLElement}>} */
  #names = new Map();
  #now = draw("rect", { class: "rl-st-now", y: 0, width: STEP });
  #layers = { stretches: draw("g"), arrows: draw("g"), spots: draw("g"), bars: draw("g"), times: draw("g") };
  #svg = draw("svg", { class: "rl-st", role: "img" }, this.#now, this.#layers.times, this.#layers.stretches, this.#layers.bars, this.#layers.arrows, this.#layers.spots);
  #gutter = make("div", { class: "rl-st-names", "aria-hidden": "true" });
  #scroll = make("div", { class: "rl-st-scroll", tabindex: "0", role: "group", "aria-label": "Space-time diagram; the arrow keys go from step to step" }, this.#gutter, this.#svg);
  #observer;
  element = make("div", { class: "rl-st-box" }, this.#scroll);
  tools = make("div", { class: "rl-st-tools" });

  /** @param {Session} session */
  constructor(session) {
    this.session = session;
    const modes = make("div", { class: "rl-st-modes", role: "group", "aria-label": "What stands out" });
    for (const [mode, label, hint] of MODES) {
      const button = make("button", { type: "button", class: "rl-mode", title: hint, "aria-pressed": String(mode === this.#mode) }, label);
      button.addEventListener("click", () => {
        this.#mode = mode;
        for (const other of modes.children) put(other, "aria-pressed", String(other === button));
        this.update();
      });
      modes.append(button);
    }
    const beats = make("input", { type: "checkbox" });
    beats.addEventListener("change", () => {
      this.#beats = beats.checked;
      this.update(true);
    });
    this.tools.append(modes, make("label", { class: "rl-st-beats" }, beats, "heartbeats"));
    this.#svg.addEventListener("click", (event) => this.#click(event));
    this.#scroll.addEventListener("scroll", () => this.#draw(), { passive: true });
    this.#observer = new ResizeObserver(([entry]) => {
      this.#width = entry?.contentRect.width || this.#width;
      if (this.#width > 0 && this.element.offsetParent) this.update(true);
    });
    this.#observer.observe(this.#scroll);
  }

  close() {
    this.#observer.disconnect();
  }

  get #cursor() {
    return this.session.tape.depth(this.session.cursor);
  }

  /** Show the step at the cursor. @param {boolean} [anew] whether places may have changed though the branch has not */
  update(anew = false) {
    const { session } = this;
    if (!session.ready || !this.element.offsetParent) return;
    if (this.#causality.follow(session.tape) || anew || !this.#lanes.size) this.#place();
    this.#reveal();
    this.#look = "";
    this.#draw();
  }

  /** Where steps and lanes are. */
  #place() {
    const { events, lanes, operations } = this.#causality;
    let x = STEP / 2;
    this.#xs = events.map((event) => {
      const at = x;
      x += event.quiet && !this.#beats ? SQUEEZED : STEP;
      return at;
    });
    this.#xs.push(x);
    const rows = operations.length ? Math.max(...operations.map(({ row }) => row)) + 1 : 0;
    this.#top = AXIS + (rows ? Math.min(rows, OPERATION_ROWS) * BAR + 6 : 0);
    this.#lane = Math.max(NARROWEST_LANE, LANE - (this.#top - AXIS) / Math.max(1, lanes.size)); // as high as the ledger, if it can be
    this.#lanes = new Map([...lanes.keys()].map((id, index) => [id, this.#top + (index + 0.5) * this.#lane]));
    const height = this.#top + lanes.size * this.#lane;
    put(this.#svg, "width", Math.max(x + 2 * STEP, this.#width - 60));
    put(this.#svg, "height", height);
    put(this.#now, "height", height);
    const names = [...(rows ? ["clients"] : []), ...lanes.keys()];
    keep(this.#gutter, this.#names, names, (id) => ({ box: make("div", id === "clients" ? {} : { "data-about": id }, id) }), ({ box }) => box);
    const { servers } = this.session.frame;
    for (const [id, { box }] of this.#names) {
      const name = servers[id] ? shortName(servers, id) : id;
      say(box, name);
      put(box, "title", id);
      put(box, "data-long", name.length > 4 ? "true" : null);
      put(box, "style", `top:${(this.#lanes.get(id) ?? AXIS + ((this.#top - AXIS) / 2)) - 9}px`);
    }
    put(this.#svg, "aria-label", `${events.length} steps on ${lanes.size} lanes`);
  }

  /** @param {number} depth */
  #x(depth) {
    return this.#xs[depth] ?? this.#xs.at(-1) ?? 0;
  }

  /** Keep the step on screen in sight. */
  #reveal() {
    const x = this.#x(this.#cursor);
    const room = this.#width - 60;
    const left = this.#scroll.scrollLeft;
    if (x < left + 2 * STEP || x > left + room - 3 * STEP) this.#scroll.scrollLeft = Math.max(0, x - room * 0.72);
  }

  /** The first step at or after a place. @param {number} x */
  #depthAt(x) {
    let [low, high] = [0, Math.max(0, this.#causality.events.length - 1)];
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.#x(middle) < x) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  /** @returns {Set<number> | null} the steps that stand out, or null: all do */
  #chosen() {
    if (this.#mode === "all") return null;
    const cursor = this.#cursor;
    if (this.#mode === "focus") return this.#causality.around(cursor);
    const chosen = new Set();
    for (let depth = cursor; depth >= 0 && chosen.size < CONTEXT; depth -= 1) {
      if (this.#beats || !this.#causality.events[depth]?.quiet) chosen.add(depth);
    }
    return chosen;
  }

  #draw() {
    const left = this.#scroll.scrollLeft;
    const block = Math.floor(left / (MARGIN / 2));
    const look = `${block} ${this.#width}`;
    if (look === this.#look) return;
    this.#look = look;
    const low = Math.max(0, this.#depthAt(block * (MARGIN / 2) - MARGIN) - 1);
    const high = this.#depthAt(block * (MARGIN / 2) + this.#width + 1.5 * MARGIN);
    const ground = this.#ground();
    put(this.#now, "x", this.#x(this.#cursor) - STEP / 2);
    this.#drawStretches(low, high);
    this.#drawTimes(low, high);
    this.#drawSpots(low, high, ground);
    this.#drawArrows(low, high, ground);
    this.#drawBars(low, high, ground);
  }

  /** Roles and terms as the ground of each lane. @param {number} low @param {number} high */
  #drawStretches(low, high) {
    /** @type {Map<string, {from: number, to: number, y: number, stretch: Stretch}>} */
    const seen = new Map();
    const end = this.#causality.events.length;
    for (const [id, stretches] of this.#causality.lanes) {
      for (const [index, stretch] of stretches.entries()) {
        const to = stretches[index + 1]?.from ?? end;
        if (to < low || stretch.from > high) continue;
        seen.set(`${id} ${stretch.from}`, { from: stretch.from, to, y: this.#lanes.get(id) ?? 0, stretch });
      }
    }
    keep(this.#layers.stretches, this.#stretches, [...seen.keys()], () => ({ rect: draw("rect") }), ({ rect }) => rect);
    for (const [key, { rect }] of this.#stretches) {
      const { from = 0, to = 0, y = 0, stretch } = seen.get(key) ?? {};
      const tall = stretch?.role === "leader" ? 14 : stretch?.role === "crashed" ? 1 : 7;
      put(rect, "class", "rl-st-stretch");
      put(rect, "data-hue", hueOf(stretch?.term ?? 0));
      put(rect, "data-role", stretch?.role ?? "");
      put(rect, "x", (from ? this.#x(from) : 0).toFixed(1));
      put(rect, "width", Math.max(1, this.#x(to) - (from ? this.#x(from) : 0)).toFixed(1));
      put(rect, "y", y - tall / 2);
      put(rect, "height", tall);
    }
  }

  /** @param {number} low @param {number} high */
  #drawTimes(low, high) {
    const { tape } = this.session;
    const keys = [];
    let [last, shown] = [-Infinity, -1];
    for (let depth = low; depth <= high; depth += 1) {
      const x = this.#x(depth);
      const time = depth % 4 || x - last < 80 ? shown : tape.frame(tape.branch[depth] ?? 0).time_us;
      if (time === shown) continue;
      keys.push(String(depth));
      [last, shown] = [x, time];
    }
    keep(this.#layers.times, this.#times, keys, () => ({ text: draw("text", { class: "rl-st-time", y: 12 }) }), ({ text }) => text);
    for (const [key, { text }] of this.#times) {
      const id = tape.branch[Number(key)];
      put(text, "x", Math.max(26, this.#x(Number(key))).toFixed(1));
      if (id !== undefined) say(text, clockText(tape.frame(id).time_us));
    }
  }

  /** @returns {Ground} */
  #ground() {
    return {
      x: (depth) => this.#x(depth),
      lanes: this.#lanes,
      bottom: this.#top + this.#lanes.size * this.#lane,
      cursor: this.#cursor,
      last: this.#causality.events.length - 1,
      left: this.#scroll.scrollLeft,
      chosen: this.#chosen(),
    };
  }

  /** @param {number} low @param {number} high @param {Ground} ground */
  #drawSpots(low, high, ground) {
    const { tape } = this.session;
    const { events } = this.#causality;
    const shown = events.slice(low, high + 1).filter(({ quiet }) => this.#beats || !quiet);
    keep(this.#layers.spots, this.#spots, shown.map(({ depth }) => String(depth)), () => makeSpot(), ({ group }) => group);
    for (const event of shown) {
      const spot = this.#spots.get(String(event.depth));
      if (spot) paintSpot(spot, event, ground, tape.step(event.id).sentence, tape.frame(event.id));
    }
  }

  /** @param {number} low @param {number} high @param {Ground} ground */
  #drawArrows(low, high, ground) {
    const end = this.#causality.events.length;
    const shown = [];
    for (const arrow of this.#causality.arrows.values()) {
      if (arrow.from > high) break; // they stand in order of sending
      if ((arrow.to < 0 ? end : arrow.to) >= low && (this.#beats || !arrow.beat)) shown.push(arrow);
    }
    keep(this.#layers.arrows, this.#arrows, shown.map(({ id }) => id), (id) => makeArrow(id), ({ group }) => group);
    for (const arrow of shown) {
      const drawn = this.#arrows.get(arrow.id);
      if (drawn) paintArrow(drawn, arrow, ground);
    }
  }

  /** @param {number} low @param {number} high @param {Ground} ground */
  #drawBars(low, high, ground) {
    const { operations } = this.#causality;
    const shown = new Map(operations.filter(({ from, to }) => from <= high && (to < 0 || to >= low)).map((operation) => [`${operation.from}`, operation]));
    keep(this.#layers.bars, this.#bars, [...shown.keys()], () => makeBar(), ({ group }) => group);
    for (const [key, operation] of shown) {
      const bar = this.#bars.get(key);
      if (bar) paintBar(bar, operation, ground);
    }
  }

  /** A click on an arrow goes to where it arrives, any other click to the step at that place. @param {MouseEvent} event */
  #click(event) {
    const { session } = this;
    const about = /** @type {Element} */ (event.target).closest("[data-arrow]")?.getAttribute("data-arrow");
    const arrow = about ? this.#causality.arrows.get(about) : undefined;
    let depth = arrow ? (arrow.to < 0 ? arrow.from : arrow.to) : -1;
    if (depth < 0) {
      const x = event.clientX - this.#svg.getBoundingClientRect().x;
      depth = this.#depthAt(x - STEP / 2);
    }
    const id = session.tape.branch[depth];
    if (id === undefined) return;
    session.pause();
    session.go(id);
  }
}
