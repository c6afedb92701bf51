// @ts-check
import { draw } from "./dom.js";

/** Small drawings on a 16 x 16 ground, in the colour of the text around them. */

/** @type {Record<string, string>} stroke paths */
const ICON_STROKES = {
  start: "M4 3v10M13 3.5 6.5 8l6.5 4.5z",
  back: "M10.5 3.5 4.5 8l6 4.5z",
  forward: "M5.5 3.5l6 4.5-6 4.5z",
  end: "M12 3v10M3 3.5 9.5 8 3 12.5z",
  play: "M4.5 2.8 13 8l-8.5 5.2z",
  pause: "M5 3v10M11 3v10",
  step: "M3 3.5 9.5 8 3 12.5zM12.5 3v10",
  deliver: "M2 8h10M8.5 4.5 12 8l-3.5 3.5M14.5 3v10",
  drop: "M4 4l8 8M12 4l-8 8",
  duplicate: "M3 3h7v7H3zM6 12.8h7V6",
  hold: "M5.5 4v8M10.5 4v8",
  release: "M5 3.5 12 8l-7 4.5z",
  crash: "M4 4l8 8M12 4l-8 8",
  more: "M5 6l3 3 3-3",
  clock: "M8 2a6 6 0 1 0 0 12 6 6 0 1 0 0 -12zM8 4.8V8l2.4 1.6",
  tree: "M2.5 8h4M6.5 8c2 0 1.5-4.5 4-4.5H13.5M6.5 8c2 0 1.5 4.5 4 4.5H13.5",
  copy: "M3 3h7v7H3zM6 12.8h7V6",
  left: "M9.5 4 5.5 8l4 4",
  right: "M6.5 4l4 4-4 4",
};

const FILLED_ICONS = new Set(["play", "start", "back", "forward", "end", "step", "release"]);

/** @param {string} name @returns {SVGSVGElement} */
export function icon(name) {
  const path = draw("path", { d: ICON_STROKES[name] ?? ICON_STROKES.forward ?? "" });
  const kind = FILLED_ICONS.has(name) ? "rl-icon rl-icon-filled" : "rl-icon";
  return draw("svg", { viewBox: "0 0 16 16", class: kind, "aria-hidden": "true" }, path);
}

/** A leader's crown, drawn around (0, 0). */
export const CROWN = "M-10 6 -11.5 -5 -5.5 -0.5 0 -7.5 5.5 -0.5 11.5 -5 10 6z";

/**
 * The outline of a message of this kind, drawn around (0, 0): votes are diamonds (as the candidate who asks; pre-votes
 * are dashed, by the style sheet), appends are squares (as the cells they carry), heartbeats are circles, snapshots
 * are sheets, anything else is a hexagon (as the leader who hands over).
 * @param {string} kind @param {boolean} heartbeat
 */
export function messageOutline(kind, heartbeat) {
  if (/Vote/.test(kind)) return "M0 -10.5 10.5 0 0 10.5 -10.5 0z";
  if (/Snapshot/.test(kind)) return "M-8 -10h10.5l5.5 5.5v14.5h-16z";
  if (heartbeat) return "M-8.5 0a8.5 8.5 0 1 0 17 0a8.5 8.5 0 1 0 -17 0z";
  if (/AppendEntries/.test(kind)) return "M-8 -8h16v16h-16z";
  return "M-5 -9h10l5 9 -5 9h-10l-5 -9z";
}

/** What is written inside the outline: ✓ or ✗ for a reply, a beat for a heartbeat, lines for a snapshot, an arrow up for
 * the wish to take over, nothing for other requests.
 * @param {{kind: string, reply: boolean, ok: boolean, heartbeat: boolean}} message */
export function messageMark(message) {
  if (message.reply) return message.ok ? "M-4 0.5 -1.2 3.2 4.2 -3" : "M-3.2 -3.2 3.2 3.2M3.2 -3.2 -3.2 3.2";
  if (message.kind === "InstallSnapshot") return "M-4.5 -3h7M-4.5 1h9M-4.5 5h9";
  if (message.kind === "TimeoutNow") return "M0 5V-5M-4 -1 0 -5 4 -1";
  return message.heartbeat ? "M-5.5 0h2.5l1.5 -4 2.5 7 1.5 -3h3" : "";
}

/** A small picture of a message, for lists and legends.
 * @param {{kind: string, reply: boolean, ok: boolean, heartbeat: boolean}} message @param {string} hue */
export function messagePicture(message, hue) {
  return draw(
    "svg",
    { viewBox: "-12 -12 24 24", class: "rl-message-picture", "data-hue": hue, "data-kind": message.kind, "aria-hidden": "true" },
    draw("path", { d: messageOutline(message.kind, message.heartbeat), class: message.reply ? "rl-reply" : "rl-request" }),
    draw("path", { d: messageMark(message), class: "rl-message-mark" }),
  );
}
