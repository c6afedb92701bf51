// @ts-check
import { draw, hueOf, put, say, show } from "./dom.js";
import { CROWN, messageMark, messageOutline } from "./icons.js";

/** What stands in a space-time diagram: spots for what happens to servers, arrows for messages, bars for what clients ask. */

/** @typedef {import("./tape.js").Frame} Frame */
/** @typedef {import("./causality.js").Happening} Happening */
/** @typedef {import("./causality.js").Arrow} Arrow */
/** @typedef {import("./causality.js").Operation} Operation */
/** @typedef {{group: SVGGElement, line: SVGPathElement, head: SVGPathElement, kind: SVGPathElement, mark: SVGPathElement, label: SVGTextElement, title: SVGTitleElement}} Drawn */
/** @typedef {{group: SVGGElement, spot: SVGPathElement, crown: SVGPathElement, tick: SVGTextElement, rule: SVGPathElement, title: SVGTitleElement}} Spot */
/** @typedef {{group: SVGGElement, bar: SVGRectElement, point: SVGPathElement, words: SVGTextElement, title: SVGTitleElement}} Bar */
/**
 * @typedef {object} Ground where everything stands
 * @property {(depth: number) => number} x of a step @property {Map<string, number>} lanes the height of each server's lane
 * @property {number} bottom @property {number} cursor the depth of the step on screen @property {number} last the depth of the last one
 * @property {number} left how far it is scrolled @property {Set<number> | null} chosen the depths that stand out, or null: all do
 */

export const STEP = 27;
export const AXIS = 18;
export const BAR = 15;
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

/** Does a step stand back, and is it still to come? @param {number} depth @param {Ground} ground */
function dimmed(depth, { chosen, cursor }) {
  return `${chosen && !chosen.has(depth) ? " rl-st-dim" : ""}${depth > cursor ? " rl-st-later" : ""}`;
}

/** @param {string} id @returns {Drawn} */
export function makeArrow(id) {
  const parts = { title: draw("title"), line: draw("path", { class: "rl-st-line" }), head: draw("path", { class: "rl-st-head" }), kind: draw("path"), mark: draw("path", { class: "rl-message-mark" }), label: draw("text", { class: "rl-st-label" }) };
  return { group: draw("g", { "data-arrow": id, "data-about": id }, parts.title, parts.line, parts.head, parts.kind, parts.mark, parts.label), ...parts };
}

/** @returns {Spot} */
export function makeSpot() {
  const parts = { title: draw("title"), rule: draw("path", { class: "rl-st-rule" }), spot: draw("path", { class: "rl-st-dot" }), crown: draw("path", { d: CROWN, class: "rl-crown", transform: "translate(0 -14) scale(0.55)" }), tick: draw("text", { class: "rl-st-tick", y: 16 }) };
  return { group: draw("g", {}, parts.title, parts.rule, parts.spot, parts.crown, parts.tick), ...parts };
}

/** @returns {Bar} */
export function makeBar() {
  const parts = { title: draw("title"), bar: draw("rect", { height: 12, rx: 2.5 }), point: draw("path", { class: "rl-st-point", d: "M0 -5.5 4.5 0 0 5.5 -4.5 0z" }), words: draw("text", {}) };
  return { group: draw("g", {}, parts.title, parts.bar, parts.words, parts.point), ...parts };
}

/** @param {Spot} spot @param {Happening} event @param {Ground} ground @param {string} sentence @param {Frame} frame after it */
export function paintSpot({ group, spot, crown, tick, rule, title }, event, ground, sentence, frame) {
  const y = ground.lanes.get(event.lane);
  const everywhere = y === undefined;
  put(group, "transform", `translate(${ground.x(event.depth).toFixed(1)} ${everywhere ? AXIS - 4 : y})`);
  put(group, "class", `rl-st-spot${dimmed(event.depth, ground)}`);
  put(group, "data-verb", event.verb);
  put(group, "data-about", event.lane || null);
  put(group, "data-depth", event.depth);
  say(title, `Step ${event.id}: ${sentence}`);
  put(spot, "d", event.verb === "drop" ? "" : everywhere ? "" : (SPOTS[event.verb] ?? RING));
  show(rule, everywhere && event.verb !== "start" && event.verb !== "drop");
  if (everywhere) put(rule, "d", `M0 0V${ground.bottom - AXIS + 4}`);
  show(crown, event.marks.includes("leader"));
  const broken = event.marks.includes("violation");
  say(tick, broken ? "✗ broken" : event.commits.length ? `✓ ${Math.max(...event.commits.map((name) => frame.servers[name]?.commit_index ?? 0))}` : "");
  put(tick, "class", broken ? "rl-st-tick rl-st-broken" : "rl-st-tick");
}

/** @param {Drawn} drawn @param {Arrow} arrow @param {Ground} ground */
export function paintArrow({ group, line, head, kind, mark, label, title }, arrow, ground) {
  const { message, from, to, lost } = arrow;
  const { cursor, chosen } = ground;
  const [x1, y1, y2] = [ground.x(from), ground.lanes.get(message.src), ground.lanes.get(message.dst)];
  show(group, y1 !== undefined && y2 !== undefined);
  if (y1 === undefined || y2 === undefined) return;
  const flying = to < 0;
  const whole = flying || lost ? 0.62 : 1;
  const x2 = flying ? ground.x(ground.last) + STEP * 0.8 : ground.x(to);
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

/** @param {Bar} drawn @param {Operation} operation @param {Ground} ground */
export function paintBar({ group, bar, point, words, title }, { from, to, point: at, words: text, outcome, row, index, server }, ground) {
  const x = ground.x(from);
  const width = Math.max(9, (to < 0 ? ground.x(ground.last) + STEP * 0.8 : ground.x(to)) - x);
  const y = AXIS + row * BAR + 2;
  put(group, "class", `rl-st-bar${to < 0 ? " rl-st-open" : ""}${outcome === "rejected" || outcome === "lost" ? " rl-st-failed" : ""}${from > ground.cursor ? " rl-st-later" : ""}`);
  put(bar, "x", x.toFixed(1));
  put(bar, "y", y);
  put(bar, "width", width.toFixed(1));
  const committed = at >= 0;
  show(point, committed);
  if (committed) put(point, "transform", `translate(${ground.x(at).toFixed(1)} ${y + 6})`);
  const hidden = Math.max(0, Math.min(width - 40, ground.left - x)); // the words stay in sight as long as the bar does
  put(words, "x", (x + hidden + 5).toFixed(1));
  put(words, "y", y + 9.5);
  const room = Math.floor((width - hidden - 8) / 6);
  say(words, outcome === "rejected" ? "✗" : text.length > room ? text.slice(0, Math.max(0, room - 1)) : text);
  say(title, `${text} at ${server}: ${outcome || "no answer yet"}${index ? `, entry ${index}` : ""}${committed ? "; ◆ where it takes effect" : ""}`);
}
