// @ts-check
import { draw, prefersStillness, put } from "./dom.js";
import { RING_HEIGHT, RING_WIDTH } from "./circle.js";
import { Links } from "./links.js";
import { Nodes } from "./nodes.js";
import { Flight } from "./flight.js";

/** The ring: links below, messages on them, servers on top. */

/** @typedef {import("./tape.js").Frame} Frame */
/** @typedef {import("./tape.js").Step} Step */
/** @typedef {import("./tape.js").Message} Message */
/** @typedef {import("./ballots.js").Ballot} Ballot */
/** @typedef {{lost?: Message, ballots: Record<string, Record<string, Ballot>>, changed: Record<string, string>}} News what the frame alone does not tell: the
 * message that this step lost, how elections stand, and which fields of which server this step has changed */
/** @typedef {{kind: "server", id: string} | {kind: "message", id: string} | {kind: "link", a: string, b: string}} Subject */

export class Ring {
  /** @type {Frame | undefined} */
  #frame;

  /** @param {(subject: Subject, element: SVGElement) => void} pick */
  constructor(pick) {
    this.links = new Links((a, b, element) => pick({ kind: "link", a, b }, element));
    this.nodes = new Nodes((id, element) => pick({ kind: "server", id }, element));
    this.flight = new Flight((id, element) => pick({ kind: "message", id }, element), this.links);
    this.element = draw(
      "svg",
      { viewBox: `0 -12 ${RING_WIDTH} ${RING_HEIGHT + 12}`, class: "rl-ring", role: "group", "aria-label": "The cluster: servers, links and messages" },
      this.links.layer, this.links.walls, this.flight.layer, this.nodes.layer,
    );
    this.element.addEventListener("keydown", (event) => this.#walk(event));
  }

  /** @param {Frame} frame @param {Step | null} step the step that led here from the frame on show, if one did @param {News} news */
  update(frame, step, news) {
    this.#frame = frame;
    if (this.nodes.seat(frame)) this.#settle();
    this.links.update(frame, this.nodes.seats);
    this.nodes.update(frame, news);
    const lasts = this.flight.update(frame, step, news.lost);
    if (step?.verb === "deliver" && step.actor && !prefersStillness()) this.nodes.pulse(step.actor, lasts * 0.7);
  }

  /** The seating has changed: messages take other ways, and the picture ends below the lowest server. */
  #settle() {
    const { seats, size } = this.nodes;
    this.flight.seat(seats, size + 16);
    const lowest = Math.max(...[...seats.values()].map(({ y }) => y));
    put(this.element, "viewBox", `0 -12 ${RING_WIDTH} ${Math.min(RING_HEIGHT, Math.ceil(lowest + size + 46)) + 12}`);
  }

  /** While time flows. @param {number} clock */
  glide(clock) {
    if (!this.#frame || prefersStillness()) return;
    this.flight.glide(clock);
    this.nodes.timers(this.#frame, clock);
  }

  /** Up and down walk through everything on the ring: servers, then messages, then links. @param {KeyboardEvent} event */
  #walk(event) {
    const way = event.key === "ArrowDown" ? 1 : event.key === "ArrowUp" ? -1 : 0;
    if (!way) return;
    const all = /** @type {SVGElement[]} */ (
      [".rl-node", ".rl-message", ".rl-link"].flatMap((kind) => [...this.element.querySelectorAll(kind)])
    );
    const here = all.indexOf(/** @type {SVGElement} */ (event.target));
    all[(here + way + all.length) % all.length]?.focus();
    event.preventDefault();
    event.stopPropagation();
  }

  close() {
    this.flight.close();
  }
}
