// @ts-check
import { make, put } from "./dom.js";
import { icon } from "./icons.js";

/** Going further than one step: to the next or previous moment of a kind, and on until something is so. */

/** @typedef {import("./session.js").Session} Session */

/** @type {[mark: string, name: string][]} */
const MOMENTS = [["election", "election"], ["leader", "new leader"], ["commit", "commit"], ["term", "new term"], ["crash", "crash"], ["violation", "broken rule"]];
/** @type {[until: string, name: string][]} */
const GOALS = [["leader", "a leader is elected"], ["commit", "an entry is committed"], ["equal", "all logs are equal"], ["violation", "a rule is broken"]];

/** @param {string} label @param {[string, string][]} options */
function choice(label, options) {
  return make("select", { class: "rl-speed", "aria-label": label }, ...options.map(([value, name]) => make("option", { value }, name)));
}

export class Jumps {
  #moment = choice("Moment", MOMENTS);
  #before = make("button", { type: "button", class: "rl-tape-button", "aria-label": "Previous moment", title: "Previous ([)" }, icon("left"));
  #after = make("button", { type: "button", class: "rl-tape-button", "aria-label": "Next moment", title: "Next (])" }, icon("right"));
  #goal = choice("Goal", GOALS);
  #run = make("button", { type: "button", class: "rl-button" }, "Run");
  element = make("div", { class: "rl-jumps", role: "group", "aria-label": "Further than one step" },
    make("span", { class: "rl-jump" }, "go to", this.#before, this.#moment, this.#after),
    make("span", { class: "rl-jump" }, "run until", this.#goal, this.#run),
  );

  /** @param {Session} session */
  constructor(session) {
    this.session = session;
    this.#moment.addEventListener("change", () => this.update());
    this.#before.addEventListener("click", () => this.jump(-1));
    this.#after.addEventListener("click", () => this.jump(1));
    this.#run.addEventListener("click", () => {
      if (!session.dead) session.runUntil(this.#goal.value);
    });
  }

  /** @param {1 | -1} way */
  jump(way) {
    this.session.jump(this.#moment.value, way);
  }

  update() {
    const { tape, cursor, dead } = this.session;
    put(this.#before, "aria-disabled", tape.marked(cursor, this.#moment.value, -1) < 0 ? "true" : null);
    put(this.#after, "aria-disabled", tape.marked(cursor, this.#moment.value, 1) < 0 ? "true" : null);
    put(this.#run, "aria-disabled", dead ? "true" : null);
    put(this.#run, "title", dead || "let time go on until this is so");
  }
}
