// @ts-check
import { make, prefersStillness, put, say, show } from "./dom.js";
import { ElectionRecord, seconds } from "./record.js";
import { marksLegend } from "./moments.js";
import { Reigns } from "./reigns.js";
import { POD_ROW, layerRows } from "./rows.js";
import { PodControls, RowHead, smallButton } from "./pods.js";
import { LeaseView } from "./lease.js";
import { Ring } from "./ring.js";
import { icon } from "./icons.js";
import { followTheme } from "./theme.js";

/** An election in Kubernetes, from the pods down to Raft, on one axis of time. State comes in from the kernel, pixels go out. */

/** @typedef {import("./record.js").Picture} Picture */
/** @typedef {{get: (name: string) => any, on: (event: string, call: (...args: any[]) => void) => void, off: (event: string, call: (...args: any[]) => void) => void, send: (content: unknown) => void}} Model */

const WINDOWS = /** @type {[string, number][]} */ ([["20 s", 20e6], ["1 min", 60e6], ["3 min", 180e6]]);
const PLAY_SECONDS = 0.5;
const PLAY_MS = 500;

class Electors {
  /** @type {ElectionRecord} */
  record;
  /** @type {number} up to when the picture goes */
  #shown = 0;
  #live = true;
  #playing = false;
  #waits = false;
  #dead = false;
  /** Why what was asked for last is not done. */
  #refused = "";
  #motion = 0;
  #window = 60e6;
  #sentence = make("p", { class: "el-sentence", role: "status" });
  #lately = make("p", { class: "el-lately" });
  #code = make("code", { class: "el-code" });
  #clock = make("span", { class: "rl-when" });
  #slider = make("input", { type: "range", min: "0", step: "100000", class: "el-slider", "aria-label": "Look back" });
  #toNow = smallButton("Now", () => this.#look(this.record.now));
  #seconds = make("input", { type: "number", min: "1", max: "600", value: "20", class: "el-seconds", "aria-label": "How long a pause lasts, in seconds" });
  #play = make("button", { type: "button", class: "rl-button el-play" });
  /** @type {HTMLButtonElement[]} */
  #runs = [];
  #windows = make("div", { class: "rl-st-modes", role: "group", "aria-label": "How much time is in sight" });
  #heads = make("div", { class: "el-heads" });
  #lease = new LeaseView();
  #ring = new Ring(() => {});
  #ringTitle = make("h4", {}, "The servers of etcd, on Raft");
  #crash = smallButton("Crash leader", () => this.#ask({ do: "crash_server" }));
  #restart = smallButton("Restart", () => this.#ask({ do: "restart_servers" }));
  #listener = (/** @type {any} */ content) => this.#hear(content);

  /** @param {Model} model @param {HTMLElement} el */
  constructor(model, el) {
    this.model = model;
    this.record = new ElectionRecord(model.get("picture"));
    const { pods } = this.record.picture;
    const ask = (/** @type {Record<string, unknown>} */ wish) => this.#ask(wish);
    this.pods = pods.map((pod) => new PodControls(pod, ask, () => Number(this.#seconds.value) || 20));
    const heights = layerRows(pods.length);
    this.rows = { resource: new RowHead("Writes", heights.resource), api: new RowHead("API server", heights.api), etcd: new RowHead("etcd", heights.etcd), raft: new RowHead("Raft", heights.raft, this.#crash, this.#restart) };
    this.#heads.append(...this.pods.map(({ element }) => element), ...Object.values(this.rows).map(({ element }) => element));
    this.rows.resource.element.append(make("div", { class: "el-letters", "aria-hidden": "true" }, ...pods.map((pod) => make("span", {}, (pod.split("-").at(-1) ?? "").slice(0, 1)))));
    for (const { element } of this.pods) element.style.height = `${POD_ROW}px`;
    this.reigns = new Reigns(this.record, (t) => this.#look(t), () => this.#paint());
    const title = make("strong", { class: "rl-title" }, this.record.picture.title);
    const says = make("div", { class: "el-said" }, this.#sentence, this.#lately);
    const stage = make("div", { class: "el-stage" }, this.#heads, this.reigns.element);
    const ring = make("section", { class: "el-card", "data-card": "raft" }, this.#ringTitle, this.#ring.element);
    const cards = make("div", { class: "el-cards" }, ring, this.#lease.record, this.#lease.etcd);
    const body = make("div", { class: "rl-body" }, title, says, this.#bar(), stage, marksLegend(), this.#scrubber(), cards);
    this.root = make("div", { class: "raft-lab raft-electors", tabindex: "-1", role: "region", "aria-label": "Leader election in Kubernetes" }, body);
    show(title, this.record.picture.title !== "");
    this.root.addEventListener("keydown", (event) => this.#onKey(event));
    el.append(this.root);
    this.lookAway = followTheme(this.root);
    model.on("msg:custom", this.#listener);
    this.#shown = this.record.now;
    this.#paint();
    this.#ask({ do: "hello" });
  }

  /** Everything that lets time run. */
  #bar() {
    const run = (/** @type {string} */ words, /** @type {Record<string, unknown>} */ wish, /** @type {string} */ key) => {
      const button = make("button", { type: "button", class: "rl-button", title: `${words} (${key})` }, words);
      button.addEventListener("click", () => this.#go(wish));
      this.#runs.push(button);
      return button;
    };
    this.#play.addEventListener("click", () => this.#toggle());
    const buttons = [run("Run 1 s", { do: "run", seconds: 1 }, "."), run("Run 10 s", { do: "run", seconds: 10 }, "t"), run("Next leader", { do: "until_leader" }, "l")];
    for (const [words, us] of WINDOWS) {
      const button = smallButton(words, () => this.#zoom(us));
      put(button, "data-us", us);
      put(button, "aria-pressed", String(us === this.#window));
      this.#windows.append(button);
    }
    const pause = make("label", { class: "el-label" }, "pause for", this.#seconds, "s");
    return make("div", { class: "el-bar-row", role: "group", "aria-label": "Time" }, this.#play, ...buttons, this.#clock, pause, make("span", { class: "el-label" }, this.#windows));
  }

  #scrubber() {
    this.#slider.addEventListener("input", () => this.#look(Number(this.#slider.value)));
    return make("div", { class: "el-scrub" }, this.#slider, this.#toNow, this.#code);
  }

  /** @param {number} us */
  #zoom(us) {
    this.#window = us;
    for (const button of this.#windows.children) put(button, "aria-pressed", String(Number(button.getAttribute("data-us")) === us));
    this.#paint();
  }

  /** Look at another time; nothing happens but that. @param {number} t */
  #look(t) {
    this.#pause();
    cancelAnimationFrame(this.#motion);
    this.#shown = Math.max(0, Math.min(t, this.record.now));
    this.#live = this.#shown >= this.record.now;
    this.#paint();
    this.#ask({ do: "look", at_us: Math.round(this.#shown) });
  }

  #toggle() {
    if (this.#playing) return this.#pause();
    this.#playing = true;
    this.#paint();
    this.#more();
  }

  #pause() {
    this.#playing = false;
    this.#paint();
  }

  /** The next piece of what plays. */
  #more() {
    if (this.#playing && !this.#waits) this.#ask({ do: "run", seconds: PLAY_SECONDS, quiet: true });
  }

  /** @param {Record<string, unknown>} wish */
  #go(wish) {
    this.#playing = false;
    this.#ask(wish);
  }

  /** @param {Record<string, unknown>} wish */
  #ask(wish) {
    if (this.#waits && wish.do === "run") return;
    if (!wish.quiet) this.#refused = "";
    try {
      this.model.send(wish);
      this.#dead = this.root?.closest(".jupyter-widgets-disconnected") !== null;
      if (wish.do !== "look" && wish.do !== "hello") this.#waits = true;
    } catch {
      this.#dead = true;
      this.#playing = false;
    }
    this.#paint();
  }

  /** @param {any} content */
  #hear(content) {
    if (content.type === "frame") {
      if (content.at_us === Math.round(this.#shown)) this.#showRing(content.frame);
      return;
    }
    const asked = this.#waits;
    this.#waits = false;
    if (content.type === "refused") {
      this.#playing = false;
      this.#refused = content.text;
      return this.#paint();
    }
    const before = this.record.now;
    this.record.add(content.news);
    if (!this.#live && !asked && this.record.now === before) return this.#paint(); // whoever looks back is left there
    const from = this.#live ? this.#shown : before;
    this.#live = true;
    this.#glide(from, this.record.now);
  }

  /** Let the picture run from one time to another. @param {number} from @param {number} to */
  #glide(from, to) {
    cancelAnimationFrame(this.#motion);
    const lasts = this.#playing ? PLAY_MS : Math.min(1800, 350 + (to - from) / 6e3);
    if (to <= from || prefersStillness() || document.hidden) {
      this.#shown = to;
      this.#paint();
      if (this.#playing) setTimeout(() => this.#more(), PLAY_MS);
      return;
    }
    let begun = 0;
    const move = (/** @type {number} */ now) => {
      begun ||= now;
      const part = Math.min(1, (now - begun) / lasts);
      this.#shown = from + (to - from) * part;
      this.#paint();
      if (part < 1) this.#motion = requestAnimationFrame(move);
      else this.#more();
    };
    this.#motion = requestAnimationFrame(move);
  }

  #paint() {
    if (!this.root) return;
    const { record } = this;
    const t = this.#shown;
    const { text, alarm } = record.sentence(t);
    say(this.#sentence, (alarm ? "⚠ " : "") + text);
    put(this.#sentence, "data-alarm", alarm ? "true" : null);
    put(this.#lately, "data-refused", this.#refused ? "true" : null);
    const back = this.#live || this.#dead ? "" : "You look back; to do something, press Now.";
    say(this.#lately, this.#refused || [record.lately(t), back].filter(Boolean).join(" · ") || "Run 1 s, or press Play, and watch.");
    say(this.#clock, t < record.now ? `${seconds(t)} of ${seconds(record.now)}` : seconds(t));
    say(this.#code, record.picture.code);
    put(this.#slider, "max", record.now);
    if (Number(this.#slider.value) !== t) this.#slider.value = String(t);
    put(this.#slider, "aria-valuetext", `${seconds(t)}. ${text}`);
    put(this.#toNow, "disabled", t < record.now ? null : "");
    if (this.#play.getAttribute("data-on") !== String(this.#playing)) {
      put(this.#play, "data-on", String(this.#playing));
      put(this.#play, "title", "one second of the cluster's time a second (Space)");
      this.#play.replaceChildren(icon(this.#playing ? "pause" : "play"), this.#playing ? "Pause" : "Play");
    }
    for (const button of [...this.#runs, this.#play]) put(button, "disabled", this.#dead ? "" : null);
    const still = this.#dead || !this.#live; // pods and servers stand in the present
    for (const pod of this.pods) pod.update(record, t, still);
    this.#paintRows(t, still);
    this.reigns.update(record, t, this.#window);
    this.#lease.update(record, t);
    if (this.#live && !this.#motionGoes(t)) this.#showRing(record.picture.frame);
    put(this.root, "data-shown", Math.round(t));
    put(this.root, "data-now", record.now);
    put(this.root, "data-dead", this.#dead ? "true" : null);
    put(this.root, "data-waits", this.#waits ? "true" : null);
  }

  /** @param {number} t */
  #motionGoes(t) {
    return t < this.record.now;
  }

  /** @param {import("./tape.js").Frame} frame */
  #showRing(frame) {
    this.#ring.update(frame, null, { ballots: {}, changed: {} });
  }

  /** @param {number} t @param {boolean} still */
  #paintRows(t, still) {
    const { record } = this;
    const { marks, spans, open } = record.picture;
    const count = (/** @type {string} */ what) => marks.filter((mark) => mark.lane === "resource" && mark.what === what && mark.at <= t).length;
    const refused = count("rejected");
    put(this.rows.resource.element, "data-refused", refused ? "true" : null);
    this.rows.resource.says(record.picture.fenced ? `${count("accepted")} taken, ${refused} refused` : `${count("accepted")} taken, no fence`);
    const version = record.version(t);
    this.rows.api.says(version ? `holder: ${version.holder || "nobody"}` : "no record yet");
    this.rows.etcd.says(version ? `revision ${version.revision}` : "");
    const raft = [...spans, ...open].filter((span) => span.lane === "raft" && span.from <= t && (span.to === null || t < span.to));
    const leads = raft.find(({ what }) => what === "leads");
    const crashed = Object.entries(record.picture.frame.servers).filter(([, server]) => server.crashed).map(([id]) => id);
    this.rows.raft.says(crashed.length ? "" : leads ? leads.text : "nobody leads");
    show(this.#restart, crashed.length > 0);
    say(this.#restart, `Restart ${crashed.join(", ")}`);
    for (const button of [this.#crash, this.#restart]) put(button, "disabled", still ? "" : null);
  }

  /** Only the keys that mean something here are kept from the notebook. @param {KeyboardEvent} event */
  #onKey(event) {
    const target = /** @type {HTMLElement} */ (event.target);
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const typing = target.matches("input[type=number], select");
    const pressing = target.matches("button") && (event.key === " " || event.key === "Enter");
    if (typing || pressing) return event.stopPropagation();
    if (target.matches("input[type=range]") && event.key.startsWith("Arrow")) return event.stopPropagation();
    if (!this.#command(event.key)) return;
    event.preventDefault();
    event.stopPropagation();
  }

  /** @param {string} key @returns {boolean} whether it means something */
  #command(key) {
    if (key === " ") this.#toggle();
    else if (key === ".") this.#go({ do: "run", seconds: 1 });
    else if (key === "t") this.#go({ do: "run", seconds: 10 });
    else if (key === "l") this.#go({ do: "until_leader" });
    else if (key === "ArrowLeft") this.#look(this.record.neighbour(this.#shown, -1));
    else if (key === "ArrowRight") this.#look(this.record.neighbour(this.#shown, 1));
    else if (key === "Home") this.#look(0);
    else if (key === "End") this.#look(this.record.now);
    else return false;
    return true;
  }

  close() {
    cancelAnimationFrame(this.#motion);
    this.#playing = false;
    this.model.off("msg:custom", this.#listener);
    this.reigns.close();
    this.#ring.close();
    this.lookAway();
    this.root.remove();
  }
}

export default {
  /** @param {{model: Model, el: HTMLElement, signal?: AbortSignal}} place */
  render({ model, el, signal }) {
    let electors = new Electors(model, el);
    const anew = () => {
      electors.close();
      electors = new Electors(model, el); // there are other pods
    };
    model.on("change:picture", anew);
    let open = true;
    const close = () => {
      if (open) electors.close();
      open = false;
      model.off("change:picture", anew);
    };
    signal?.addEventListener("abort", close);
    return close;
  },
};
