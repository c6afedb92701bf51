// @ts-check
import { clockText, draw, hueOf, make } from "./dom.js";
import { roleWords } from "./cluster.js";

/**
 * A still picture of the step on show, for slides and papers: one SVG that needs no style sheet and no font of ours. The
 * ring is the one on screen with its colours written into it; sentence and logs are drawn beside it.
 */

/** @typedef {import("./session.js").Session} Session */
/** @typedef {import("./tape.js").Frame} Frame */

const STILL_LOOKS = [
  "fill", "fill-opacity", "stroke", "stroke-width", "stroke-opacity", "stroke-dasharray", "stroke-linecap", "stroke-linejoin",
  "opacity", "font-size", "font-weight", "font-style", "text-anchor", "paint-order",
];
const STILL_CELL = 60;
const STILL_ROW = 44;
const STILL_COLUMNS = 10;
const RING_ACROSS = 540;

/** A colour as any program reads it: browsers write mixed colours in a way of their own. @param {string} value */
function plainColour(value) {
  return value.replaceAll(/color\(srgb ([\d.e-]+) ([\d.e-]+) ([\d.e-]+)(?: \/ ([\d.e-]+))?\)/g, (_, r, g, b, a) => {
    const [red, green, blue] = [r, g, b].map((part) => Math.round(Number(part) * 255));
    return a === undefined ? `rgb(${red},${green},${blue})` : `rgba(${red},${green},${blue},${a})`;
  });
}

/** A copy that looks the same without a style sheet. @param {SVGElement} element @returns {SVGElement | undefined} nothing, if it cannot be seen */
function frozen(element) {
  const look = getComputedStyle(element);
  if (look.display === "none" || look.visibility === "hidden") return undefined;
  const copy = /** @type {SVGElement} */ (element.cloneNode(false));
  for (const { name } of [...copy.attributes]) {
    if (/^(class|tabindex|role|aria-.*|data-.*)$/.test(name)) copy.removeAttribute(name);
  }
  for (const name of STILL_LOOKS) {
    const value = look.getPropertyValue(name);
    if (value) copy.style.setProperty(name, plainColour(value));
  }
  for (const child of element.childNodes) {
    if (child instanceof SVGTitleElement) continue;
    const part = child instanceof SVGElement ? frozen(child) : child.cloneNode();
    if (part) copy.append(part);
  }
  return copy;
}

/** @param {string} text @param {Record<string, string | number>} attributes */
function words(text, attributes) {
  const element = draw("text", attributes);
  element.textContent = text;
  return element;
}

/** @param {string} text @param {number} most letters a line @returns {string[]} */
function lines(text, most) {
  /** @type {string[]} */
  const found = [];
  for (const word of text.split(" ")) {
    const last = found.at(-1);
    if (last !== undefined && last.length + word.length < most) found[found.length - 1] = `${last} ${word}`;
    else found.push(word);
  }
  return found;
}

/** What the theme paints with. @param {Element} root */
function palette(root) {
  const probe = make("span", { hidden: "" });
  root.append(probe);
  const read = (/** @type {string} */ colour) => {
    probe.style.color = colour;
    return plainColour(getComputedStyle(probe).color);
  };
  const tint = (/** @type {string} */ hue) => {
    probe.setAttribute("data-hue", hue);
    return read("var(--rl-tint)");
  };
  const found = { ink: read("var(--rl-ink)"), paper: read("var(--rl-paper)"), soft: read("var(--rl-soft)"), line: read("var(--rl-line)"), danger: read("var(--rl-danger)") };
  const tints = Object.fromEntries(["none", ..."0123456"].map((hue) => [hue, tint(hue)]));
  probe.remove();
  return { ...found, tints };
}

/** @param {Frame} frame @param {ReturnType<typeof palette>} colours @returns {{group: SVGElement, width: number, height: number}} */
function logs(frame, colours) {
  const servers = Object.entries(frame.servers);
  const last = Math.max(1, ...servers.map(([, server]) => server.last_index));
  const first = Math.max(1, last - STILL_COLUMNS + 1);
  const group = draw("g");
  const left = 100;
  for (let index = first; index <= last; index += 1) {
    group.append(words(String(index), { x: left + (index - first) * STILL_CELL + STILL_CELL / 2 - 2, y: 12, "text-anchor": "middle", "font-size": 11, fill: colours.soft }));
  }
  for (const [row, [id, server]] of servers.entries()) {
    const y = 22 + row * STILL_ROW;
    group.append(words(id, { x: 0, y: y + 16, "font-weight": 600, "font-size": 14 }), words(roleWords(frame, id), { x: 0, y: y + 31, "font-size": 11, fill: colours.soft }));
    for (let index = Math.max(first, server.first_index); index <= Math.min(last, server.last_index); index += 1) {
      const entry = server.log[String(index)];
      if (!entry) continue;
      const x = left + (index - first) * STILL_CELL;
      const committed = index <= server.commit_index;
      const cell = draw("rect", { x, y, width: STILL_CELL - 4, height: STILL_ROW - 8, rx: 4, fill: colours.tints[hueOf(entry.term)] ?? "none", stroke: colours.ink, "stroke-width": committed ? 2.2 : 1.2 });
      if (!committed) cell.setAttribute("stroke-dasharray", "4 3");
      const text = entry.text.length > 9 ? `${entry.text.slice(0, 8)}…` : entry.text;
      group.append(cell, words(String(entry.term), { x: x + 6, y: y + 15, "font-size": 12, "font-weight": 600 }), words(text, { x: x + 6, y: y + 29, "font-size": 10.5 }));
    }
  }
  return { group, width: left + (last - first + 1) * STILL_CELL, height: 22 + servers.length * STILL_ROW };
}

/** @param {Session} session @param {SVGSVGElement} ring @param {Element} root @returns {{svg: string, width: number, height: number}} */
export function still(session, ring, root) {
  const { frame, step } = session;
  const colours = palette(root);
  const ledger = logs(frame, colours);
  const width = Math.max(RING_ACROSS + 40 + ledger.width + 24, 760);
  const head = draw("g");
  let y = 32;
  for (const line of lines(step.sentence, Math.floor(width / 9))) {
    head.append(words(line, { x: 20, y, "font-size": 18 }));
    y += 24;
  }
  const beneath = [`Step ${step.id} · ${clockText(frame.time_us)}`, step.rule, step.section].filter(Boolean).join("   ");
  head.append(words(beneath, { x: 20, y: y - 4, "font-size": 12, fill: colours.soft }));
  if (session.modified) head.append(words(`modified Raft: ${session.modified}`, { x: 20, y: (y += 18) - 2, "font-size": 13, "font-weight": 600, fill: colours.danger }));
  const copy = /** @type {SVGSVGElement} */ (frozen(ring));
  const box = ring.viewBox.baseVal;
  const ringHeight = (box.height / box.width) * RING_ACROSS;
  for (const [name, value] of Object.entries({ x: 10, y: y + 14, width: RING_ACROSS, height: ringHeight })) copy.setAttribute(name, String(value));
  ledger.group.setAttribute("transform", `translate(${RING_ACROSS + 40} ${y + 40})`);
  const height = Math.ceil(y + 30 + Math.max(ringHeight, ledger.height + 40));
  const title = draw("title");
  title.textContent = `Step ${step.id}: ${step.sentence}`;
  const picture = draw("svg", { xmlns: "http://www.w3.org/2000/svg", viewBox: `0 0 ${width} ${height}`, width, height, "font-family": "system-ui, Helvetica, Arial, sans-serif", fill: colours.ink },
    title, draw("rect", { width, height, fill: colours.paper }), head, copy, ledger.group);
  return { svg: new XMLSerializer().serializeToString(picture), width, height };
}

/** The picture as pixels, twice as fine as on screen. @param {{svg: string, width: number, height: number}} picture @returns {Promise<Blob>} */
export async function pixels({ svg, width, height }) {
  const image = new Image();
  image.src = `data:image/svg+xml;charset=utf-8,${encodeURIComponent(svg)}`;
  await image.decode();
  const canvas = make("canvas", { width: String(2 * width), height: String(2 * height) });
  canvas.getContext("2d")?.drawImage(image, 0, 0, 2 * width, 2 * height);
  return new Promise((done, fail) => canvas.toBlob((blob) => (blob ? done(blob) : fail(new Error("no picture"))), "image/png"));
}
