// @ts-check
import { draw, hueOf, make } from "./dom.js";
import { roleWords } from "./cluster.js";

/** A situation in the small: who leads, who asks, who is down, and in which term. */

/** @typedef {import("./tape.js").Frame} Frame */

const SIZE = 132;
const SEAT = 13;

/** @type {Record<string, string>} outlines around (0, 0), as on the ring: the shape tells the role */
const SHAPES = {
  leader: "M0 -15 13 -7.5 13 7.5 0 15 -13 7.5 -13 -7.5z",
  candidate: "M0 -16 16 0 0 16 -16 0z",
  precandidate: "M0 -16 16 0 0 16 -16 0z",
  follower: `M-${SEAT} 0a${SEAT} ${SEAT} 0 1 0 ${2 * SEAT} 0a${SEAT} ${SEAT} 0 1 0 -${2 * SEAT} 0z`,
};

/** @param {Frame} frame @returns {SVGSVGElement} */
function ring(frame) {
  const ids = Object.keys(frame.servers);
  const centre = SIZE / 2;
  const seats = new Map(ids.map((id, n) => {
    const angle = (2 * Math.PI * n) / ids.length - Math.PI / 2;
    return [id, { x: centre + 46 * Math.cos(angle), y: centre + 46 * Math.sin(angle) }];
  }));
  const links = ids.flatMap((a, n) => ids.slice(n + 1).map((b) => {
    const cut = frame.cuts[`${a}>${b}`] || frame.cuts[`${b}>${a}`];
    const [from, to] = [seats.get(a), seats.get(b)];
    return cut && from && to ? `M${from.x.toFixed(1)} ${from.y.toFixed(1)}L${to.x.toFixed(1)} ${to.y.toFixed(1)}` : "";
  }));
  const nodes = ids.flatMap((id) => {
    const server = frame.servers[id];
    const seat = seats.get(id);
    if (!server || !seat) return [];
    const name = draw("text", { y: 1, class: "rl-mini-name" });
    name.textContent = id;
    const term = draw("text", { y: 10, class: "rl-mini-term" });
    term.textContent = `t${server.term}`;
    return [draw("g", { transform: `translate(${seat.x.toFixed(1)} ${seat.y.toFixed(1)})`, "data-hue": hueOf(server.term), "data-crashed": String(server.crashed), "data-role": server.role, class: "rl-mini-node" },
      draw("path", { d: SHAPES[server.crashed ? "follower" : server.role] ?? SHAPES.follower ?? "", class: "rl-mini-shape" }), name, term)];
  });
  return draw("svg", { viewBox: `0 0 ${SIZE} ${SIZE}`, width: SIZE, height: SIZE, class: "rl-mini", "aria-hidden": "true" }, draw("path", { d: links.join(""), class: "rl-mini-cut" }), ...nodes);
}

/** The picture and its sentence. @param {Frame} frame @param {string} heading @param {string} sentence @returns {HTMLElement} */
export function miniature(frame, heading, sentence) {
  const known = Object.keys(frame.servers).filter((id) => !["follower"].includes(roleWords(frame, id))).map((id) => `${id} ${roleWords(frame, id)}`);
  return make("div", { class: "rl-miniature" }, ring(frame),
    make("div", {}, make("strong", {}, heading), make("p", {}, sentence), make("p", { class: "rl-quiet" }, known.join(", "))));
}
