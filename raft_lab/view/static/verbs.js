// @ts-check
import { configurationOf, leaderOf } from "./cluster.js";

/** What can be done with a server, a message or a link: the words for it, and whether it can be done now. */

/** @typedef {import("./tape.js").Frame} Frame */
/** @typedef {import("./ring.js").Subject} Subject */
/**
 * @typedef {object} Deed something that may be done
 * @property {string} verb @property {string} name for people @property {string} reason why not, or "" if it can be done
 * @property {[verb: string, args: unknown[]][]} acts
 */

/**
 * @typedef {object} Desk what deeds depend on beside the frame
 * @property {() => string} command what "propose" would propose @property {() => string} closed why nothing can be done at all, or ""
 */

/** @type {Record<string, string>} */
const VERB_NAMES = {
  timeout: "Election timeout", heartbeat: "Heartbeat", propose: "Propose", crash: "Crash", restart: "Restart",
  silence: "Silence", check_quorum: "Check quorum", compact: "Compact", write_disk: "Disk done",
  deliver: "Deliver", drop: "Drop", duplicate: "Duplicate", hold: "Hold", release: "Release",
};
/** What is asked of a server in the list even while it is impossible, so that the reason can be read. */
const ALWAYS_LISTED = new Set(["timeout", "heartbeat", "propose", "crash", "restart"]);
/** What is possible now and then, and then is what one waits for. */
const LISTED_WHEN_POSSIBLE = new Set(["write_disk", "silence"]);
/** @type {[how: string, name: string][]} the ways of reading */
const READINGS = [["read-index", "Read"], ["lease", "Read by lease"], ["local", "Read locally"]];

/** @param {string} verb */
export function verbName(verb) {
  return VERB_NAMES[verb] ?? verb.charAt(0).toUpperCase() + verb.slice(1).replaceAll("_", " ");
}

/** Of two opposite verbs, the one that fits. @param {Record<string, string>} can @param {string} one @param {string} other */
function fitting(can, one, other) {
  return can[one] && can[other] === "" ? other : one;
}

/** @param {Frame} frame @param {string} id @param {Desk} desk @returns {Deed[]} */
export function serverDeeds(frame, id, desk) {
  const can = frame.servers[id]?.can ?? {};
  const verbs = ["timeout", "heartbeat", "propose", fitting(can, "crash", "restart")];
  const elsewhere = ["crash", "restart", "read", "transfer_leadership", "reconfigure", "boot"];
  const further = Object.keys(can).filter((verb) => !verbs.includes(verb) && !elsewhere.includes(verb));
  /** @type {Deed[]} */
  const deeds = [...verbs, ...further].filter((verb) => verb in can).map((verb) => ({
    verb,
    name: verbName(verb),
    reason: can[verb] ?? "",
    acts: [[verb, verb === "propose" ? [id, desk.command()] : [id]]],
  }));
  if ("read" in can) {
    for (const [how, name] of READINGS) deeds.push({ verb: "read", name, reason: can.read ?? "", acts: [["read", [id, how]]] });
  }
  deeds.push(...transferDeeds(frame, id));
  return closing(deeds, desk);
}

/** What the list offers of a server: the rest is in its menu. @param {Deed[]} deeds */
export function listedDeeds(deeds) {
  return deeds.filter(({ verb, reason }) => ALWAYS_LISTED.has(verb) || (LISTED_WHEN_POSSIBLE.has(verb) && !reason));
}

/** The leader can hand over to any other voter that runs. @param {Frame} frame @param {string} id @returns {Deed[]} */
function transferDeeds(frame, id) {
  const leader = leaderOf(frame);
  const server = frame.servers[id];
  if (!leader || leader === id || !server || server.crashed || server.role === "leader") return [];
  const { voters } = configurationOf(frame, leader);
  const reason = voters.includes(id) ? "" : `${id} is not a voter in the configuration of ${leader}`;
  return [{ verb: "transfer_leadership", name: "Make leader (transfer)", reason, acts: [["transfer_leadership", [leader, id]]] }];
}

/** @param {Deed[]} deeds @param {Desk} desk */
function closing(deeds, desk) {
  const closed = desk.closed();
  return closed ? deeds.map((deed) => ({ ...deed, reason: closed })) : deeds;
}

/** @param {Frame} frame @param {string} id @param {Desk} desk @returns {Deed[]} */
export function messageDeeds(frame, id, desk) {
  const can = frame.messages[id]?.can ?? {};
  const verbs = ["deliver", "drop", "duplicate", frame.messages[id]?.held ? "release" : "hold"];
  const further = Object.keys(can).filter((verb) => !verbs.includes(verb) && verb !== "hold" && verb !== "release");
  return closing([...verbs, ...further].map((verb) => ({ verb, name: verbName(verb), reason: can[verb] ?? "", acts: [[verb, [id]]] })), desk);
}

/** @param {Frame} frame @param {string} a @param {string} b @param {Desk} desk @returns {Deed[]} */
function linkDeeds(frame, a, b, desk) {
  /** @type {(from: string, to: string) => boolean} */
  const cut = (from, to) => Boolean(frame.cuts[`${from}>${to}`]);
  /** @type {(from: string, to: string) => [string, unknown[]]} */
  const cutting = (from, to) => ["cut", [from, to]];
  const ways = /** @type {[string, string][]} */ ([[a, b], [b, a]]);
  const one = ways.map(([from, to]) => ({
    verb: "cut",
    name: `Cut ${from} → ${to}`,
    reason: cut(from, to) ? `Nothing gets from ${from} to ${to} already.` : "",
    acts: [cutting(from, to)],
  }));
  const open = ways.filter(([from, to]) => !cut(from, to));
  const closed = ways.filter(([from, to]) => cut(from, to));
  return closing([
    ...one,
    { verb: "cut", name: "Cut both ways", reason: open.length ? "" : "The link is cut both ways already.", acts: open.map(([from, to]) => cutting(from, to)) },
    { verb: "mend", name: "Mend", reason: closed.length ? "" : "The link is whole.", acts: closed.map(([from, to]) => ["mend", [from, to]]) },
  ], desk);
}

/** @param {Frame} frame @param {Subject} subject @param {Desk} desk @returns {Deed[]} */
export function deedsFor(frame, subject, desk) {
  if (subject.kind === "server") return serverDeeds(frame, subject.id, desk);
  if (subject.kind === "message") return messageDeeds(frame, subject.id, desk);
  return linkDeeds(frame, subject.a, subject.b, desk);
}

/** What Enter does: time out, or what a leader or a crashed server is waiting for. @param {Deed[]} deeds */
export function mainDeed(deeds) {
  return deeds.find((deed) => !deed.reason);
}
