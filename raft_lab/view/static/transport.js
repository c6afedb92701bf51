// @ts-check
import { clockText, make, put, say, show } from "./dom.js";
import { Compare } from "./compare.js";
import { icon } from "./icons.js";
import { Jumps } from "./jumps.js";
import { Scrubber } from "./scrubber.js";
import { Tree, branchName } from "./tree.js";

/** The transport: start, back, play, step, forward, end; how fast; which branch; the scrubber; and, on demand, the tree. */

/** @typedef {import("./session.js").Session} Session */

const SPEEDS = [0.25, 0.5, 1, 2, 4, 8];

/** @param {string} name @param {string} drawing @param {string} keys */
function tapeButton(name, drawing, keys) {
  return make("button", { type: "button", class: "rl-tape-button", "aria-label": name, title: `${name} (${keys})` }, icon(drawing));
}

/** @param {HTMLElement} button @param {boolean} on */
function enable(button, on) {
  put(button, "aria-disabled", on ? null : "true");
}

export class Transport {
  #start = tapeButton("Start", "start", "Home");
  #back = tapeButton("Back", "back", "←");
  #play = tapeButton("Play", "play", "Space");
  #pauseIcon = icon("pause");
  #playIcon = icon("play");
  #step = make("button", { type: "button", class: "rl-button rl-primary rl-step", title: "The next recorded step; at the end, the next due thing (.)" }, icon("step"), "Step");
  #forward = tapeButton("Forward", "forward", "→");
  #end = tapeButton("End", "end", "End");
  #speed = make("select", { class: "rl-speed", "aria-label": "Speed" });
  #when = make("span", { class: "rl-when" });
  #next = make("span", { class: "rl-next-due" });
  #branch = make("span", { class: "rl-branch", role: "group", "aria-label": "Branches" });
  #branchWords = make("span", {});
  #other = make("button", { type: "button", class: "rl-icon-button", "aria-label": "Previous branch" }, icon("left"));
  #another = make("button", { type: "button", class: "rl-icon-button", "aria-label": "Next branch" }, icon("right"));
  #more = make("button", { type: "button", class: "rl-tape-button rl-tape-more", "aria-label": "More of the tape", title: "jumps, goals, the tree of branches", "aria-expanded": "false" }, icon("tree"));
  #name = make("input", { type: "text", class: "rl-input rl-branch-name", "aria-label": "Name of this branch", maxlength: "80", spellcheck: "false" });
  #drawer = make("div", { class: "rl-drawer", hidden: "" });

  /** @param {Session} session */
  constructor(session) {
    this.session = session;
    this.scrubber = new Scrubber(session);
    for (const speed of SPEEDS) this.#speed.append(make("option", { value: String(speed) }, `${speed}×`));
    if (!SPEEDS.includes(session.speed)) this.#speed.append(make("option", { value: String(session.speed) }, `${session.speed}×`));
    this.#speed.value = String(session.speed);
    this.#speed.addEventListener("change", () => this.#pace(Number(this.#speed.value)));
    this.#start.addEventListener("click", () => this.toStart());
    this.#back.addEventListener("click", () => session.back());
    this.#play.addEventListener("click", () => this.toggle());
    this.#step.addEventListener("click", () => session.stepOnce());
    this.#forward.addEventListener("click", () => session.forward());
    this.#end.addEventListener("click", () => this.toEnd());
    this.#other.addEventListener("click", () => this.#change(-1));
    this.#another.addEventListener("click", () => this.#change(1));
    this.#branch.append(this.#other, this.#branchWords, this.#another);
    this.jumps = new Jumps(session);
    this.tree = new Tree(session);
    this.compare = new Compare(session);
    this.#more.addEventListener("click", () => this.#open(this.#drawer.hidden));
    this.#name.addEventListener("change", () => this.#call());
    this.#name.addEventListener("keydown", (event) => event.key === "Enter" && this.#name.blur());
    const naming = make("label", { class: "rl-jump" }, "this branch is called", this.#name);
    this.#drawer.append(make("div", { class: "rl-drawer-row" }, this.jumps.element, naming), this.tree.element, this.compare.element);
    const deck = make("div", { class: "rl-deck", role: "group", "aria-label": "Tape" }, this.#start, this.#back, this.#play, this.#forward, this.#end, this.#step);
    const row = make("div", { class: "rl-transport-row" }, deck, this.#speed, this.#more, this.#when, this.#next, this.#branch);
    this.element = make("section", { class: "rl-transport", "aria-label": "Transport" }, row, this.scrubber.element, this.#drawer);
  }

  /** @param {boolean} open */
  #open(open) {
    show(this.#drawer, open);
    put(this.#more, "aria-expanded", String(open));
    this.update();
  }

  #call() {
    const tip = this.session.tape.branch.at(-1) ?? 0;
    if (!this.session.dead) this.session.call(tip, this.#name.value.trim());
  }

  /** @param {number} speed */
  #pace(speed) {
    if (this.session.live) this.session.drive({ speed });
    else this.session.speed = speed;
  }

  toggle() {
    const { live } = this.session;
    if (live) this.session.drive({ paused: !live.paused });
    else if (this.session.playing) this.session.pause();
    else this.session.play();
  }

  toStart() {
    this.session.pause();
    this.session.go(this.session.tape.branch[0] ?? 0);
  }

  toEnd() {
    this.session.pause();
    this.session.go(this.session.tape.branch.at(-1) ?? 0);
  }

  /** The fork that matters here: the one ahead, if there is a choice, or the nearest one behind. @returns {number[]} its branches */
  #fork() {
    const { tape, cursor } = this.session;
    const ahead = tape.children(cursor);
    if (ahead.length > 1) return ahead;
    for (let at = cursor; at >= 0; at = tape.step(at).parent) {
      if (tape.siblings(at).length > 1) return tape.siblings(at);
    }
    return [];
  }

  /** @param {number} way */
  #change(way) {
    const { session } = this;
    const fork = this.#fork();
    const here = fork.findIndex((id) => session.tape.branch.includes(id));
    const to = fork[(here + way + fork.length) % fork.length];
    if (to === undefined) return;
    session.pause();
    if (session.tape.step(to).parent === session.cursor) {
      session.tape.choose(to);
      session.tell("cursor");
    } else session.go(to);
  }

  update() {
    const { session } = this;
    const { tape, cursor, frame } = session;
    enable(this.#start, session.step.parent >= 0);
    enable(this.#back, session.step.parent >= 0);
    enable(this.#forward, !session.atTip);
    enable(this.#end, !session.atTip);
    enable(this.#step, !(session.dead && session.atTip));
    enable(this.#play, !(session.dead && session.atTip));
    const flows = session.live ? !session.live.paused : session.playing;
    const name = flows ? "Pause" : "Play";
    if (this.#play.getAttribute("aria-label") !== name) {
      put(this.#play, "aria-label", name);
      put(this.#play, "title", `${name} (Space)`);
      this.#play.replaceChildren(flows ? this.#pauseIcon : this.#playIcon);
    }
    if (session.live) this.#speed.value = String(session.live.speed);
    say(this.#when, `Step ${cursor} · ${clockText(frame.time_us)}${session.live ? (session.live.paused ? " · live, paused" : " · live") : ""}`);
    say(this.#next, frame.next ? `next: ${frame.next}` : "nothing is due");
    put(this.#next, "title", frame.next);
    const fork = this.#fork();
    show(this.#branch, fork.length > 1);
    if (fork.length > 1) {
      const here = fork.findIndex((id) => tape.branch[tape.depth(id)] === id);
      const ahead = fork[0] !== undefined && tape.step(fork[0]).parent === cursor;
      say(this.#branchWords, `branch ${here + 1} of ${fork.length}${ahead ? " ahead" : ""}`);
    }
    this.scrubber.update();
    if (this.#drawer.hidden) return;
    this.jumps.update();
    this.tree.update();
    this.compare.update();
    const tip = tape.branch.at(-1) ?? 0;
    if (document.activeElement !== this.#name) this.#name.value = session.names[tip] ?? "";
    put(this.#name, "placeholder", branchName(session, tip));
    put(this.#name, "disabled", session.dead ? "" : null);
  }

  close() {
    this.tree.close();
    this.scrubber.close();
  }
}
