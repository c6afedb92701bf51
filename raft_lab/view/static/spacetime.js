// @ts-check
import { Causality, OPERATION_ROWS } from "./causality.js";
import { clockText, draw, hueOf, keep, make, put, say, show } from "./dom.js";
import { CROWN, messageMark, messageOutline } from "./icons.js";

/** The space-time diagram: a lane for each server, steps from left to right, an arrow for each message. Only what is in sight is drawn. */

/** @typedef {import("./session.js").Session} Session */
/** @typedef {import("./causality.js").Happening} Happening */
/** @typedef {import("./causality.js").Arrow} Arrow */
/** @typedef {import("./causality.js").Stretch} Stretch */
/** @typedef {import("./causality.js").Operation} Operation */
/** @typedef {{group: SVGGElement, line: SVGPathElement, head: SVGPathElement, kind: SVGPathElement, mark: SVGPathElement, label: SVGTextElement, title: SVGTitleElement}} Drawn */
/** @typedef {{group: SVGGElement, spot: SVGPathElement, crown: SVGPathElement, tick: SVGTextElement, rule: SVGPathElement, title: SVGTitleElement}} Spot */
/** @typedef {{group: SVGGElement, bar: SVGRectElement, point: SVGPathElement, words: SVGTextElement, title: SVGTitleElement}} Bar */
/** @typedef {"focus" | "context" | "all"} Mode */

const STEP = 27;
const SQUEEZED = 5;
const LANE = 43;
const NARROWEST_LANE = 28;
const AXIS = 18;
const BAR = 15;
const MARGIN = 700;
const CONTEXT = 8;
const MODES = /** @type {[Mode, string, string][]} */ ([
  ["all", "All", "every step alike"],
  ["context", "Last few", "the last few steps before this one stand out"],
  ["focus", "This step", "only what led to this step, and what came of it, stands out"],
]);
/** What happens to a server by itself, by verb; anything else is a small ring. @type {Record<string, string>} */
const SPOTS = {
  deliver: "M-3.4 0a3.4 3.4 0 1 0 6.8 0a3.4 3.4 0 1 0 -6.8 0z",
  timeout: "M0 -6.5 6.5 0 0 6.5 -6.5 0z",
  crash: "M-5 -5 5 5M5 -5 -5 5",
  restart: "M-5 0a5 5 0 1 0 10 0a5 5 0 1 0 -10 0zM-5 0h10",
  propose: "M-4 -4h8v8h-8z",
  read: "M-4 -4h8v8h-8z",
};
const RING = "M-2.8 0a2.8 2.8 0 1 0 5.6 0a2.8 2.8 0 1 0 -5.6 0z";

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
  /** @type {Map<string, Drawn>} */
  #arrows = new Map();
  /** @type {Map<string, Spot>} */
  #spots = new Map();
  /** @type {Map<string, Bar>} */
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
    for (const [id, { box }] of this.#names) put(box, "style", `top:${(this.#lanes.get(id) ?? AXIS + ((this.#top - AXIS) / 2)) - 9}px`);
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
    const chosen = this.#chosen();
    put(this.#now, "x", this.#x(this.#cursor) - STEP / 2);
    this.#drawStretches(low, high);
    this.#drawTimes(low, high);
    this.#drawSpots(low, high, chosen);
    this.#drawArrows(low, high, chosen);
    this.#drawBars(low, high);
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
      put(text, "x", this.#x(Number(key)).toFixed(1));
      if (id !== undefined) say(text, clockText(tape.frame(id).time_us));
    }
  }

  /** @param {number} low @param {number} high @param {Set<number> | null} chosen */
  #drawSpots(low, high, chosen) {
    const { events } = this.#causality;
    const shown = events.slice(low, high + 1).filter(({ quiet }) => this.#beats || !quiet);
    keep(this.#layers.spots, this.#spots, shown.map(({ depth }) => String(depth)), () => makeSpot(), ({ group }) => group);
    for (const event of shown) {
      const spot = this.#spots.get(String(event.depth));
      if (spot) this.#paintSpot(spot, event, chosen);
    }
  }

  /** @param {Spot} spot @param {Happening} event @param {Set<number> | null} chosen */
  #paintSpot({ group, spot, crown, tick, rule, title }, event, chosen) {
    const y = this.#lanes.get(event.lane);
    const everywhere = y === undefined;
    const sentence = this.session.tape.step(event.id).sentence;
    put(group, "transform", `translate(${this.#x(event.depth).toFixed(1)} ${everywhere ? AXIS - 4 : y})`);
    put(group, "class", `rl-st-spot${this.#dim(event.depth, chosen)}`);
    put(group, "data-verb", event.verb);
    put(group, "data-about", event.lane || null);
    put(group, "data-depth", event.depth);
    say(title, `Step ${event.id}: ${sentence}`);
    put(spot, "d", event.verb === "drop" ? "" : everywhere ? "" : (SPOTS[event.verb] ?? RING));
    show(rule, everywhere && event.verb !== "start" && event.verb !== "drop");
    if (everywhere) put(rule, "d", `M0 0V${this.#top - AXIS + 4 + this.#lanes.size * this.#lane}`);
    show(crown, event.marks.includes("leader"));
    const broken = event.marks.includes("violation");
    say(tick, broken ? "✗ broken" : event.commits.length ? `✓ ${this.#committed(event)}` : "");
    put(tick, "class", broken ? "rl-st-tick rl-st-broken" : "rl-st-tick");
  }

  /** @param {Happening} event */
  #committed(event) {
    const servers = this.session.tape.frame(event.id).servers;
    return Math.max(...event.commits.map((name) => servers[name]?.commit_index ?? 0));
  }

  /** @param {number} depth @param {Set<number> | null} chosen */
  #dim(depth, chosen) {
    return `${chosen && !chosen.has(depth) ? " rl-st-dim" : ""}${depth > this.#cursor ? " rl-st-later" : ""}`;
  }

  /** @param {number} low @param {number} high @param {Set<number> | null} chosen */
  #drawArrows(low, high, chosen) {
    const end = this.#causality.events.length;
    const shown = [];
    for (const arrow of this.#causality.arrows.values()) {
      if (arrow.from > high) break; // they stand in order of sending
      if ((arrow.to < 0 ? end : arrow.to) >= low && (this.#beats || !arrow.beat)) shown.push(arrow);
    }
    keep(this.#layers.arrows, this.#arrows, shown.map(({ id }) => id), (id) => makeArrow(id), ({ group }) => group);
    for (const arrow of shown) {
      const drawn = this.#arrows.get(arrow.id);
      if (drawn) this.#paintArrow(drawn, arrow, chosen);
    }
  }

  /** @param {Drawn} drawn @param {Arrow} arrow @param {Set<number> | null} chosen */
  #paintArrow({ group, line, head, kind, mark, label, title }, arrow, chosen) {
    const { message, from, to, lost } = arrow;
    const cursor = this.#cursor;
    const [x1, y1, y2] = [this.#x(from), this.#lanes.get(message.src), this.#lanes.get(message.dst)];
    show(group, y1 !== undefined && y2 !== undefined);
    if (y1 === undefined || y2 === undefined) return;
    const flying = to < 0;
    const whole = flying || lost ? 0.62 : 1;
    const x2 = flying ? this.#x(this.#causality.events.length - 1) + STEP * 0.8 : this.#x(to);
    const [dx, dy] = [x2 - x1, (y2 - y1) * whole];
    const length = Math.hypot(dx, dy) || 1;
    const short = flying || lost ? 0 : 4;
    const [ex, ey] = [x1 + dx * (1 - short / length), y1 + dy * (1 - short / length)];
    const dim = chosen && !(chosen.has(from) && (flying || chosen.has(to)));
    const speaks = chosen ? !dim : from === cursor || to === cursor;
    put(group, "class", `rl-st-arrow${dim ? " rl-st-dim" : ""}${from > cursor ? " rl-st-later" : ""}${flying || to > cursor ? " rl-st-flying" : ""}${lost ? " rl-st-lost" : ""}${speaks ? " rl-st-speaks" : ""}`);
    put(line, "d", `M${x1.toFixed(1)} ${y1}L${ex.toFixed(1)} ${ey.toFixed(1)}`);
    put(head, "d", lost ? "M-4.5 -4.5 4.5 4.5M4.5 -4.5 -4.5 4.5" : "M-8 -3.6 0 0 -8 3.6z");
    const turn = lost ? 0 : (Math.atan2(dy, dx) * 180) / Math.PI;
    put(head, "transform", `translate(${ex.toFixed(1)} ${ey.toFixed(1)}) rotate(${turn.toFixed(1)})`);
    const place = `translate(${(x1 + dx * 0.42).toFixed(1)} ${(y1 + dy * 0.42).toFixed(1)}) scale(0.52)`;
    put(group, "data-hue", hueOf(message.term));
    put(kind, "d", messageOutline(message.kind, message.heartbeat));
    put(kind, "class", message.reply ? "rl-outline rl-reply" : "rl-outline rl-request");
    put(group, "data-kind", message.kind);
    put(kind, "transform", place);
    put(mark, "d", messageMark(message));
    put(mark, "transform", place);
    put(label, "x", (x1 + dx * 0.42 + 8).toFixed(1));
    put(label, "y", (y1 + dy * 0.42 + 3.5).toFixed(1));
    say(label, message.label);
    say(title, `${message.src} → ${message.dst}: ${message.text}${lost ? " (lost)" : flying ? " (in flight)" : ""}`);
  }

  /** @param {number} low @param {number} high */
  #drawBars(low, high) {
    const { operations, events } = this.#causality;
    const shown = new Map(operations.filter(({ from, to }) => from <= high && (to < 0 || to >= low)).map((operation) => [`${operation.from}`, operation]));
    keep(this.#layers.bars, this.#bars, [...shown.keys()], () => makeBar(), ({ group }) => group);
    for (const [key, operation] of shown) {
      const bar = this.#bars.get(key);
      if (bar) this.#paintBar(bar, operation, events.length - 1);
    }
  }

  /** @param {Bar} bar @param {Operation} operation @param {number} last */
  #paintBar({ group, bar, point, words, title }, { from, to, point: at, words: text, outcome, row, index, server }, last) {
    const x = this.#x(from);
    const width = Math.max(9, (to < 0 ? this.#x(last) + STEP * 0.8 : this.#x(to)) - x);
    const y = AXIS + row * BAR + 2;
    put(group, "class", `rl-st-bar${to < 0 ? " rl-st-open" : ""}${outcome === "rejected" || outcome === "lost" ? " rl-st-failed" : ""}${from > this.#cursor ? " rl-st-later" : ""}`);
    put(bar, "x", x.toFixed(1));
    put(bar, "y", y);
    put(bar, "width", width.toFixed(1));
    const committed = at >= 0;
    show(point, committed);
    if (committed) put(point, "transform", `translate(${this.#x(at).toFixed(1)} ${y + 6})`);
    const hidden = Math.max(0, Math.min(width - 40, this.#scroll.scrollLeft - x)); // the words stay in sight as long as the bar does
    put(words, "x", (x + hidden + 5).toFixed(1));
    put(words, "y", y + 9.5);
    const room = Math.floor((width - hidden - 8) / 6);
    say(words, outcome === "rejected" ? "✗" : text.length > room ? text.slice(0, Math.max(0, room - 1)) : text);
    say(title, `${text} at ${server}: ${outcome || "no answer yet"}${index ? `, entry ${index}` : ""}${committed ? "; ◆ where it takes effect" : ""}`);
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

/** @param {string} id @returns {Drawn} */
function makeArrow(id) {
  const parts = { title: draw("title"), line: draw("path", { class: "rl-st-line" }), head: draw("path", { class: "rl-st-head" }), kind: draw("path"), mark: draw("path", { class: "rl-message-mark" }), label: draw("text", { class: "rl-st-label" }) };
  return { group: draw("g", { "data-arrow": id, "data-about": id }, parts.title, parts.line, parts.head, parts.kind, parts.mark, parts.label), ...parts };
}

/** @returns {Spot} */
function makeSpot() {
  const parts = { title: draw("title"), rule: draw("path", { class: "rl-st-rule" }), spot: draw("path", { class: "rl-st-dot" }), crown: draw("path", { d: CROWN, class: "rl-crown", transform: "translate(0 -14) scale(0.55)" }), tick: draw("text", { class: "rl-st-tick", y: 16 }) };
  return { group: draw("g", {}, parts.title, parts.rule, parts.spot, parts.crown, parts.tick), ...parts };
}

/** @returns {Bar} */
function makeBar() {
  const parts = { title: draw("title"), bar: draw("rect", { height: 12, rx: 2.5 }), point: draw("path", { class: "rl-st-point", d: "M0 -5.5 4.5 0 0 5.5 -4.5 0z" }), words: draw("text", {}) };
  return { group: draw("g", {}, parts.title, parts.bar, parts.words, parts.point), ...parts };
}
