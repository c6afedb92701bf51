// @ts-check
import { configurationOf, isAsking } from "./cluster.js";

/** How each election stands, peer by peer: what a candidate has heard, and what is still on its way to it. */

/** @typedef {import("./tape.js").Tape} Tape */
/** @typedef {import("./tape.js").Frame} Frame */
/** @typedef {"granted" | "refused" | "reply" | "asked" | "nothing"} Ballot */

/** What each state of a ballot is called. @type {Record<Ballot, string>} */
export const BALLOT_WORDS = {
  granted: "vote granted",
  refused: "vote refused",
  reply: "its reply is in flight",
  asked: "asked, and has not answered",
  nothing: "nothing from or to it is in flight",
};

/** The ballots of all who ask for votes (or promises) at a step: candidate -> peer -> ballot. @param {Tape} tape @param {number} id */
export function ballotsAt(tape, id) {
  const frame = tape.frame(id);
  /** @type {Record<string, Record<string, Ballot>>} */
  const ballots = {};
  for (const [name, server] of Object.entries(frame.servers)) {
    if (!isAsking(server)) continue;
    const { voters, old } = configurationOf(frame, name);
    const refused = refusalsOf(tape, id, name);
    /** @type {Record<string, Ballot>} */
    const row = (ballots[name] = {});
    for (const peer of new Set([...old, ...voters])) {
      if (peer === name) continue;
      row[peer] = server.votes[peer] ? "granted" : refused.has(peer) ? "refused" : underWay(frame, name, peer);
    }
  }
  return ballots;
}

/** @param {Frame} frame @param {string} candidate @param {string} peer @returns {Ballot} */
function underWay(frame, candidate, peer) {
  const question = frame.servers[candidate]?.role === "candidate" ? "RequestVote" : "PreVote";
  /** @type {Ballot} */
  let found = "nothing";
  for (const { kind, src, dst } of Object.values(frame.messages)) {
    if (kind === `${question}Reply` && src === peer && dst === candidate) return "reply";
    if (kind === question && src === candidate && dst === peer) found = "asked";
  }
  return found;
}

/** Who has told it no since it began to ask. Servers forget refusals; the tape does not.
 * @param {Tape} tape @param {number} id @param {string} candidate */
function refusalsOf(tape, id, candidate) {
  const now = tape.frame(id).servers[candidate];
  const refused = new Set();
  for (let at = id; at >= 0; at = tape.step(at).parent) {
    const step = tape.step(at);
    const then = tape.frame(at).servers[candidate];
    if (!now || !then || then.role !== now.role || then.term !== now.term || step.parent < 0) break;
    if (step.verb !== "deliver" || step.actor !== candidate) continue;
    const message = tape.frame(step.parent).messages[step.message];
    if (message && /VoteReply$/.test(message.kind) && !message.ok) refused.add(message.src);
  }
  return refused;
}
