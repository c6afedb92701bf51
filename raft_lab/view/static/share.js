// @ts-check
import { make, put, say, show } from "./dom.js";
import { icon } from "./icons.js";
import { pixels, still } from "./still.js";

/** Out of the lab: the run as one line of text, and the step on show as a picture. */

/** @typedef {import("./session.js").Session} Session */

/** Put text where it can be pasted; where that is not allowed, select it on the page.
 * @param {string} text @param {Element} shown where it can be seen @param {Element} answer where to say what was done */
export async function copyText(text, shown, answer) {
  try {
    await navigator.clipboard.writeText(text);
    say(answer, "Copied.");
  } catch {
    const range = document.createRange();
    range.selectNodeContents(shown);
    getSelection()?.removeAllRanges();
    getSelection()?.addRange(range);
    say(answer, "Selected: press Ctrl+C to copy.");
  }
}

/** @param {Blob} blob @param {string} name */
function download(blob, name) {
  const link = make("a", { href: URL.createObjectURL(blob), download: name });
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
}

export class Share {
  #text = make("code", { class: "rl-share-text" });
  #none = make("p", { class: "rl-quiet" }, "This run began in a situation that no line of text can hold: cluster.save(\"run.json\") keeps it.");
  #said = make("span", { role: "status", class: "rl-quiet" });
  #copy = make("button", { type: "button", class: "rl-button" }, icon("copy"), "Copy line");
  element;

  /** @param {Session} session @param {() => SVGSVGElement} ring @param {() => Element} root */
  constructor(session, ring, root) {
    const svg = make("button", { type: "button", class: "rl-button" }, "Picture (SVG)");
    const png = make("button", { type: "button", class: "rl-button" }, "Picture (PNG)");
    this.#copy.addEventListener("click", () => copyText(session.share, this.#text, this.#said));
    svg.addEventListener("click", () => {
      const { svg: text } = still(session, ring(), root());
      download(new Blob([text], { type: "image/svg+xml" }), `raft-step-${session.cursor}.svg`);
    });
    png.addEventListener("click", async () => download(await pixels(still(session, ring(), root())), `raft-step-${session.cursor}.png`));
    this.element = make("details", { class: "rl-share" }, make("summary", {}, "Share"),
      make("p", { class: "rl-quiet" }, "This line leads here again: Cluster.from_share(\"…\")"),
      this.#text, this.#none, make("div", { class: "rl-code-bar" }, this.#copy, svg, png, this.#said));
    this.element.addEventListener("toggle", () => this.update(session));
  }

  /** @param {Session} session */
  update(session) {
    if (!this.element.open) return;
    const text = session.share;
    say(this.#text, text);
    say(this.#said, "");
    show(this.#text, text !== "");
    show(this.#none, text === "");
    put(this.#copy, "aria-disabled", text ? null : "true");
  }
}
