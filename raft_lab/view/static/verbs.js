// @ts-check
/** What can be done with a server, a message or a link: the words for it, and whether it can be done now. */

/** @typedef {import("./tape.js").Frame} Frame */
/** @typedef {import("./ring.js").Subject} Subject */
/**
 * @typedef {object} Deed something that may be done
 * @property {string} verb @property {string} name for people @property {string} reason why not, or "" if it can be done
 * @property {[verb: string, args: unknown[]][]} acts
 */

/** @type {Record<string, string>} */
const VERB_NAMES = {
  timeout: "Time out", heartbeat: "Heartbeat", propose: "Propose", crash: "Crash", restart: "Restart",
  deliver: "Deliver", drop: "Drop", duplicate: "Duplicate", hold: "Hold", release: "Release",
};

/** @param {string} verb */
export function verbName(verb) {
  return VERB_NAMES[verb] ?? verb.charAt(0).toUpperCase() + verb.slice(1).replaceAll("_", " ");
}

/** Of two opposite verbs, the one that fits. @param {Record<string, string>} can @param {string} one @param {string} other */
function fitting(can, one, other) {
  return can[one] && can[other] === "" ? other : one;
}

/** @param {Frame} frame @param {string} id @param {string} command what "propose" would propose @returns {Deed[]} */
export function serverDeeds(frame, id, command) {
  const can = frame.servers[id]?.can ?? {};
  const switching = fitting(can, "crash", "restart");
  const verbs = ["timeout", "heartbeat", "propose", switching];
  const further = Object.keys(can).filter((verb) => !verbs.includes(verb) && verb !== "crash" && verb !== "restart");
  return [...verbs, ...further].filter((verb) => verb in can).map((verb) => ({
    verb,
    name: verbName(verb),
    reason: can[verb] ?? "",
    acts: [[verb, verb === "propose" ? [id, command] : [id]]],
  }));
}

/** @param {Frame} frame @param {string} id @returns {Deed[]} */
export function messageDeeds(frame, id) {
  const can = frame.messages[id]?.can ?? {};
  const verbs = ["deliver", "drop", "duplicate", frame.messages[id]?.held ? "release" : "hold"];
  const further = Object.keys(can).filter((verb) => !verbs.includes(verb) && verb !== "hold" && verb !== "release");
  return [...verbs, ...further].map((verb) => ({ verb, name: verbName(verb), reason: can[verb] ?? "", acts: [[verb, [id]]] }));
}

/** @param {Frame} frame @param {string} a @param {string} b @returns {Deed[]} */
export function linkDeeds(frame, a, b) {
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
  return [
    ...one,
    { verb: "cut", name: "Cut both ways", reason: open.length ? "" : "The link is cut both ways already.", acts: open.map(([from, to]) => cutting(from, to)) },
    { verb: "mend", name: "Mend", reason: closed.length ? "" : "The link is whole.", acts: closed.map(([from, to]) => ["mend", [from, to]]) },
  ];
}

/** @param {Frame} frame @param {Subject} subject @param {string} command @returns {Deed[]} */
export function deedsFor(frame, subject, command) {
  if (subject.kind === "server") return serverDeeds(frame, subject.id, command);
  if (subject.kind === "message") return messageDeeds(frame, subject.id);
  return linkDeeds(frame, subject.a, subject.b);
}

/** What Enter does: time out, or what a leader or a crashed server is waiting for. @param {Deed[]} deeds */
export function mainDeed(deeds) {
  return deeds.find((deed) => !deed.reason);
}
