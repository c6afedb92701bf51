// @ts-check
import { talliesOf } from "./cluster.js";
import { keep, make, put, say, show } from "./dom.js";
import { shortName } from "./names.js";

/** Majorities, filled one by one: two while a configuration is joint, and both are needed. */

/** @typedef {import("./tape.js").Frame} Frame */
/** @typedef {import("./cluster.js").Tally} Tally */
/** @typedef {import("./cluster.js").Count} Count */

export class Quorums {
  #seen = "";
  /** @type {Map<string, {box: HTMLElement}>} */
  #boxes = new Map();
  element = make("div", { class: "rl-quorums", role: "group", "aria-label": "Majorities that are needed", hidden: "" });

  /** @param {Frame} frame */
  update(frame) {
    const tallies = talliesOf(frame);
    const look = JSON.stringify(tallies);
    if (look === this.#seen) return;
    this.#seen = look;
    show(this.element, tallies.length > 0);
    const keys = tallies.map((_, index) => String(index));
    keep(this.element, this.#boxes, keys, () => ({ box: make("div", { class: "rl-tally" }) }), ({ box }) => box);
    for (const [index, tally] of tallies.entries()) paintTally(this.#boxes.get(String(index))?.box, tally, frame);
  }
}

/** @param {HTMLElement | undefined} box @param {Tally} tally @param {Frame} frame */
function paintTally(box, { about, counts }, { servers }) {
  if (!box) return;
  const done = counts.every(({ have, need }) => have >= need);
  const title = make("p", { class: "rl-tally-about" });
  say(title, `${about}${done ? " ✓" : ""}`);
  put(box, "data-done", done ? "true" : null);
  box.replaceChildren(title, ...counts.map((count) => tallyRow(count, servers)));
}

/** @param {Count} count @param {Frame["servers"]} servers */
function tallyRow({ name, members, have, need }, servers) {
  const [letter, index] = name.split("_");
  const label = make("span", { class: "rl-tally-name" }, letter ?? "", make("sub", {}, index ?? ""));
  const chips = members.map(({ id, counts }) => make("span", { class: "rl-tally-member", "data-counts": String(counts), title: `${id} ${counts ? "counts" : "does not count yet"}` }, shortName(servers, id)));
  const sum = make("span", { class: "rl-tally-sum" }, `${have}/${need}${have >= need ? " ✓" : ""}`);
  const row = make("div", { class: "rl-tally-row", "data-quorum": name, "aria-label": `${name}: ${have} of ${need} needed` }, label, ...chips, sum);
  return row;
}
