// @ts-check
import { make, put, say, show } from "./dom.js";
import { seconds } from "./record.js";

/** A pod's name, what it is about, and what can be done to it. */

/** @typedef {import("./record.js").ElectionRecord} ElectionRecord */
/** @typedef {(wish: Record<string, unknown>) => void} Ask */

const SPEEDS = ["0.5", "0.8", "1", "1.25", "2"];

/** @param {string} words @param {() => void} click */
export function smallButton(words, click) {
  const button = make("button", { type: "button", class: "rl-mode" }, words);
  button.addEventListener("click", click);
  return button;
}

export class PodControls {
  #name = make("strong", { class: "el-name" });
  #says = make("span", { class: "el-says" });
  #speed = make("select", { class: "rl-mode el-speed" });
  #pause;
  #crash;
  #cut;

  /** @param {string} pod @param {Ask} ask @param {() => number} pauseFor seconds */
  constructor(pod, ask, pauseFor) {
    this.pod = pod;
    this.#pause = smallButton("Pause", () => ask(this.#paused ? { do: "resume", pod } : { do: "pause", pod, seconds: pauseFor() }));
    this.#crash = smallButton("Crash", () => ask({ do: this.#down ? "restart" : "crash", pod }));
    this.#cut = smallButton("Cut", () => ask({ do: this.#isCut ? "mend" : "cut", pod }));
    put(this.#pause, "title", "its process stands still, as for garbage collection or a sleeping laptop");
    put(this.#crash, "title", "its process ends, and says nothing to anybody");
    put(this.#cut, "title", "nothing gets through between it and the API server");
    for (const speed of SPEEDS) this.#speed.append(make("option", { value: speed }, `clock ${speed}×`));
    put(this.#speed, "aria-label", `How fast the clock of ${pod} runs`);
    this.#speed.addEventListener("change", () => ask({ do: "clock", pod, speed: Number(this.#speed.value) }));
    say(this.#name, pod);
    this.element = make("div", { class: "el-head el-pod", "data-pod": pod, role: "group", "aria-label": pod }, make("div", { class: "el-who" }, this.#name, this.#says), make("div", { class: "el-acts" }, this.#pause, this.#crash, this.#cut, this.#speed));
  }

  #paused = false;
  #down = false;
  #isCut = false;

  /** @param {ElectionRecord} record @param {number} t @param {boolean} still nothing can be done: there is no kernel, or somebody looks back */
  update(record, t, still) {
    const has = (/** @type {string} */ what, /** @type {number} */ at) => record.span(this.pod, what, at) !== undefined;
    const { now } = record;
    [this.#paused, this.#down, this.#isCut] = [has("paused", now), has("down", now), has("cut", now)];
    say(this.#pause, this.#paused ? "Resume" : "Pause");
    say(this.#crash, this.#down ? "Restart" : "Crash");
    say(this.#cut, this.#isCut ? "Mend" : "Cut");
    for (const control of [this.#pause, this.#crash, this.#cut, this.#speed]) put(control, "disabled", still || (this.#down && control !== this.#crash) ? "" : null);
    const clock = record.picture.clocks[this.pod] ?? "1";
    if (document.activeElement !== this.#speed && this.#speed.value !== clock) {
      if (![...this.#speed.options].some(({ value }) => value === clock)) this.#speed.append(make("option", { value: clock }, `clock ${clock}×`));
      this.#speed.value = clock;
    }
    const works = record.span(this.pod, "works", t);
    const state = has("down", t) ? "down" : has("paused", t) ? "paused" : works ? "leads" : has("believes", t) ? "believes" : "waits";
    put(this.element, "data-state", state);
    say(this.#says, words(record, this.pod, state, works?.text ?? "", t) + (has("cut", t) ? " · cut off" : ""));
    put(this.#says, "title", this.#says.textContent);
  }
}

/** @param {ElectionRecord} record @param {string} pod @param {string} state @param {string} working @param {number} t */
function words(record, pod, state, working, t) {
  if (state === "down") return "✗ down";
  if (state === "paused") return "❚❚ paused";
  if (state === "leads") return `★ ${working || "works"}`;
  if (state === "believes") return "☆ believes to lead";
  const left = record.waits(pod, t);
  return left > 0 ? `waits: ${seconds(left)} left` : "waits, may try";
}

/** A row without a pod: a name, a line below it, and perhaps a button. */
export class RowHead {
  #says = make("span", { class: "el-says" });

  /** @param {string} name @param {number} height @param {...HTMLElement} controls */
  constructor(name, height, ...controls) {
    this.element = make("div", { class: "el-head", style: `height:${height}px` }, make("div", { class: "el-who" }, make("strong", { class: "el-name" }, name), this.#says), make("div", { class: "el-acts" }, ...controls));
    show(/** @type {HTMLElement} */ (this.element.lastElementChild), controls.length > 0);
  }

  /** @param {string} words */
  says(words) {
    say(this.#says, words);
    put(this.#says, "title", words);
  }
}
