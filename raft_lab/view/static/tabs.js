// @ts-check
import { make, put, show } from "./dom.js";

/** One place, several views of the same run: the one chosen last is the one that opens next time. */

/** @typedef {import("./tape.js").Frame} Frame */
/** @typedef {{name: string, label: string, element: HTMLElement, tools?: HTMLElement, show: () => void}} View */

const REMEMBERED = "raft_lab view";

export class Tabs {
  /** @type {Map<string, {button: HTMLButtonElement, panel: HTMLElement, view: View}>} */
  #tabs = new Map();
  #list = make("div", { class: "rl-tablist", role: "tablist", "aria-label": "What is shown of the run" });
  current = "";

  /** @param {View[]} views */
  constructor(views) {
    const tools = make("div", { class: "rl-tab-tools" });
    this.element = make("section", { class: "rl-views" }, make("div", { class: "rl-tabs" }, this.#list, tools));
    for (const view of views) {
      const id = `rl-${view.name}-${Math.random().toString(36).slice(2)}`;
      const button = make("button", { type: "button", class: "rl-tab", role: "tab", id: `${id}-tab`, "aria-controls": id, "data-view": view.name }, view.label);
      const panel = make("div", { class: "rl-panel", role: "tabpanel", id, "aria-labelledby": `${id}-tab` }, view.element);
      button.addEventListener("click", () => this.open(view.name));
      this.#tabs.set(view.name, { button, panel, view });
      this.#list.append(button);
      this.element.append(panel);
      if (view.tools) tools.append(view.tools);
    }
    this.#list.addEventListener("keydown", (event) => this.#onKey(event));
    this.open(recall(views) ?? views[0]?.name ?? "", false);
  }

  /** @param {string} name @param {boolean} [remember] */
  open(name, remember = true) {
    this.current = name;
    for (const [other, { button, panel, view }] of this.#tabs) {
      const chosen = other === name;
      put(button, "aria-selected", String(chosen));
      put(button, "tabindex", chosen ? 0 : -1);
      show(panel, chosen);
      if (view.tools) show(view.tools, chosen);
    }
    if (!remember) return;
    this.#tabs.get(name)?.view.show();
    try {
      localStorage.setItem(REMEMBERED, name);
    } catch {
      // a page without a store forgets
    }
  }

  /** Show a tab, or have none of it. @param {string} name @param {boolean} there */
  offer(name, there) {
    const tab = this.#tabs.get(name);
    if (!tab) return;
    show(tab.button, there);
    if (!there && this.current === name) this.open(this.#tabs.keys().next().value ?? "", false);
  }

  /** Left and right choose, as in every list of tabs. @param {KeyboardEvent} event */
  #onKey(event) {
    const way = event.key === "ArrowRight" ? 1 : event.key === "ArrowLeft" ? -1 : 0;
    if (!way) return;
    const names = [...this.#tabs].filter(([, { button }]) => !button.hidden).map(([name]) => name);
    const next = names[(names.indexOf(this.current) + way + names.length) % names.length] ?? "";
    this.open(next);
    this.#tabs.get(next)?.button.focus();
    event.preventDefault();
    event.stopPropagation();
  }
}

/** @param {View[]} views */
function recall(views) {
  try {
    const name = localStorage.getItem(REMEMBERED);
    return views.some((view) => view.name === name) ? name : null;
  } catch {
    return null;
  }
}
