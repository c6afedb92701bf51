// @ts-check
import { keep, make, put, say } from "./dom.js";
import { membershipWords, readConfiguration, roleWords } from "./cluster.js";

/** Every field of every server, side by side, in the order of the paper's Figure 2. */

/** @typedef {import("./tape.js").Frame} Frame */
/** @typedef {import("./tape.js").Server} Server */
/** @typedef {{label: string, hint: string, text: (server: Server, frame: Frame, id: string) => string}} Field */

const PAIRS = (/** @type {Record<string, string> | undefined} */ map, /** @type {string} */ between) =>
  Object.entries(map ?? {}).map(([key, value]) => `${key}${between}${value}`).join("\n");

/** @type {[string, Field[]][]} */
const FIELDS = [
  ["On disk", [
    { label: "current_term", hint: "latest term the server has seen", text: ({ term }) => String(term) },
    { label: "voted_for", hint: "who received its vote in this term", text: ({ voted_for }) => voted_for || "nobody" },
    { label: "log", hint: "its entries, and the last one's term", text: (server) => logText(server) },
    { label: "written up to", hint: "the last entry that is on disk", text: ({ durable_index, last_index, waiting }) => `${durable_index ?? last_index}${waiting ? `; ${waiting} messages wait` : ""}` },
    { label: "snapshot", hint: "what its log stands on", text: ({ snapshot }) => (snapshot?.index ? `up to ${snapshot.index}, term ${snapshot.term}\n${memberWords(snapshot.configuration)}` : "") },
    { label: "configuration", hint: "the latest in its log, committed or not", text: ({ configuration = "" }) => memberWords(configuration) },
  ]],
  ["In memory", [
    { label: "role", hint: "", text: (_, frame, id) => [roleWords(frame, id), membershipWords(frame, id)].filter(Boolean).join(", ") },
    { label: "leader_id", hint: "whom it believes to lead", text: ({ leader_id }) => leader_id || "unknown" },
    { label: "votes", hint: "of a candidate: who has granted theirs", text: ({ votes }) => Object.keys(votes).join(", ") },
    { label: "commit_index", hint: "highest entry known to be committed", text: ({ commit_index }) => String(commit_index) },
    { label: "last_applied", hint: "highest entry applied to the state machine", text: ({ last_applied }) => String(last_applied) },
  ]],
  ["Of a leader", [
    { label: "next_index", hint: "for each other server, the entry to send next", text: ({ progress }) => Object.entries(progress).map(([peer, { next_index }]) => `${peer} ${next_index}`).join("\n") },
    { label: "match_index", hint: "for each other server, the highest entry known to be there", text: ({ progress }) => Object.entries(progress).map(([peer, { match_index }]) => `${peer} ${match_index}`).join("\n") },
    { label: "reads", hint: "reads under way, and the round of heartbeats each waits for", text: ({ reads, progress, round }) => [...(Object.keys(reads ?? {}).length ? [`${PAIRS(mapped(reads, String), ": round ")}`, `now round ${round}`, ...Object.entries(progress).map(([peer, { acked_round }]) => `${peer} has answered ${acked_round ?? 0}`)] : [])].join("\n") },
  ]],
  ["State machine", [
    { label: "content", hint: "keys and values", text: ({ machine }) => PAIRS(machine, " = ") },
    { label: "sessions", hint: "what it remembers of clients, so that nothing is applied twice", text: ({ sessions }) => PAIRS(sessions, ": ") },
    { label: "own fields", hint: "fields that your subclass declares", text: ({ extra }) => PAIRS(extra, " = ") },
  ]],
];

/** @template T @param {Record<string, T> | undefined} map @param {(value: T) => string} call */
function mapped(map, call) {
  return Object.fromEntries(Object.entries(map ?? {}).map(([key, value]) => [key, call(value)]));
}

/** @param {Server} server */
function logText({ first_index, last_index, log, snapshot }) {
  const term = log[String(last_index)]?.term ?? snapshot?.term ?? 0;
  if (last_index < first_index) return first_index > 1 ? "only its snapshot" : "empty";
  return `${first_index === last_index ? first_index : `${first_index}–${last_index}`}, term ${term}`;
}

/** @param {string} text */
function memberWords(text) {
  const read = readConfiguration(text);
  if (!read) return text;
  const learners = read.learners.length ? `\nlearners ${read.learners.join(" ")}` : "";
  return `${read.old.length ? `${read.old.join(" ")}\n& ` : ""}${read.voters.join(" ")}${learners}`;
}

export class Fields {
  /** @type {Map<string, {head: HTMLElement}>} */
  #heads = new Map();
  /** @type {{field: Field, row: HTMLElement, cells: Map<string, {cell: HTMLElement, text: HTMLElement, was: HTMLElement}>}[]} */
  #rows = [];
  #headRow = make("tr", {}, make("th", { scope: "col" }, "field"));
  /** @type {Frame | undefined} */
  #frame;
  #seated = "";

  constructor() {
    const table = make("table", { class: "rl-fields" }, make("caption", { class: "rl-sr" }, "Every field of every server"), make("thead", {}, this.#headRow));
    for (const [part, fields] of FIELDS) {
      const body = make("tbody", {}, make("tr", { class: "rl-fields-part" }, make("th", { scope: "rowgroup", colspan: "99" }, part)));
      for (const field of fields) {
        const row = make("tr", {}, make("th", { scope: "row", title: field.hint }, field.label));
        this.#rows.push({ field, row, cells: new Map() });
        body.append(row);
      }
      table.append(body);
    }
    this.element = make("div", { class: "rl-fields-scroll", tabindex: "0", role: "region", "aria-label": "Fields of all servers" }, table);
  }

  /** @param {Frame} frame @param {Frame | undefined} before */
  update(frame, before) {
    if (this.#frame === frame) return;
    this.#frame = frame;
    this.#seat(Object.keys(frame.servers));
    for (const { field, cells } of this.#rows) {
      for (const [id, { cell, text, was }] of cells) {
        const server = frame.servers[id];
        const old = before?.servers[id];
        if (!server) continue;
        const now = field.text(server, frame, id);
        const then = old && before ? field.text(old, before, id) : now;
        say(text, now || "–");
        say(was, then === now ? "" : `was ${then || "empty"}`);
        put(cell, "data-changed", then === now ? null : "true");
      }
    }
  }

  /** A column for each server. @param {string[]} ids */
  #seat(ids) {
    if (this.#seated === ids.join(" ")) return;
    this.#seated = ids.join(" ");
    const heading = this.#headRow.firstElementChild;
    keep(this.#headRow, this.#heads, ids, (id) => ({ head: make("th", { scope: "col", "data-about": id }, id) }), ({ head }) => head);
    if (heading) this.#headRow.prepend(heading);
    for (const { row, cells } of this.#rows) {
      const name = row.firstElementChild;
      keep(row, cells, ids, (id) => {
        const text = make("span", { class: "rl-field-text" });
        const was = make("small", { class: "rl-field-was" });
        return { cell: make("td", { "data-about": id }, text, was), text, was };
      }, ({ cell }) => cell);
      if (name) row.prepend(name);
    }
  }
}
