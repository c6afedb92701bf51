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
  deliver: "Deliver", delay: "Delay", drop: "Drop", duplicate: "Duplicate", hold: "Hold", release: "Release",
};
/** What a server's row offers: it needs no clock. The rest is due at some time, or in the server's menu. */
const LISTED = new Set(["propose", "crash", "restart"]);
/** @type {Record<string, (server: string) => string>} what happens when a timer runs out */
const TIMER_WORDS = {
  timeout: (server) => `${server}'s election timer runs out`,
  heartbeat: (server) => `${server} sends heartbeats`,
  silence: (server) => `${server} has heard no leader for the shortest timeout`,
  check_quorum: (server) => `${server} counts who has answered it`,
  write_disk: (server) => `${server}'s disk has written`,
};
const DELAYS_MS = [20, 200];
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
  deeds.push(...transferDeeds(frame, id), ...memberDeeds(frame, id));
  return closing(deeds, desk);
}

/** What the list offers of a server: the rest is in its menu. @param {Deed[]} deeds */
export function listedDeeds(deeds) {
  return deeds.filter(({ verb }) => LISTED.has(verb));
}

/** What happens by itself when a timer of a server runs out. @param {string} verb @param {string} server */
export function timerWords(verb, server) {
  return TIMER_WORDS[verb]?.(server) ?? `${server}: ${verbName(verb)}`;
}

/** The leader can be asked to take a server in, or to let it go. @param {Frame} frame @param {string} id @returns {Deed[]} */
function memberDeeds(frame, id) {
  const leader = leaderOf(frame);
  if (!leader) return [];
  const { voters, learners } = configurationOf(frame, leader);
  const others = voters.filter((voter) => voter !== id);
  const listening = learners.filter((learner) => learner !== id);
  /** @type {(name: string, voters: string[], learners: string[]) => Deed} */
  const ask = (name, wanted, heard) => ({
    verb: "reconfigure",
    name,
    reason: wanted.length ? (frame.servers[leader]?.can.reconfigure ?? "") : "A cluster needs a voter.",
    acts: [["reconfigure", [leader, wanted, heard]]],
  });
  const deeds = [];
  if (learners.includes(id)) deeds.push(ask("Make a voter", [...voters, id], listening));
  if (voters.includes(id) || learners.includes(id)) deeds.push(ask("Remove from the cluster", others, listening));
  else deeds.push(ask("Add as learner", voters, [...learners, id]));
  return deeds;
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
  return closing(verbs.map((verb) => ({ verb, name: verbName(verb), reason: can[verb] ?? "", acts: [[verb, [id]]] })), desk);
}

/** What a message's menu offers beside what its row does. @param {Frame} frame @param {string} id @param {Desk} desk @returns {Deed[]} */
function delayDeeds(frame, id, desk) {
  const reason = frame.messages[id]?.can.delay;
  if (reason === undefined) return [];
  return closing(DELAYS_MS.map((ms) => ({ verb: "delay", name: `Delay by ${ms} ms`, reason, acts: [["delay", [id, ms]]] })), desk);
}

/** @param {Frame} frame @param {string} a @param {string} b @param {Desk} desk @returns {Deed[]} */
function linkDeeds(frame, a, b, desk) {
  /** @type {(from: string, to: string) => boolean} */
  const cut = (from, to) => Boolean(frame.cuts[`${from}>${to}`]);
  const ways = /** @type {[string, string][]} */ ([[a, b], [b, a]]);
  const open = ways.filter(([from, to]) => !cut(from, to));
  const closed = ways.filter(([from, to]) => cut(from, to));
  /** @type {(verb: string, name: string, reason: string, those: [string, string][]) => Deed} */
  const deed = (verb, name, reason, those) => ({ verb, name, reason, acts: those.map((way) => [verb, way]) });
  return closing([
    ...ways.map(([from, to]) => cut(from, to) ? deed("mend", `Mend ${from} → ${to}`, "", [[from, to]]) : deed("cut", `Cut ${from} → ${to}`, "", [[from, to]])),
    deed("cut", "Cut both ways", open.length ? "" : "The link is cut both ways already.", open),
    deed("mend", "Mend both ways", closed.length ? "" : "The link is whole.", closed),
  ], desk);
}

/** @param {Frame} frame @param {Subject} subject @param {Desk} desk @returns {Deed[]} */
export function deedsFor(frame, subject, desk) {
  if (subject.kind === "server") return serverDeeds(frame, subject.id, desk);
  if (subject.kind === "message") return [...messageDeeds(frame, subject.id, desk), ...delayDeeds(frame, subject.id, desk)];
  return linkDeeds(frame, subject.a, subject.b, desk);
}

/** What Enter does: time out, or what a leader or a crashed server is waiting for. @param {Deed[]} deeds */
export function mainDeed(deeds) {
  return deeds.find((deed) => !deed.reason);
}
