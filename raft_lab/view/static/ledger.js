// @ts-check
import { hueOf, keep, make, put, say, show } from "./dom.js";
import { leaderOf, membershipWords, roleWords } from "./cluster.js";

/** The ledger: every server's log, aligned by index. Only what is in sight is drawn once logs are long. */

/** @typedef {import("./tape.js").Frame} Frame */
/** @typedef {import("./tape.js").Server} Server */
/** @typedef {import("./tape.js").Entry} Entry */
/** @typedef {{box: HTMLElement, term: HTMLElement, text: HTMLElement, flag: HTMLElement}} Cell */
/**
 * @typedef {object} Row
 * @property {HTMLElement} element @property {HTMLElement} name @property {HTMLElement} role @property {HTMLElement} facts
 * @property {HTMLElement} slots @property {HTMLElement} prefix @property {Map<string, Cell>} cells
 * @property {HTMLElement} next @property {HTMLElement} match
 */

const SLOT_WIDTH = 58;
const ALL_DRAWN_UP_TO = 200;
const NAMES_WIDTH = 144;

export class Ledger {
  /** @type {Map<string, Row>} */
  #rows = new Map();
  /** @type {Map<string, {box: HTMLElement}>} */
  #heads = new Map();
  /** @type {Frame | undefined} */
  #frame;
  #columns = 0;
  #needed = 1;
  #room = 6;
  #width = 600;
  #left = 0;
  /** @type {ResizeObserver} */
  #observer;
  #slots = make("div", { class: "rl-slots" });
  #body = make("div", { role: "rowgroup" });
  #scroll = make("div", { class: "rl-ledger-scroll", role: "table", "aria-label": "Logs of all servers by index", tabindex: "0" });

  /** @param {(id: string) => void} light highlight a server everywhere */
  constructor(light) {
    this.light = light;
    const corner = make("div", { class: "rl-ledger-name rl-ledger-corner", role: "columnheader" }, "log index");
    this.#scroll.append(make("div", { class: "rl-ledger-head", role: "row" }, corner, this.#slots), this.#body);
    this.#scroll.addEventListener("scroll", () => {
      this.#left = this.#scroll.scrollLeft;
      if (this.#columns > ALL_DRAWN_UP_TO) this.#paint();
    }, { passive: true });
    this.element = make("section", { class: "rl-ledger", "aria-label": "Ledger" }, this.#scroll);
    this.#observer = new ResizeObserver(([entry]) => this.#fit(entry?.contentRect.width ?? 0));
    this.#observer.observe(this.#scroll);
  }

  /** @param {Frame} frame */
  update(frame) {
    if (this.#frame?.servers === frame.servers) return;
    const before = this.#frame;
    this.#frame = frame;
    let needed = 1;
    for (const server of Object.values(frame.servers)) {
      needed = Math.max(needed, server.last_index + 1);
    }
    this.#needed = needed;
    this.#columns = Math.max(needed, this.#room);
    put(this.element, "style", `--rl-columns:${this.#columns}`);
    this.#reveal(before, frame);
    this.#paint();
  }

  /** Scroll to where a log has just changed; at first, to where the leader's ends. @param {Frame | undefined} before @param {Frame} frame */
  #reveal(before, frame) {
    let index = 0;
    for (const [id, server] of Object.entries(frame.servers)) {
      const old = before?.servers[id];
      if (old ? old.log !== server.log : id === leaderOf(frame)) index = Math.max(index, server.last_index);
    }
    if (!index || this.#columns <= this.#room) return;
    const left = (index - 2) * SLOT_WIDTH;
    const right = (index + 1) * SLOT_WIDTH + NAMES_WIDTH - this.#width;
    if (this.#left <= left && this.#left >= right) return;
    this.#left = Math.max(0, this.#left > left ? left : right);
    this.#scroll.scrollLeft = this.#left;
  }

  /** As many columns as there is room for, even if the logs are short. @param {number} width */
  #fit(width) {
    this.#width = width || this.#width;
    this.#room = Math.max(1, Math.floor((this.#width - NAMES_WIDTH) / SLOT_WIDTH));
    const columns = Math.max(this.#needed, this.#room);
    if (columns === this.#columns || !this.#frame) return;
    this.#columns = columns;
    put(this.element, "style", `--rl-columns:${columns}`);
    this.#paint();
  }

  /** The range of indices that must be drawn. @returns {[number, number]} */
  #range() {
    if (this.#columns <= ALL_DRAWN_UP_TO) return [1, this.#columns];
    const first = Math.floor(this.#left / SLOT_WIDTH);
    const count = Math.ceil(this.#width / SLOT_WIDTH);
    return [Math.max(1, first - 8), Math.min(this.#columns, first + count + 8)];
  }

  #paint() {
    const frame = this.#frame;
    if (!frame) return;
    const [low, high] = this.#range();
    const indices = [];
    for (let index = low; index <= high; index += 1) indices.push(String(index));
    keep(this.#slots, this.#heads, indices, (index) => {
      const box = make("div", { class: "rl-slot-head", role: "columnheader", style: `--rl-index:${index}` }, index);
      return { box };
    }, ({ box }) => box);
    keep(this.#body, this.#rows, Object.keys(frame.servers), (id) => this.#makeRow(id), (row) => row.element);
    const leader = leaderOf(frame);
    for (const [id, row] of this.#rows) {
      const server = frame.servers[id];
      if (server) this.#paintRow(row, id, server, frame, leader, low, high);
    }
  }

  /** @param {string} id @returns {Row} */
  #makeRow(id) {
    const role = make("span", { class: "rl-badge" });
    const facts = make("span", { class: "rl-ledger-facts" });
    const name = make("div", { class: "rl-ledger-name", role: "rowheader" }, make("strong", {}, id), role, facts);
    const prefix = make("div", { class: "rl-compacted", title: "compacted into a snapshot" }, "snapshot");
    const next = make("span", { class: "rl-next", title: "next_index: what the leader sends next" }, "▲");
    const match = make("span", { class: "rl-match", title: "match_index: what the leader knows is there" }, "●");
    const slots = make("div", { class: "rl-slots", role: "presentation" }, prefix, next, match);
    const element = make("div", { class: "rl-ledger-row", role: "row", "data-about": id }, name, slots);
    element.addEventListener("pointerenter", () => this.light(id));
    element.addEventListener("pointerleave", () => this.light(""));
    return { element, name, role, facts, slots, prefix, cells: new Map(), next, match };
  }

  /** @param {Row} row @param {string} id @param {Server} server @param {Frame} frame @param {string} leader @param {number} low @param {number} high */
  #paintRow(row, id, server, frame, leader, low, high) {
    const words = roleWords(frame, id);
    say(row.role, words);
    put(row.role, "data-role", words);
    put(row.element, "data-crashed", server.crashed ? "true" : null);
    const member = membershipWords(frame, id);
    say(row.facts, `term ${server.term} · ${member || (server.voted_for ? `voted ${server.voted_for}` : "no vote")}`);
    put(row.facts, "title", server.voted_for ? `voted for ${server.voted_for} in term ${server.term}` : `has not voted in term ${server.term}`);
    const keys = [];
    for (let index = Math.max(low, server.first_index); index <= Math.min(high, server.last_index); index += 1) keys.push(String(index));
    for (const [key, cell] of row.cells) {
      const index = Number(key);
      if (index >= low && index <= high && server.log[key]) continue;
      cell.box.remove();
      row.cells.delete(key);
    }
    const model = leader && leader !== id ? frame.servers[leader] : undefined;
    for (const key of keys) {
      const entry = server.log[key];
      if (entry) paintCell(this.#cell(row, key), Number(key), entry, server, model);
    }
    this.#paintSnapshot(row, server);
    const progress = model?.progress[id];
    show(row.next, Boolean(progress));
    show(row.match, Boolean(progress && progress.match_index > 0));
    if (!progress) return;
    put(row.next, "style", `--rl-index:${progress.next_index}`);
    put(row.match, "style", `--rl-index:${progress.match_index}`);
  }

  /** What was compacted: hatched, with the place up to which it reaches. @param {Row} row @param {Server} server */
  #paintSnapshot(row, server) {
    const end = server.first_index - 1;
    const { index, term, configuration } = server.snapshot ?? { index: end, term: 0, configuration: "" };
    show(row.prefix, end > 0);
    put(row.prefix, "style", `--rl-index:1;--rl-span:${end}`);
    put(row.prefix, "data-hue", hueOf(term));
    put(row.prefix, "title", `compacted: a snapshot up to index ${index}, the last of term ${term}; members ${configuration}`);
    say(row.prefix, end > 1 ? `snapshot ${index}, term ${term}` : `snap ${index}`);
  }

  /** @param {Row} row @param {string} key @returns {Cell} */
  #cell(row, key) {
    const known = row.cells.get(key);
    if (known) return known;
    const cell = {
      term: make("span", { class: "rl-cell-term" }),
      flag: make("span", { class: "rl-cell-flag" }),
      text: make("span", { class: "rl-cell-text" }),
    };
    const box = make("div", { class: "rl-cell", role: "cell", style: `--rl-index:${key}` }, cell.term, cell.flag, cell.text);
    row.slots.append(box);
    const made = { box, ...cell };
    row.cells.set(key, made);
    return made;
  }

  close() {
    this.#observer.disconnect();
  }
}

/** @param {Cell} cell @param {number} index @param {Entry} entry @param {Server} server @param {Server | undefined} leader */
function paintCell(cell, index, entry, server, leader) {
  const committed = index <= server.commit_index;
  const applied = index <= server.last_applied;
  const differs = leader !== undefined && differsFrom(leader, index, entry);
  const onDisk = index <= (server.durable_index ?? index);
  const state = `${committed ? "committed" : "uncommitted"}${applied ? ", applied" : ""}${differs ? ", differs from the leader" : ""}${onDisk ? "" : ", not on disk yet"}`;
  const words = `index ${index}, term ${entry.term}: ${entry.text} (${state})`;
  if (cell.box.title === words) return;
  cell.box.title = words;
  put(cell.box, "data-hue", hueOf(entry.term));
  put(cell.box, "data-kind", entry.kind);
  put(cell.box, "class", `rl-cell${committed ? " rl-committed" : ""}${differs ? " rl-differs" : ""}${onDisk ? "" : " rl-in-memory"}`);
  say(cell.term, String(entry.term));
  say(cell.flag, differs ? "≠" : applied ? "✓" : "");
  say(cell.text, entry.text);
}

/** @param {Server} leader @param {number} index @param {Entry} entry */
function differsFrom(leader, index, entry) {
  if (index < leader.first_index) return false;
  const theirs = leader.log[String(index)];
  return !theirs || theirs.term !== entry.term || theirs.text !== entry.text;
}
