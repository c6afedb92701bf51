// @ts-check
import { make, put, show } from "./dom.js";
import { branchName } from "./tree.js";
import { roleWords } from "./cluster.js";

/** Two branches side by side: where they part, and in what their servers differ at the end. */

/** @typedef {import("./session.js").Session} Session */
/** @typedef {import("./tape.js").Frame} Frame */

/** @type {[name: string, read: (frame: Frame, id: string) => string][]} */
const ASPECTS = [
  ["role", (frame, id) => roleWords(frame, id) || "not there"],
  ["term", (frame, id) => String(frame.servers[id]?.term ?? "")],
  ["voted for", (frame, id) => frame.servers[id]?.voted_for || "nobody"],
  ["log", (frame, id) => lastEntries(frame, id)],
  ["commit_index", (frame, id) => String(frame.servers[id]?.commit_index ?? "")],
];

/** @param {Frame} frame @param {string} id */
function lastEntries(frame, id) {
  const log = frame.servers[id]?.log ?? {};
  const indices = Object.keys(log).map(Number).sort((a, b) => a - b);
  const shown = indices.slice(-8).map((index) => `${log[index]?.text} (${log[index]?.term})`);
  return (indices.length > 8 ? "… " : "") + (shown.join(", ") || "empty");
}

/** @param {Frame} one @param {Frame} other @returns {{id: string, aspect: string, values: [string, string]}[]} what differs */
export function differences(one, other) {
  const ids = [...new Set([...Object.keys(one.servers), ...Object.keys(other.servers)])];
  return ids.flatMap((id) => ASPECTS.flatMap(([aspect, read]) => {
    const values = /** @type {[string, string]} */ ([read(one, id), read(other, id)]);
    return values[0] === values[1] ? [] : [{ id, aspect, values }];
  }));
}

export class Compare {
  #painted = "";
  #choice = make("select", { class: "rl-speed", "aria-label": "Compare with" });
  #table = make("div", { class: "rl-compare-table" });
  element = make("div", { class: "rl-compare" }, make("label", { class: "rl-jump" }, "compare this branch with", this.#choice), this.#table);

  /** @param {Session} session */
  constructor(session) {
    this.session = session;
    this.#choice.addEventListener("change", () => this.update());
  }

  update() {
    const { session } = this;
    const { tape } = session;
    if (!session.ready || this.element.closest("[hidden]")) return;
    const here = tape.branch.at(-1) ?? 0;
    const others = tape.tips().filter((tip) => tip !== here);
    show(this.element, others.length > 0);
    const look = `${here} ${others.join(" ")} ${JSON.stringify(session.names)} ${this.#choice.value}`;
    if (look === this.#painted) return;
    const chosen = others.includes(Number(this.#choice.value)) && this.#choice.value !== "" ? this.#choice.value : "";
    this.#choice.replaceChildren(make("option", { value: "" }, "…"), ...others.map((tip) => make("option", { value: String(tip) }, branchName(session, tip))));
    this.#choice.value = chosen;
    this.#painted = `${here} ${others.join(" ")} ${JSON.stringify(session.names)} ${chosen}`;
    put(this.#table, "hidden", chosen ? null : "");
    this.#table.replaceChildren(...(chosen ? this.#side(here, Number(chosen)) : []));
  }

  /** @param {number} one @param {number} other @returns {HTMLElement[]} */
  #side(one, other) {
    const { session } = this;
    const { tape } = session;
    const fork = tape.fork(one, other);
    const tips = [one, other];
    const first = tips.map((tip) => tape.path(tip)[tape.depth(fork) + 1] ?? tip);
    const go = (/** @type {number} */ id, /** @type {string} */ words) => {
      const button = make("button", { type: "button", class: "rl-verb" }, words);
      button.addEventListener("click", () => session.go(id));
      return button;
    };
    const rows = differences(tape.frame(one), tape.frame(other)).map(({ id, aspect, values }) =>
      make("tr", {}, make("th", { scope: "row" }, `${id} ${aspect}`), ...values.map((value) => make("td", {}, value))));
    const head = make("tr", {}, make("td", {}), ...tips.map((tip) => make("th", { scope: "col" }, branchName(session, tip), " ", go(tip, `step ${tip}`))));
    const parted = make("tr", {}, make("th", { scope: "row" }, "first step apart"),
      ...first.map((id) => make("td", {}, go(id, `step ${id}`), ` ${tape.step(id).sentence}`)));
    return [
      make("p", {}, "They are one up to ", go(fork, `step ${fork}`), rows.length ? ". At their ends:" : ". At their ends all servers are alike."),
      make("table", {}, make("thead", {}, head), make("tbody", {}, parted, ...rows)),
    ];
  }
}
