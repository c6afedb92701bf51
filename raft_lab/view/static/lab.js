// @ts-check
import { make, put, show } from "./dom.js";
import { sessionOf } from "./session.js";
import { ballotsAt } from "./ballots.js";
import { Ring } from "./ring.js";
import { Quorums } from "./quorums.js";
import { Ledger } from "./ledger.js";
import { SpaceTime } from "./spacetime.js";
import { Fields } from "./fields.js";
import { StoreView } from "./store.js";
import { Tabs } from "./tabs.js";
import { ChangesLine, changesBetween, marksOf } from "./changes.js";
import { followTheme } from "./theme.js";
import { Ask } from "./ask.js";
import { Agenda } from "./agenda.js";
import { Menu } from "./menu.js";
import { Rules } from "./rules.js";
import { Share } from "./share.js";
import { Faults } from "./faults.js";
import { Transport } from "./transport.js";
import { Code, Invariants, Sentence } from "./words.js";
import { legend } from "./legend.js";

/** The lab: one instrument put together. State comes in from the session, pixels go out. */

/** @typedef {import("./session.js").Model} Model */
/** @typedef {import("./session.js").News} News */
/** @typedef {import("./verbs.js").Deed} Deed */
/** @typedef {import("./ring.js").Subject} Subject */

class Lab {
  /** @type {number} the step on screen */
  #shown = -1;
  /** @type {object | undefined} */
  #frame;
  #lit = "";
  #side = make("div", { class: "rl-side" });
  #body = make("div", { class: "rl-body" });
  #waiting = make("p", { class: "rl-quiet" }, "Waiting for the cluster…");

  /** @param {Model} model @param {HTMLElement} el */
  constructor(model, el) {
    this.model = model;
    this.session = sessionOf(model);
    const act = (/** @type {[string, unknown[]][]} */ ...acts) => this.#act(acts);
    const perform = (/** @type {Deed} */ deed) => this.#act(deed.acts);
    const light = (/** @type {string} */ key) => this.#light(key);
    const desk = { command: () => this.faults.command(), closed: () => this.session.dead };
    this.changes = new ChangesLine();
    this.sentence = new Sentence(this.changes.element);
    this.ring = new Ring((subject, element) => this.#pick(subject, element));
    this.quorums = new Quorums();
    this.ledger = new Ledger(light);
    this.spacetime = new SpaceTime(this.session);
    this.fields = new Fields();
    this.store = new StoreView();
    this.tabs = new Tabs([
      { name: "logs", label: "Logs", element: this.ledger.element, tools: this.ledger.tools, show: () => this.#repaint() },
      { name: "spacetime", label: "Space-time", element: this.spacetime.element, tools: this.spacetime.tools, show: () => this.#repaint() },
      { name: "fields", label: "All fields", element: this.fields.element, show: () => this.#repaint() },
      { name: "store", label: "Store", element: this.store.element, show: () => this.#repaint() },
    ]);
    this.faults = new Faults(act, (side) => this.#showSides(side));
    this.agenda = new Agenda(perform, light, desk, (subject, element) => this.#pick(subject, element));
    this.transport = new Transport(this.session);
    this.invariants = new Invariants(this.session);
    this.rules = new Rules(this.session, act);
    this.code = new Code(this.session);
    this.share = new Share(this.session, () => this.ring.element, () => this.root);
    this.menu = new Menu(perform, desk);
    this.ask = new Ask(this.session, model);
    this.#side.append(this.tabs.element, this.faults.element, this.agenda.element);
    const stage = make("div", { class: "rl-stage" }, make("div", { class: "rl-ring-box" }, this.ring.element, this.quorums.element), this.#side);
    const foot = make("footer", { class: "rl-foot" }, this.invariants.element, this.rules.element, this.code.element, this.share.element, legend());
    this.root = make("div", { class: "raft-lab", tabindex: "-1", role: "region", "aria-label": "Raft lab" });
    this.#body.append(this.sentence.element, this.ask.element, this.transport.element, stage, foot);
    this.root.append(this.#waiting, this.#body, this.menu.element);
    this.root.addEventListener("keydown", (event) => this.#onKey(event));
    this.root.addEventListener("pointerdown", (event) => this.#onPress(event));
    this.root.addEventListener("click", (event) => this.ask.click(/** @type {Element} */ (event.target)));
    this.root.addEventListener("pointerenter", () => this.session.probe());
    this.root.addEventListener("pointerover", (event) => this.#onHover(event));
    this.root.addEventListener("focusin", (event) => this.#onHover(event));
    el.append(this.root);
    this.lookAway = followTheme(this.root);
    this.leave = this.session.listen((news) => this.#hear(news));
    this.session.attach(model, () => this.root.closest(".jupyter-widgets-disconnected") !== null);
    this.#paint();
    this.sentence.notice(this.session);
  }

  /** @param {News} news */
  #hear(news) {
    if (news === "glide") this.ring.glide(this.session.player.clock());
    else if (news === "notice") this.sentence.notice(this.session);
    else if (news === "asked") put(this.root, "data-asking", this.session.settled ? null : "true");
    else if (news === "kernel") this.#repaint();
    else this.#paint();
    if (news === "steps" && this.tabs.current === "spacetime") this.spacetime.update();
  }

  /** What can be done has changed, though the step has not. */
  #repaint() {
    this.#frame = undefined;
    this.#paint();
  }

  /** Show the step at the cursor. What did not change is not touched. */
  #paint() {
    const { session } = this;
    show(this.#waiting, !session.ready);
    show(this.#body, session.ready);
    if (!session.ready) return;
    const { frame, step, cursor } = session;
    if (cursor !== this.#shown || frame !== this.#frame) {
      this.#frame = frame;
      const led = step.parent === this.#shown && this.#shown >= 0;
      put(this.root, "data-step", cursor);
      put(this.root, "data-cursor", cursor);
      this.#shown = cursor;
      const before = step.parent < 0 ? undefined : session.tape.frame(step.parent);
      const changes = changesBetween(before, frame);
      const changed = marksOf(changes);
      if (before) this.changes.update(changes);
      else this.changes.clear();
      const lost = step.verb === "drop" ? before?.messages[step.message] : undefined;
      this.ring.update(frame, led ? step : null, { lost, ballots: ballotsAt(session.tape, cursor), changed });
      this.quorums.update(frame);
      this.#paintView(frame, before, changed);
      this.faults.update(frame, this.session.dead);
      this.agenda.update(frame);
      this.menu.update(frame);
      this.code.update(session);
      this.share.update(session);
      this.#relight();
    }
    this.sentence.update(session);
    this.invariants.update(session);
    this.rules.update();
    this.ask.update();
    this.transport.update();
    put(this.root, "data-playing", session.playing ? "true" : null);
    put(this.root, "data-dead", session.dead ? "true" : null);
  }

  /** Only the view that is open. @param {import("./tape.js").Frame} frame @param {import("./tape.js").Frame | undefined} before @param {Record<string, string>} changed */
  #paintView(frame, before, changed) {
    this.tabs.offer("store", frame.store !== undefined);
    if (this.tabs.current === "logs") this.ledger.update(frame, before, changed);
    else if (this.tabs.current === "spacetime") this.spacetime.update();
    else if (this.tabs.current === "store") this.store.update(frame, before);
    else this.fields.update(frame, before);
  }

  /** @param {[string, unknown[]][]} acts */
  #act(acts) {
    this.session.act(...acts);
    if (acts.some(([verb]) => verb === "propose")) this.faults.proposed();
  }

  /** Something was clicked on the ring or in the list. @param {Subject} subject @param {HTMLElement | SVGElement} element */
  #pick(subject, element) {
    if (this.faults.drawing && subject.kind === "server") return this.faults.toggle(subject.id);
    if (subject.kind === "server" && this.ask.takesServer(subject.id)) return;
    this.session.pause();
    this.menu.open(subject, element, this.session.frame);
  }

  /** @param {Set<string> | null} side */
  #showSides(side) {
    put(this.root, "data-drawing", side ? "true" : null);
    for (const node of this.ring.element.querySelectorAll("[data-server]")) {
      put(node, "data-side", side ? (side.has(node.getAttribute("data-server") ?? "") ? "one" : "other") : null);
    }
  }

  /** Ring, ledger and agenda light up together. @param {string} key */
  #light(key) {
    if (key === this.#lit) return;
    this.#lit = key;
    for (const element of this.root.querySelectorAll(".rl-lit")) element.classList.remove("rl-lit");
    this.#relight();
  }

  #relight() {
    if (!this.#lit) return;
    const key = CSS.escape(this.#lit);
    const alike = `[data-about="${key}"], [data-message="${key}"], [data-server="${key}"]`;
    for (const element of this.root.querySelectorAll(alike)) element.classList.add("rl-lit");
  }

  /** @param {Event} event */
  #onHover(event) {
    const spot = /** @type {Element} */ (event.target).closest("[data-message], [data-server], [data-about]");
    this.#light(spot?.getAttribute("data-message") ?? spot?.getAttribute("data-server") ?? spot?.getAttribute("data-about") ?? "");
  }

  /** @param {PointerEvent} event */
  #onPress(event) {
    const target = /** @type {Element} */ (event.target);
    if (this.menu.isOpen && !this.menu.element.contains(target)) this.menu.close(false);
    if (!target.closest("button, input, select, summary, [tabindex]:not(.raft-lab)")) this.root.focus({ preventScroll: true });
  }

  /** Keys work while the focus is inside, and only the keys we use are kept from the notebook. @param {KeyboardEvent} event */
  #onKey(event) {
    const target = /** @type {HTMLElement} */ (event.target);
    if (target.matches("input[type=text]")) {
      event.stopPropagation();
      return;
    }
    if (event.ctrlKey || event.metaKey || event.altKey || event.defaultPrevented) return;
    const native = target.matches("button, summary, select");
    if (native && (event.key === " " || event.key === "Enter" || (target.matches("select") && event.key.startsWith("Arrow")))) {
      event.stopPropagation();
      return;
    }
    if (!this.#command(event)) return;
    event.preventDefault();
    event.stopPropagation();
  }

  /** @param {KeyboardEvent} event @returns {boolean} whether this key means something here */
  #command(event) {
    const { session, transport } = this;
    if (!session.ready) return false;
    if (event.key === "Escape" && this.faults.drawing) this.faults.cancel();
    else if (event.key === " ") transport.toggle();
    else if (event.key === "." || (event.key === "ArrowRight" && event.shiftKey)) session.stepOnce();
    else if (event.key === "ArrowLeft") session.back();
    else if (event.key === "ArrowRight") session.forward();
    else if (event.key === "[") transport.jumps.jump(-1);
    else if (event.key === "]") transport.jumps.jump(1);
    else if (event.key === "Home") transport.toStart();
    else if (event.key === "End") transport.toEnd();
    else return false;
    return true;
  }

  close() {
    this.leave();
    this.session.detach(this.model);
    this.ring.close();
    this.ledger.close();
    this.spacetime.close();
    this.ask.close();
    this.lookAway();
    this.transport.close();
    this.root.remove();
  }
}

export default {
  /** @param {{model: Model, el: HTMLElement, signal?: AbortSignal}} place */
  render({ model, el, signal }) {
    const lab = new Lab(model, el);
    let open = true;
    const close = () => {
      if (open) lab.close();
      open = false;
    };
    signal?.addEventListener("abort", close);
    return close;
  },
};
