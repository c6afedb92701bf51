// @ts-check
import { keep, make, put, say, show } from "./dom.js";

/** The talk's demo application: a page that says who answered, and the pods behind it. In a notebook, or on a page of its own. */

/** @typedef {{pod: string, name: string | null, leader: boolean, us: number, text: string}} Answer */
/** @typedef {{name: string, state: string, answer: string, leads: boolean, cut: boolean}} Pod */
/**
 * @typedef {object} DemoState
 * @property {number} time_us @property {number} present_us later than the time while somebody looks back @property {Pod[]} pods @property {Answer[]} answers @property {string} kind @property {string} name
 * @property {[name: string, value: string][]} record @property {{name: string, leads: boolean, down: boolean}[]} servers @property {string} said
 */
/** @typedef {(wish: Record<string, unknown>) => void} Ask */

/** @param {string} words @param {() => void} click @param {string} [name] */
function demoButton(words, click, name) {
  const button = make("button", { type: "button", class: "demo-button" }, words);
  if (name) put(button, "aria-label", name);
  button.addEventListener("click", click);
  return button;
}

/** The page itself, in a frame like a browser's. @param {() => void} reload */
function buildPage(reload) {
  const every = make("input", { type: "checkbox" });
  const says = make("p", { class: "demo-says", role: "status" });
  const how = make("p", { class: "demo-how" });
  const strip = make("ol", { class: "demo-strip", "aria-label": "Who answered before, the latest last" });
  const clock = make("span", { class: "demo-clock" });
  const bar = make("div", { class: "demo-bar" }, make("span", { class: "demo-address" }, "http://demo/"), demoButton("Reload", reload), make("label", {}, every, " every second"), clock);
  const page = make("div", { class: "demo-page" }, says, how);
  /** @type {Map<string, HTMLElement>} */
  const kept = new Map();
  const update = (/** @type {DemoState} */ { answers, time_us }) => {
    const last = answers.at(-1);
    put(page, "data-who", last ? (last.leader ? "leader" : last.name === null ? "nobody" : "other") : "none");
    say(says, last ? `${last.leader ? "★ " : ""}Hello from ${last.text}.` : "Press Reload: somebody will answer.");
    if (last && last.name === null) say(says, `${last.text}.`);
    say(how, last && last.name !== null ? `${last.pod} asked its sidecar who leads, and was told {"name":"${last.name}"}.` : "");
    keep(strip, kept, answers.map(({ us, pod }, index) => `${us} ${pod} ${answers.slice(0, index).filter((one) => one.us === us).length}`), () => make("li"), (item) => item);
    [...kept.values()].forEach((item, index) => {
      const answer = answers[index];
      if (!answer) return;
      say(item, answer.pod ? `${answer.pod.split("-").at(-1)}${answer.leader ? "★" : answer.name === null ? "–" : ""}` : "–");
      put(item, "data-who", answer.leader ? "leader" : answer.name === null ? "nobody" : "other");
      put(item, "title", answer.text);
    });
    say(clock, `${(time_us / 1e6).toFixed(1)} s`);
  };
  return { every, update, element: make("div", { class: "demo-browser" }, bar, page, strip) };
}

/** A pod: its application and its sidecar. @param {string} name @param {Ask | null} ask */
function buildPod(name, ask) {
  const state = make("span", { class: "demo-state" });
  const answer = make("code", { class: "demo-answer" });
  /** @type {Pod | undefined} */
  let pod;
  const alive = () => pod?.state === "running" || pod?.state === "paused";
  const kill = demoButton("Kill", () => ask?.({ do: alive() ? "crash" : "restart", pod: name }));
  const cut = demoButton("Cut off", () => ask?.({ do: pod?.cut ? "mend" : "cut", pod: name }));
  const pause = demoButton("Pause", () => ask?.(pod?.state === "paused" ? { do: "resume", pod: name } : { do: "pause", pod: name, seconds: 20 }));
  const acts = make("div", { class: "demo-acts" }, kill, pause, cut);
  show(acts, ask !== null);
  const element = make("section", { class: "demo-pod", "aria-label": name }, make("h4", {}, name, state), make("p", { class: "demo-small" }, "its sidecar says"), answer, acts);
  const update = (/** @type {Pod} */ now, /** @type {boolean} */ past) => {
    pod = now;
    put(element, "data-leads", now.leads ? "true" : null);
    put(element, "data-state", now.state);
    say(state, now.state === "running" ? [now.leads ? (now.cut ? "★ believes so" : "★ leads") : "", now.cut ? "cut off" : ""].filter(Boolean).join(" · ") : now.state === "paused" ? "❚❚ paused" : "✗ down");
    say(answer, now.answer || (alive() ? "(nothing)" : "–"));
    say(kill, alive() ? "Kill" : "Restart");
    put(kill, "aria-label", `${alive() ? "Kill" : "Restart"} ${name}`);
    say(pause, now.state === "paused" ? "Resume" : "Pause 20 s");
    put(pause, "disabled", alive() && !past ? null : "");
    for (const button of [kill, cut]) put(button, "disabled", past ? "" : null);
    say(cut, now.cut ? "Mend" : "Cut off");
    put(cut, "title", "nothing gets through between this pod and the API server");
  };
  return { element, update };
}

/** Build it once; what comes back shows a state. @param {HTMLElement} el @param {() => void} reload @param {Ask | null} ask */
function buildDemo(el, reload, ask) {
  const page = buildPage(reload);
  const row = make("div", { class: "demo-pods" });
  const record = make("tbody");
  const about = make("h4", {});
  const servers = make("p", { class: "demo-servers" });
  /** @type {DemoState["servers"]} */
  let all = [];
  const crash = demoButton("Kill the Raft leader", () => ask?.({ do: all.some(({ down }) => down) ? "restart_servers" : "crash_server" }));
  show(crash, ask !== null);
  const said = make("p", { class: "demo-said", role: "status" });
  const when = make("span", {});
  const present = demoButton("To the present", () => ask?.({ do: "present" }));
  show(present, ask !== null);
  const looksBack = make("p", { class: "demo-past", role: "status" }, when, present);
  const below = make("div", { class: "demo-below" },
    make("section", {}, about, make("table", {}, make("caption", { class: "demo-hidden" }, "The record of the election"), record)),
    make("section", {}, make("h4", {}, "etcd, on Raft"), servers, crash));
  const root = make("div", { class: "raft-demo" }, looksBack, page.element, said, row, below);
  el.append(root);
  /** @type {Map<string, ReturnType<typeof buildPod>>} */
  const pods = new Map();
  /** @type {Map<string, HTMLTableRowElement>} */
  const rows = new Map();
  const update = (/** @type {DemoState} */ state) => {
    page.update(state);
    keep(row, pods, state.pods.map(({ name }) => name), (name) => buildPod(name, ask), ({ element }) => element);
    const past = state.time_us < state.present_us;
    show(looksBack, past);
    say(when, past ? `You look back: this is how all stood at ${(state.time_us / 1e6).toFixed(1)} s. The pods are at ${(state.present_us / 1e6).toFixed(1)} s, and do not go back.` : "");
    put(root, "data-past", past ? "true" : null);
    put(crash, "disabled", past ? "" : null);
    for (const pod of state.pods) pods.get(pod.name)?.update(pod, past);
    say(about, `The record: ${state.kind} ${state.name}`);
    keep(record, rows, state.record.map(([name]) => name), (name) => make("tr", {}, make("th", { scope: "row" }, name), make("td")), (item) => item);
    for (const [name, value] of state.record) say(/** @type {Element} */ (rows.get(name)?.lastElementChild), value);
    all = state.servers;
    say(servers, all.map(({ name, leads, down }) => `${name}${leads ? " ★ leads" : ""}${down ? " ✗ down" : ""}`).join("   "));
    const down = all.filter((server) => server.down).map(({ name }) => name);
    say(crash, down.length ? `Restart ${down.join(", ")}` : "Kill the Raft leader");
    say(said, state.said);
  };
  return { update, every: page.every };
}

/** @param {{model: any, el: HTMLElement}} context */
function renderDemo({ model, el }) {
  let waits = false;
  const ask = (/** @type {Record<string, unknown>} */ wish) => {
    if (waits && wish.do === "reload") return;
    try {
      model.send(wish);
      waits = wish.do === "reload";
    } catch {
      clearInterval(timer);
      demo.every.checked = false;
    }
  };
  const demo = buildDemo(el, () => ask({ do: "reload" }), ask);
  /** @type {ReturnType<typeof setInterval> | undefined} */
  let timer;
  demo.every.addEventListener("change", () => {
    clearInterval(timer);
    if (!demo.every.checked) return;
    timer = setInterval(() => ask({ do: "reload" }), 1000);
    ask({ do: "reload" });
  });
  const look = () => demo.update(model.get("state"));
  const hear = (/** @type {any} */ content) => {
    if (content.type === "done") waits = false;
  };
  el.addEventListener("keydown", (event) => event.key !== "Tab" && event.key !== "Escape" && event.stopPropagation());
  model.on("change:state", look);
  model.on("msg:custom", hear);
  look();
  return () => {
    clearInterval(timer);
    model.off("change:state", look);
    model.off("msg:custom", hear);
  };
}

/** The same page by itself: it asks its server, and listens to it. @param {HTMLElement} el */
function followDemo(el) {
  const reload = () => void fetch("/answer");
  const demo = buildDemo(el, reload, null);
  /** @type {ReturnType<typeof setInterval> | undefined} */
  let timer;
  demo.every.addEventListener("change", () => {
    clearInterval(timer);
    if (demo.every.checked) timer = setInterval(reload, 1000);
  });
  new EventSource("/events").onmessage = (event) => demo.update(JSON.parse(event.data));
}

export default { render: renderDemo };
