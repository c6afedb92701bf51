// @ts-check
import { draw, make } from "./dom.js";
import { messagePicture } from "./icons.js";
import { BALLOT_WORDS } from "./ballots.js";
import { ballotMark } from "./nodes.js";
import { trackLegend } from "./scrubber.js";

/** How to read the picture. */

/** @param {Node} picture @param {string} words */
function legendItem(picture, words) {
  return make("li", {}, picture, words);
}

/** @param {string} kind @param {boolean} reply @param {boolean} ok @param {boolean} heartbeat */
function sample(kind, reply, ok, heartbeat) {
  return messagePicture({ kind, reply, ok, heartbeat }, "0");
}

/** @param {string} d @param {string} [kind] */
function roleSample(d, kind = "") {
  return draw("svg", { viewBox: "-12 -12 24 24", class: "rl-message-picture", "data-hue": "0", "aria-hidden": "true" }, draw("path", { d, class: kind ? `rl-shape rl-${kind}` : "rl-shape" }));
}

/** @param {import("./ballots.js").Ballot} ballot */
function ballotSample(ballot) {
  const picture = draw("g", { class: `rl-ballot rl-${ballot}` }, draw("circle", { r: ballot === "nothing" ? 1.8 : 5 }), draw("path", { d: ballotMark(ballot) }));
  return make("span", { class: "rl-legend-ballots" }, draw("svg", { viewBox: "-8 -8 16 16", "aria-hidden": "true" }, picture));
}

/** @param {string} classes @param {string} text */
function cellSample(classes, text) {
  return make("span", { class: `rl-legend-cell ${classes}`, "data-hue": "0" }, text);
}

/** @returns {HTMLElement} */
export function legend() {
  const list = (/** @type {HTMLElement[]} */ ...items) => make("ul", { class: "rl-legend-list" }, ...items);
  return make(
    "details",
    { class: "rl-legend" },
    make("summary", {}, "How to read this"),
    make("div", { class: "rl-legend-columns" },
      make("div", {}, make("h4", {}, "Servers"), list(
        legendItem(roleSample("M-9 0a9 9 0 1 0 18 0a9 9 0 1 0 -18 0z"), "follower"),
        legendItem(roleSample("M0 -11 11 0 0 11 -11 0z"), "candidate, with a ballot towards each voter"),
        legendItem(roleSample("M0 -11 11 0 0 11 -11 0z", "pre"), "pre-candidate: asks whether it would be elected"),
        legendItem(roleSample("M0 -11 9.5 -5.5 9.5 5.5 0 11 -9.5 5.5 -9.5 -5.5z"), "leader, with a crown"),
        legendItem(make("span", { class: "rl-legend-arc" }, "◔"), "arc: time left on its timer"),
      )),
      make("div", {}, make("h4", {}, "Ballots"), list(
        ...Object.entries(BALLOT_WORDS).map(([ballot, words]) => legendItem(ballotSample(/** @type {import("./ballots.js").Ballot} */ (ballot)), words)),
      )),
      make("div", {}, make("h4", {}, "Messages"), list(
        legendItem(sample("RequestVote", false, false, false), "asks for a vote"),
        legendItem(sample("AppendEntries", false, false, false), "carries log entries"),
        legendItem(sample("AppendEntries", false, false, true), "heartbeat"),
        legendItem(sample("PreVote", false, false, false), "dashed: asks what a vote would be (pre-vote)"),
        legendItem(sample("InstallSnapshot", false, false, false), "carries a snapshot"),
        legendItem(sample("TimeoutNow", false, false, false), "tells a follower to take over"),
        legendItem(sample("AppendEntriesReply", true, true, false), "hollow: a reply, ✓ or ✗"),
      )),
      make("div", {}, make("h4", {}, "Log"), list(
        legendItem(cellSample("rl-committed", "3"), "committed; the number is the entry's term"),
        legendItem(cellSample("", "3"), "not committed; ✓ means applied"),
        legendItem(cellSample("rl-differs", "≠"), "differs from the leader's log"),
        legendItem(cellSample("rl-in-memory", "3"), "○ not on this server's disk yet"),
        legendItem(make("span", { class: "rl-legend-cell rl-legend-hatch" }), "compacted into a snapshot"),
        legendItem(make("span", {}, "● ▲"), "match_index, next_index in the leader's eyes"),
      )),
      make("div", {}, make("h4", {}, "Tape"), trackLegend()),
    ),
    make("p", { class: "rl-quiet" }, "Colour is the term. What the last step changed is underlined. Keys: Space plays, ← → go back and forward, . steps, Home and End; ↑ ↓ walk through the ring and the lists."),
  );
}
