// @ts-check
import { hueOf, keep, make, put, say, show } from "./dom.js";
import { leaderOf, membershipWords, readConfiguration, roleWords } from "./cluster.js";
import { logWords } from "./changes.js";
import { shortName } from "./names.js";

/** The ledger: every server's log, aligned by index. Only what is in sight is drawn once logs are long. */

/** @typedef {import("./tape.js").Frame} Frame */
/** @typedef {import("./tape.js").Server} Server */
/** @typedef {import("./tape.js").Entry} Entry */
/** @typedef {{box: HTMLElement, term: HTMLElement, text: HTMLElement, flag: HTMLElement}} Cell */
/**
 * @typedef {object} Row
 * @property {HTMLElement} element @property {HTMLElement} title @property {HTMLElement} role @property {HTMLElement} facts @property {HTMLElement} term @property {HTMLElement} vote
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
  /** @type {Frame | undefined} the frame of the step before */
  #before;
  /** @type {Record<string, string>} the fields of each server that this step has changed */
  #changed = {};
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

  tools = make("div", { class: "rl-ledger-tools" });

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
    this.#fillTools();
    this.#observer = new ResizeObserver(([entry]) => this.#fit(entry?.contentRect.width ?? 0));
    this.#observer.observe(this.#scroll);
  }

  /** Ways to get about in long logs. */
  #fillTools() {
    const jump = (/** @type {string} */ label, /** @type {string} */ hint, /** @type {() => number} */ index) => {
      const button = make("button", { type: "button", class: "rl-mode", title: hint }, label);
      button.addEventListener("click", () => this.goTo(index()));
      return button;
    };
    const servers = () => Object.values(this.#frame?.servers ?? {});
    const input = make("input", { type: "text", inputmode: "numeric", class: "rl-input rl-jump", placeholder: "index", "aria-label": "Go to index" });
    input.addEventListener("change", () => {
      if (Number(input.value) > 0) this.goTo(Number(input.value));
    });
    this.tools.append(
      input,
      jump("committed", "go to the last committed entry", () => Math.max(1, ...servers().map(({ commit_index }) => commit_index))),
      jump("end", "go to the end of the longest log", () => Math.max(1, ...servers().map(({ last_index }) => last_index))),
    );
  }

  /** Bring an index into sight. @param {number} index */
  goTo(index) {
    const room = this.#width - NAMES_WIDTH;
    this.#left = Math.max(0, (Math.min(index, this.#columns) - 0.5) * SLOT_WIDTH - room / 2);
    this.#scroll.scrollLeft = this.#left;
    this.#paint();
  }

  /** @param {Frame} frame @param {Frame} [before] the frame of the step before @param {Record<string, string>} [changed] by server */
  update(frame, before, changed = {}) {
    this.#before = before;
    this.#changed = changed;
    const shown = this.#frame;
    this.#frame = frame;
    let needed = 1;
    for (const server of Object.values(frame.servers)) {
      needed = Math.max(needed, server.last_index + 1);
    }
    this.#needed = needed;
    this.#columns = Math.max(needed, this.#room);
    put(this.element, "style", `--rl-columns:${this.#columns}`);
    if (shown?.servers !== frame.servers) this.#reveal(shown, frame);
    this.#paint();
  }

  /** Scroll to where a log has just changed; at first, to where the leader's ends. @param {Frame | undefined} before @param {Frame} frame */
  #reveal(before, frame) {
    let index = 0;
    for (const [id, server] of Object.entries(frame.servers)) {
      const old = before?.servers[id];
      if (old ? logWords(old, server) : id === leaderOf(frame)) index = Math.max(index, server.last_index);
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
    const term = make("span", { class: "rl-fact-term" });
    const vote = make("span", { class: "rl-fact-vote" });
    const facts = make("span", { class: "rl-ledger-facts" }, term, " · ", vote);
    const title = make("strong", { title: id });
    const name = make("div", { class: "rl-ledger-name", role: "rowheader" }, title, role, facts);
    const prefix = make("div", { class: "rl-compacted", title: "compacted into a snapshot" }, "snapshot");
    const next = make("span", { class: "rl-next", title: "next_index: what the leader sends next" }, "▲");
    const match = make("span", { class: "rl-match", title: "match_index: what the leader knows is there" }, "●");
    const slots = make("div", { class: "rl-slots", role: "presentation" }, prefix, next, match);
    const element = make("div", { class: "rl-ledger-row", role: "row", "data-about": id }, name, slots);
    element.addEventListener("pointerenter", () => this.light(id));
    element.addEventListener("pointerleave", () => this.light(""));
    return { element, title, role, facts, term, vote, slots, prefix, cells: new Map(), next, match };
  }

  /** @param {Row} row @param {string} id @param {Server} server @param {Frame} frame @param {string} leader @param {number} low @param {number} high */
  #paintRow(row, id, server, frame, leader, low, high) {
    const words = roleWords(frame, id);
    say(row.title, shortName(frame.servers, id));
    say(row.role, words);
    put(row.role, "data-role", words);
    put(row.element, "data-crashed", server.crashed ? "true" : null);
    const member = membershipWords(frame, id);
    say(row.term, `term ${server.term}`);
    say(row.vote, member || (server.voted_for ? `voted ${shortName(frame.servers, server.voted_for)}` : "no vote"));
    put(row.element, "data-changed", this.#changed[id] ?? null);
    put(row.facts, "title", server.voted_for ? `voted for ${server.voted_for} in term ${server.term}` : `has not voted in term ${server.term}`);
    const keys = [];
    for (let index = Math.max(low, server.first_index); index <= Math.min(high, server.last_index); index += 1) keys.push(String(index));
    for (const [key, cell] of row.cells) {
      const index = Number(key);
      if (index >= low && index <= high && server.log[key]) continue;
      cell.box.remove();
      row.cells.delete(key);
    }
    const before = this.#changed[id] ? this.#before?.servers[id] : undefined;
    const model = leader && leader !== id ? frame.servers[leader] : undefined;
    for (const key of keys) {
      const entry = server.log[key];
      if (entry) paintCell(this.#cell(row, key), Number(key), entry, server, model, before);
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
    const members = readConfiguration(configuration);
    say(row.prefix, end > 3 ? `snapshot ${index}, term ${term}, members ${members ? shortConfiguration(members) : configuration}` : end > 1 ? `snapshot ${index}, term ${term}` : `snap ${index}`);
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

/** @param {Cell} cell @param {number} index @param {Entry} entry @param {Server} server @param {Server | undefined} leader
 * @param {Server | undefined} before the server as it was before this step, if the step has changed it */
function paintCell(cell, index, entry, server, leader, before) {
  const committed = index <= server.commit_index;
  const applied = index <= server.last_applied;
  const differs = leader !== undefined && differsFrom(leader, index, entry);
  const onDisk = index <= (server.durable_index ?? index);
  const state = `${committed ? "committed" : "uncommitted"}${applied ? ", applied" : ""}${differs ? ", differs from the leader" : ""}${onDisk ? "" : ", not on disk yet"}`;
  const was = before?.log[String(index)];
  const news = before && (was?.term !== entry.term || was.text !== entry.text) ? "new" : before && committed && index > before.commit_index ? "committed" : null;
  put(cell.box, "data-changed", news);
  const words = `index ${index}, term ${entry.term}: ${entry.text} (${state})`;
  if (cell.box.title === words) return;
  cell.box.title = words;
  put(cell.box, "data-hue", hueOf(entry.term));
  put(cell.box, "data-kind", entry.kind);
  put(cell.box, "class", `rl-cell${committed ? " rl-committed" : ""}${differs ? " rl-differs" : ""}${onDisk ? "" : " rl-in-memory"}`);
  say(cell.term, String(entry.term));
  say(cell.flag, differs ? "≠" : applied ? "✓" : "");
  const members = entry.kind === "configuration" ? readConfiguration(entry.text) : undefined;
  say(cell.text, members ? shortConfiguration(members) : shortText(entry.text));
}

/** A command in the room of a cell: its beginning and its end, by which commands differ: "set…new", "put…ccc". @param {string} text */
export function shortText(text) {
  if (text.length <= 7) return text;
  text = text.replace(/ --\S+|'/g, ""); // quotes and options of etcdctl say little
  return `${text.slice(0, 3).trim()}…${text.slice(-3).replace(/^.* /, "")}`;
}

/** A configuration in the room of a cell: "S1–3", joint "1–3&3–5", with a learner "S1–3+4" (not while joint: there is no room). @param {import("./cluster.js").Configuration} configuration */
export function shortConfiguration({ old, voters, learners }) {
  const plain = [...old, ...voters, ...learners].every((name) => /^S\d+$/.test(name));
  const names = (/** @type {string[]} */ list) => (plain ? ranges(list.map((name) => Number(name.slice(1)))) : list.join(" "));
  const also = learners.length ? `+${names(learners)}` : "";
  return old.length ? `${names(old)}&${names(voters)}` : `${plain ? "S" : ""}${names(voters)}${also}`;
}

/** 1, 2, 3, 5 as "1–3,5". @param {number[]} numbers */
function ranges(numbers) {
  /** @type {[number, number][]} */
  const runs = [];
  for (const number of [...numbers].sort((a, b) => a - b)) {
    const run = runs.at(-1);
    if (run && run[1] === number - 1) run[1] = number;
    else runs.push([number, number]);
  }
  return runs.map(([first, last]) => (first === last ? first : `${first}–${last}`)).join(",");
}

/** Of what the leader has compacted only the last entry's term is known. @param {Server} leader @param {number} index @param {Entry} entry */
function differsFrom(leader, index, entry) {
  if (index < leader.first_index) return index === leader.snapshot?.index && entry.term !== leader.snapshot.term;
  const theirs = leader.log[String(index)];
  return !theirs || theirs.term !== entry.term || theirs.text !== entry.text;
}
