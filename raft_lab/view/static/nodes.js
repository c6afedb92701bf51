// @ts-check
import { draw, hueOf, keep, put, say, show } from "./dom.js";
import { CENTRE, RING_WIDTH, nodeSizeFor, seatOf } from "./circle.js";
import { isAsking, membershipWords, roleWords, voteWords } from "./cluster.js";
import { BALLOT_WORDS } from "./ballots.js";
import { CROWN } from "./icons.js";
import { shortName } from "./names.js";

/** The servers on the ring: role by shape and by word, the term in print, the timer as an arc, ballots as dots. */

/** @typedef {import("./tape.js").Frame} Frame */
/** @typedef {import("./tape.js").Server} Server */
/** @typedef {import("./circle.js").Point} Point */
/** @typedef {import("./ballots.js").Ballot} Ballot */
/** @typedef {import("./ring.js").News} News */
/**
 * @typedef {object} Node
 * @property {SVGGElement} group @property {SVGPathElement} shape @property {SVGPathElement} crown
 * @property {SVGPathElement} cross @property {SVGTextElement} name @property {SVGTextElement} term
 * @property {SVGTextElement} role @property {SVGTextElement} votes @property {SVGGElement} reads @property {SVGGElement} disk @property {SVGGElement} watches @property {SVGPathElement} arc
 * @property {SVGCircleElement} pulse @property {SVGGElement} ballots @property {SVGTitleElement} title
 * @property {Map<string, {dot: SVGGElement, title: SVGTitleElement}>} dots @property {Server | undefined} seen @property {string} member
 */

/** What part of its timer a server has left, 0 to 1. @param {Server} server @param {number} clock */
export function timerLeft(server, clock) {
  const { kind, from_us, due_us } = server.timer;
  if (!kind || server.crashed || due_us <= from_us) return 0;
  return Math.min(1, Math.max(0, (due_us - clock) / (due_us - from_us)));
}

export class Nodes {
  /** @type {Map<string, Node>} */
  #nodes = new Map();
  #ids = "";
  /** @type {Map<string, Point>} */
  seats = new Map();
  size = nodeSizeFor(5);
  layer = draw("g", { class: "rl-nodes" });

  /** @param {(id: string, element: SVGElement) => void} pick */
  constructor(pick) {
    this.pick = pick;
  }

  /** Give every server its seat. True if the seating has changed. @param {Frame} frame */
  seat(frame) {
    const ids = Object.keys(frame.servers);
    if (ids.join(" ") === this.#ids) return false;
    this.#ids = ids.join(" ");
    this.size = nodeSizeFor(ids.length);
    this.seats = new Map(ids.map((id, i) => [id, seatOf(i, ids.length)]));
    const make = (/** @type {string} */ id) => this.#make(id, shortName(frame.servers, id));
    keep(this.layer, this.#nodes, [], make, (node) => node.group);
    keep(this.layer, this.#nodes, ids, make, (node) => node.group);
    return true;
  }

  /** @param {string} id @param {string} name as it stands in the node @returns {Node} */
  #make(id, name) {
    const { x, y } = this.seats.get(id) ?? { x: 0, y: 0 };
    const r = this.size;
    const above = y < CENTRE.y;
    const outward = x < CENTRE.x - 1 ? -1 : 1;
    const node = {
      shape: draw("path", { class: "rl-shape" }),
      crown: draw("path", { d: CROWN, class: "rl-crown", transform: `translate(0 ${-r * 0.57}) scale(${r / 38})` }),
      cross: draw("path", { d: `M${-r * 0.6} ${-r * 0.6} ${r * 0.6} ${r * 0.6}M${r * 0.6} ${-r * 0.6} ${-r * 0.6} ${r * 0.6}`, class: "rl-cross" }),
      name: draw("text", { class: "rl-node-name", "font-size": Math.min(r / 2, (2 * r - 8) / (0.62 * name.length)).toFixed(1) }),
      term: draw("text", { class: "rl-node-term" }),
      role: draw("text", { class: "rl-node-role", y: above ? -r - 17 : r + 26 }),
      votes: draw("text", { class: "rl-node-votes", y: above ? -r - 32 : r + 41 }),
      arc: draw("path", { class: "rl-timer" }),
      pulse: draw("circle", { r: r + 2, class: "rl-pulse" }),
      ballots: draw("g", { class: "rl-ballots" }),
      title: draw("title"),
      reads: badge("rl-reads", outward * (r + 22), r * 0.74, 56),
      disk: badge("rl-disk", outward * (r + 17), -r * 0.74),
      watches: badge("rl-watches", outward * (r + 40), 0, 56),
    };
    const group = draw(
      "g",
      { class: "rl-node", "data-server": id, tabindex: 0, role: "button", "aria-haspopup": "menu", transform: `translate(${x.toFixed(1)} ${y.toFixed(1)})` },
      node.title, draw("circle", { r: r + 14, class: "rl-focus" }), draw("circle", { r: r + 9, class: "rl-dial" }), node.pulse, node.arc, node.shape, node.cross, node.crown,
      node.name, node.term, node.ballots, node.reads, node.disk, node.watches, node.role, node.votes,
    );
    say(node.name, name);
    group.addEventListener("click", () => this.pick(id, group));
    group.addEventListener("keydown", (event) => {
      if (event.key !== "Enter") return;
      event.preventDefault();
      event.stopPropagation();
      this.pick(id, group);
    });
    return { group, ...node, dots: new Map(), seen: undefined, member: "" };
  }

  /** @param {Frame} frame @param {News} news */
  update(frame, news) {
    for (const [id, node] of this.#nodes) {
      const server = frame.servers[id];
      if (!server) continue;
      this.#paint(node, id, server, frame);
      this.#ballots(node, id, news.ballots[id] ?? {});
      put(node.group, "data-changed", news.changed[id] ?? null);
    }
    this.timers(frame, frame.time_us);
  }

  /** @param {Node} node @param {string} id @param {Server} server @param {Frame} frame */
  #paint(node, id, server, frame) {
    const words = roleWords(frame, id);
    const member = membershipWords(frame, id);
    const candidate = isAsking(server);
    const votes = candidate ? voteWords(frame, id) : "";
    put(node.group, "data-state", words);
    put(node.group, "data-member", member || null);
    const { role, beneath } = captions(words, member, votes);
    say(node.role, role);
    say(node.votes, beneath);
    this.#lean(node, id, Math.max(role.length, beneath.length));
    const watches = Object.values(frame.store?.watches ?? {}).filter(({ member: at }) => at === id).length;
    show(node.watches, watches > 0);
    say(/** @type {Element} */ (node.watches.lastElementChild), watches === 1 ? "1 watch" : `${watches} watch`);
    if (node.seen === server && node.member === member && !candidate) return;
    node.seen = server;
    node.member = member;
    put(node.group, "data-role", server.role);
    put(node.group, "data-term", server.term);
    put(node.group, "data-crashed", server.crashed ? "true" : null);
    put(node.group, "data-hue", hueOf(server.term));
    put(node.group, "aria-label", [id, words, `term ${server.term}`, member, votes].filter(Boolean).join(", "));
    say(node.title, tooltip(id, words, server, votes));
    put(node.shape, "d", nodeOutline(server.crashed ? "follower" : server.role, this.size));
    show(node.crown, server.role === "leader" && !server.crashed);
    show(node.cross, server.crashed);
    say(node.term, `term ${server.term}`);
    const low = server.role === "leader" && !server.crashed ? 5 : 0;
    put(node.name, "y", low);
    put(node.term, "y", low + 14);
    const reads = Object.keys(server.reads ?? {}).length;
    show(node.reads, reads > 0);
    say(/** @type {Element} */ (node.reads.lastElementChild), reads === 1 ? "1 read" : `${reads > 99 ? "99+" : reads} reads`);
    const writes = !server.crashed && ((server.waiting ?? 0) > 0 || (server.durable_index ?? server.last_index) < server.last_index);
    show(node.disk, writes);
    say(/** @type {Element} */ (node.disk.lastElementChild), server.waiting ? `disk: ${server.waiting}` : "disk");
    put(node.arc, "data-kind", server.timer.kind || null);
  }

  /** Words stand a little to the outside of their node, but inside the picture. @param {Node} node @param {string} id @param {number} letters */
  #lean(node, id, letters) {
    const { x } = this.seats.get(id) ?? CENTRE;
    const half = letters * 3.5;
    const wish = x + ((x - CENTRE.x) / CENTRE.x) * 20;
    const place = Math.min(RING_WIDTH - 2 - half, Math.max(2 + half, wish)) - x;
    put(node.role, "x", place.toFixed(1));
    put(node.votes, "x", place.toFixed(1));
  }

  /** One ballot per voter, on the side where that voter sits: ● granted, ✗ refused, ◐ answered, ○ asked, · nothing.
   * @param {Node} node @param {string} id @param {Record<string, Ballot>} ballots */
  #ballots(node, id, ballots) {
    const here = this.seats.get(id) ?? { x: 0, y: 0 };
    const peers = Object.keys(ballots).filter((peer) => this.seats.has(peer));
    keep(node.ballots, node.dots, peers, (peer) => {
      const there = this.seats.get(peer) ?? here;
      const angle = Math.atan2(there.y - here.y, there.x - here.x);
      const reach = this.size + 19;
      const title = draw("title");
      const transform = `translate(${(reach * Math.cos(angle)).toFixed(1)} ${(reach * Math.sin(angle)).toFixed(1)})`;
      return { title, dot: draw("g", { transform, "data-peer": peer }, title, draw("circle"), draw("path")) };
    }, ({ dot }) => dot);
    for (const [peer, { dot, title }] of node.dots) {
      const ballot = ballots[peer] ?? "nothing";
      const [, circle, mark] = /** @type {Element[]} */ ([...dot.children]);
      put(dot, "class", `rl-ballot rl-${ballot}`);
      say(title, `${peer}: ${BALLOT_WORDS[ballot]}`);
      if (circle) put(circle, "r", ballot === "nothing" ? 1.8 : 5);
      if (mark) put(mark, "d", ballotMark(ballot));
    }
  }

  /** Let the timers show this moment. @param {Frame} frame @param {number} clock */
  timers(frame, clock) {
    for (const [id, node] of this.#nodes) {
      const server = frame.servers[id];
      if (server) put(node.arc, "d", arcPath(timerLeft(server, clock), this.size + 9));
    }
  }

  /** Something arrived here. @param {string} id @param {number} after */
  pulse(id, after) {
    this.#nodes.get(id)?.pulse.animate(
      [{ opacity: 0.9, transform: "scale(1)" }, { opacity: 0, transform: "scale(1.45)" }],
      { duration: 320, delay: after, easing: "ease-out" },
    );
  }
}

/** What stands inside a ballot. @param {Ballot} ballot */
export function ballotMark(ballot) {
  if (ballot === "refused") return "M-2.6 -2.6 2.6 2.6M2.6 -2.6 -2.6 2.6";
  return ballot === "reply" ? "M0 -5a5 5 0 0 1 0 10z" : "";
}

/** A small plate with a word, beside a node. @param {string} name @param {number} x @param {number} y @param {number} [width] */
function badge(name, x, y, width = 44) {
  const place = { class: `rl-plate ${name}`, transform: `translate(${x.toFixed(1)} ${y.toFixed(1)})` };
  return draw("g", place, draw("rect", { x: -width / 2, y: -8.5, width, height: 17, rx: name === "rl-disk" ? 3 : 8.5 }), draw("text", { y: 4 }));
}

/** The two lines at a node: of a member that asks for votes, they stand for themselves. @param {string} words @param {string} member @param {string} votes */
function captions(words, member, votes) {
  if (words === "crashed") return { role: "crashed", beneath: member === "learner" || member === "not a member" ? member : "" };
  if (votes && member) return { role: `${words} · ${member}`, beneath: votes };
  return { role: words, beneath: votes || member };
}

/** @param {string} id @param {string} words @param {Server} server @param {string} votes */
function tooltip(id, words, server, votes) {
  const lines = [`${id}: ${words}, term ${server.term}`];
  if (votes) lines.push(votes);
  lines.push(server.voted_for ? `voted for ${server.voted_for} in this term` : "has not voted in this term");
  lines.push(`log up to ${server.last_index}, committed up to ${server.commit_index}`);
  return lines.join("\n");
}

/** @param {string} role @param {number} r */
function nodeOutline(role, r) {
  if (role === "candidate" || role === "precandidate") {
    const d = r * 1.2;
    const c = 6;
    return `M${-c} ${-d + c}Q0 ${-d} ${c} ${-d + c}L${d - c} ${-c}Q${d} 0 ${d - c} ${c}L${c} ${d - c}Q0 ${d} ${-c} ${d - c}L${-d + c} ${c}Q${-d} 0 ${-d + c} ${-c}z`;
  }
  if (role === "leader") {
    const h = r * 1.1;
    const points = [-90, -30, 30, 90, 150, 210].map((degrees) => {
      const angle = (degrees * Math.PI) / 180;
      return `${(h * Math.cos(angle)).toFixed(2)} ${(h * Math.sin(angle)).toFixed(2)}`;
    });
    return `M${points.join("L")}z`;
  }
  return `M${-r} 0a${r} ${r} 0 1 0 ${2 * r} 0a${r} ${r} 0 1 0 ${-2 * r} 0z`;
}

/** An arc from twelve o'clock, clockwise, over a part of the circle. @param {number} part @param {number} r */
function arcPath(part, r) {
  if (part <= 0.001) return "";
  const angle = Math.min(part, 0.9999) * 2 * Math.PI - Math.PI / 2;
  const x = (r * Math.cos(angle)).toFixed(2);
  const y = (r * Math.sin(angle)).toFixed(2);
  return `M0 ${-r}A${r} ${r} 0 ${part > 0.5 ? 1 : 0} 1 ${x} ${y}`;
}
