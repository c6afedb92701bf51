// @ts-check
import { keep, make, put, say } from "./dom.js";

/** The record of the election as the API server has it, field by field, and where it stands in etcd. */

/** @typedef {import("./record.js").ElectionRecord} ElectionRecord */

export class LeaseView {
  /** @type {Map<string, {row: HTMLTableRowElement, value: HTMLElement, means: HTMLElement}>} */
  #rows = new Map();
  #title = make("h4", {});
  #body = make("tbody");
  #key = make("code", { class: "el-key" });
  #facts = make("p", { class: "el-facts" });
  #value = make("pre", { class: "el-value", tabindex: "0", "aria-label": "What etcd holds there" });
  /** @type {string | undefined} */
  #stored;

  constructor() {
    const table = make("table", { class: "rl-fields el-fields" }, make("caption", { class: "rl-sr" }, "The record, field by field"), this.#body);
    this.record = make("section", { class: "el-card", "data-card": "record" }, this.#title, table);
    this.etcd = make("section", { class: "el-card", "data-card": "etcd" }, make("h4", {}, "The same in etcd"), this.#key, this.#facts, this.#value);
  }

  /** @param {ElectionRecord} record @param {number} t */
  update(record, t) {
    const [version, before] = [record.version(t), record.before(t)];
    say(this.#title, `${record.picture.object}${version ? `, resourceVersion ${version.revision}` : ""}`);
    const fields = version?.fields ?? [];
    const old = new Map((before?.fields ?? []).map(([name, value]) => [name, value]));
    keep(this.#body, this.#rows, fields.map(([name]) => name), (name) => fieldRow(name), ({ row }) => row);
    for (const [name, value, means] of fields) {
      const row = this.#rows.get(name);
      if (!row) continue;
      say(row.value, value);
      say(row.means, means);
      put(row.value.parentElement ?? row.value, "data-changed", before && old.get(name) === value ? null : "true");
    }
    say(this.#key, record.picture.key);
    const writes = record.picture.versions.filter(({ at }) => at <= t).length;
    say(this.#facts, version ? `mod_revision ${version.revision} · written ${writes} ${writes === 1 ? "time" : "times"} · last by ${version.by}` : "There is no such key yet.");
    if (version?.stored === this.#stored) return;
    this.#stored = version?.stored;
    say(this.#value, version ? laidOut(version.stored) : "");
  }
}

/** @param {string} name */
function fieldRow(name) {
  const [value, means] = [make("span", { class: "rl-field-text" }), make("small")];
  return { row: make("tr", {}, make("th", { scope: "row" }, name), make("td", {}, value, means)), value, means };
}

/** JSON with a line a field. @param {string} text */
function laidOut(text) {
  try {
    return JSON.stringify(JSON.parse(text), null, 1);
  } catch {
    return text;
  }
}
