// @ts-check
import { keep, make, put, say, show } from "./dom.js";

/** The rules of Raft as switches: what each one protects, and a click to see what happens without it. */

/** @typedef {import("./session.js").Session} Session */
/** @typedef {import("./session.js").Rule} Rule */

export class Rules {
  /** @type {Map<string, {item: HTMLElement, button: HTMLButtonElement}>} */
  #items = new Map();
  #summary = make("summary", {}, "Rules");
  #list = make("ul", { class: "rl-rules-list" });
  element = make("details", { class: "rl-rules" }, this.#summary, make("p", { class: "rl-quiet" }, "Turn a rule off at this step and see what it is for. The run stays marked as modified."), this.#list);

  /** @param {Session} session @param {(...acts: [verb: string, args: unknown[]][]) => void} act */
  constructor(session, act) {
    this.session = session;
    this.act = act;
    this.element.addEventListener("toggle", () => this.update());
  }

  update() {
    const { session } = this;
    const { rules } = session;
    const on = session.frame.rules ?? {};
    show(this.element, rules.length > 0);
    const off = rules.filter(({ name, optional }) => !optional && on[name] === false).length;
    const added = rules.filter(({ name, optional }) => optional && on[name]).length;
    say(this.#summary, ["Rules", off ? `${off} off` : "", added ? `${added} added` : ""].filter(Boolean).join(" · "));
    put(this.element, "data-off", off ? "true" : null);
    if (!this.element.open) return;
    const byName = new Map(rules.map((rule) => [rule.name, rule]));
    keep(this.#list, this.#items, [...byName.keys()], (name) => this.#make(/** @type {Rule} */ (byName.get(name))), ({ item }) => item);
    for (const [name, { button }] of this.#items) {
      put(button, "aria-checked", String(Boolean(on[name])));
      put(button, "aria-disabled", session.dead ? "true" : null);
      put(button, "title", session.dead || (on[name] ? "on: click to turn it off from this step on" : "off: click to turn it on from this step on"));
    }
  }

  /** @param {Rule} rule */
  #make({ name, section, statement, protects, optional }) {
    const button = make("button", { type: "button", role: "switch", class: "rl-switch", "aria-label": name }, make("span", { class: "rl-switch-knob", "aria-hidden": "true" }), name);
    button.addEventListener("click", () => {
      if (!this.session.dead) this.act(["switch", [name, button.getAttribute("aria-checked") !== "true"]]);
    });
    const why = protects ? `protects ${protects}` : optional ? "optional" : "";
    return { button, item: make("li", {}, button, make("p", {}, statement), make("p", { class: "rl-quiet" }, [why, section].filter(Boolean).join(" · "))) };
  }
}
