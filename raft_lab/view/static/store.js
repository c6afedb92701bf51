// @ts-check
import { keep, make, put, say, show } from "./dom.js";

/** The key-value store of a cluster: its keys with their revisions, leases that run out, what was asked last, who watches. */

/** @typedef {import("./tape.js").Frame} Frame */
/** @typedef {{value: string, create_revision: number, mod_revision: number, version: number, lease: string}} Key */
/** @typedef {{what: string, member: string, revision: number, events: string[]}} Watcher */
/**
 * @typedef {object} Store
 * @property {string} member @property {number} revision @property {number} compacted @property {number} hidden
 * @property {Record<string, number>} revisions @property {Record<string, Key>} keys
 * @property {Record<string, {ttl: number, deadline_us: number, keys: string}>} leases
 * @property {{text: string, outcome: string}} last @property {Record<string, Watcher>} watches
 */

const COLUMNS = ["key", "value", "create", "mod", "version", "lease"];

export class StoreView {
  /** @type {Map<string, HTMLTableRowElement>} */
  #rows = new Map();
  /** @type {Map<string, HTMLElement>} */
  #leases = new Map();
  /** @type {Map<string, HTMLElement>} */
  #watches = new Map();
  /** @type {Map<string, HTMLElement>} */
  #reads = new Map();
  #members = make("p", { class: "rl-store-members" });
  #last = make("p", { class: "rl-store-last" });
  #body = make("tbody");
  #more = make("p", { class: "rl-quiet" });
  #leaseList = make("ul", { class: "rl-store-list" });
  #watchList = make("ul", { class: "rl-store-list" });
  #readList = make("ul", { class: "rl-store-list" });

  constructor() {
    const heads = COLUMNS.map((name) => make("th", { scope: "col" }, name));
    const table = make("table", { class: "rl-fields rl-store-keys" }, make("caption", { class: "rl-sr" }, "Keys with their revisions"), make("thead", {}, make("tr", {}, ...heads)), this.#body);
    this.#parts = [part("Leases", this.#leaseList), part("Watches", this.#watchList), part("Reads under way", this.#readList)];
    this.element = make("div", { class: "rl-fields-scroll rl-store", tabindex: "0", role: "region", "aria-label": "The key-value store" }, this.#members, this.#last, table, this.#more, ...this.#parts);
  }

  /** @type {HTMLElement[]} */
  #parts;

  /** @param {Frame} frame @param {Frame | undefined} before */
  update(frame, before) {
    const { store } = frame;
    if (!store) return;
    const revisions = Object.entries(store.revisions).map(([id, revision]) => `${id} ${frame.servers[id]?.crashed ? "down" : revision}`);
    say(this.#members, `Revision ${store.revision}, as ${store.member} has it · ${revisions.join(", ")}${store.compacted ? ` · compacted at ${store.compacted}` : ""}`);
    say(this.#last, store.last.text ? `Applied last: ${store.last.text}${store.last.outcome ? ` → ${store.last.outcome}` : ""}` : "");
    keep(this.#body, this.#rows, Object.keys(store.keys).sort(), (key) => keyRow(key), (row) => row);
    for (const [key, row] of this.#rows) paintKey(row, key, store.keys[key], before?.store?.keys[key]);
    say(this.#more, store.hidden ? `and ${store.hidden} more keys` : Object.keys(store.keys).length ? "" : "No keys yet.");
    this.#list(this.#leaseList, this.#leases, store.leases, (id, lease) => {
      const left = Math.max(0, lease.deadline_us - frame.time_us) / 1e6;
      return { text: `${id}: ${left ? `${left.toFixed(1)} of ${lease.ttl} s left` : "over, to be ended by the log"}${lease.keys ? `, holds ${lease.keys}` : ""}`, part: left / lease.ttl };
    });
    this.#list(this.#watchList, this.#watches, store.watches, (id, watch) => ({
      text: `${id}: ${watch.what} · ${watch.member ? `at ${watch.member}, told up to revision ${watch.revision}` : "no member serves it"}`,
      lines: watch.events,
    }));
    this.#list(this.#readList, this.#reads, reads(frame), (_, text) => ({ text }));
  }

  /**
   * @template T
   * @param {HTMLElement} list @param {Map<string, HTMLElement>} kept @param {Record<string, T>} things
   * @param {(id: string, thing: T) => {text: string, part?: number, lines?: string[]}} words
   */
  #list(list, kept, things, words) {
    keep(list, kept, Object.keys(things), () => make("li", {}, make("span"), make("i", { class: "rl-store-left", "aria-hidden": "true" }), make("small")), (item) => item);
    for (const [id, item] of kept) {
      const thing = things[id];
      if (thing === undefined) continue;
      const { text, part: left, lines = [] } = words(id, thing);
      const [span, bar, small] = /** @type {HTMLElement[]} */ ([...item.children]);
      if (span) say(span, text);
      if (bar) {
        show(bar, left !== undefined);
        bar.style.setProperty("--left", String(left ?? 0));
      }
      if (small) say(small, lines.join("\n"));
    }
    show(/** @type {HTMLElement} */ (list.parentElement), kept.size > 0);
  }
}

/** @param {string} title @param {HTMLElement} list */
function part(title, list) {
  return make("section", {}, make("h4", {}, title), list);
}

/** @param {string} key */
function keyRow(key) {
  return make("tr", {}, make("th", { scope: "row" }, key), ...COLUMNS.slice(1).map(() => make("td", {}, make("span", { class: "rl-field-text" }))));
}

/** @param {HTMLTableRowElement} row @param {string} name @param {Key | undefined} key @param {Key | undefined} before */
function paintKey(row, name, key, before) {
  if (!key) return;
  const texts = [key.value, key.create_revision, key.mod_revision, key.version, key.lease || "–"].map(String);
  const old = before && [before.value, before.create_revision, before.mod_revision, before.version, before.lease || "–"].map(String);
  texts.forEach((text, column) => {
    const cell = row.children[column + 1];
    if (!cell?.firstElementChild) return;
    say(cell.firstElementChild, text);
    put(cell, "data-changed", old && old[column] === text ? null : "true");
  });
  put(row, "data-key", name);
}

/** What each read at a leader waits for: the round of heartbeats that began after it came. @param {Frame} frame @returns {Record<string, string>} */
function reads(frame) {
  /** @type {Record<string, string>} */
  const found = {};
  for (const [id, server] of Object.entries(frame.servers)) {
    const answered = Object.entries(server.progress).map(([peer, { acked_round = 0 }]) => `${peer} ${acked_round}`);
    for (const [read, round] of Object.entries(server.reads ?? {})) {
      found[read] = `${read} at ${id}: waits until a majority has answered round ${round}; answered so far: ${answered.join(", ")}`;
    }
  }
  return found;
}
