// @ts-check
/** What a frame says about the cluster as a whole: who leads, who belongs to it, and how much of which quorum is there. */

/** @typedef {import("./tape.js").Frame} Frame */
/** @typedef {import("./tape.js").Server} Server */
/** @typedef {import("./tape.js").Entry} Entry */
/** @typedef {{voters: string[], old: string[], learners: string[]}} Configuration old is empty unless the configuration is joint */

/** What is known of a server only in comparison with the others. @param {Frame} frame @param {string} id */
export function roleWords(frame, id) {
  const server = frame.servers[id];
  if (!server) return "";
  if (server.crashed) return "crashed";
  if (server.role === "precandidate") return "pre-candidate";
  if (server.role !== "leader") return server.role;
  for (const other of Object.values(frame.servers)) {
    if (!other.crashed && other.term > server.term) return "stale leader";
  }
  return "leader";
}

/** The highest-term leader that is alive: the one whose log the others are compared with. @param {Frame} frame */
export function leaderOf(frame) {
  let leader = "";
  for (const [id, server] of Object.entries(frame.servers)) {
    if (server.crashed || server.role !== "leader") continue;
    if (!leader || server.term > (frame.servers[leader]?.term ?? 0)) leader = id;
  }
  return leader;
}

/** Does this server ask for votes, or for the promise of votes? @param {Server} server */
export function isAsking(server) {
  return !server.crashed && (server.role === "candidate" || server.role === "precandidate");
}

/** "{S1, S2} and {S3}, learners {S4}", as the engine prints a configuration; undefined if it is anything else.
 * @param {string} text @returns {Configuration | undefined} */
export function readConfiguration(text) {
  const parts = /^(?:\{([^{}]*)\} and )?\{([^{}]*)\}(?:, learners \{([^{}]*)\})?$/.exec(text);
  if (!parts) return undefined;
  const names = (/** @type {string | undefined} */ list) => (list ?? "").split(", ").filter(Boolean);
  return { old: names(parts[1]), voters: names(parts[2]), learners: names(parts[3]) };
}

/** @type {WeakMap<Server, Configuration>} */
const configurations = new WeakMap();

/** The configuration by which a server counts: the latest in its own log, committed or not. @param {Frame} frame @param {string} id @returns {Configuration} */
export function configurationOf(frame, id) {
  const server = frame.servers[id];
  if (!server) return frame.quorum;
  const known = configurations.get(server);
  if (known) return known;
  let found = readConfiguration(server.snapshot?.configuration ?? "") ?? frame.quorum;
  for (let index = server.last_index; index >= server.first_index; index -= 1) {
    const entry = server.log[String(index)];
    const read = entry?.kind === "configuration" ? readConfiguration(entry.text) : undefined;
    if (!read) continue;
    found = read;
    break;
  }
  configurations.set(server, found);
  return found;
}

/** What a server is to the cluster, if not plainly a voter; one whose own log is joint already acts by that.
 * @param {Frame} frame @param {string} id */
export function membershipWords(frame, id) {
  const own = configurationOf(frame, id);
  const { voters, old, learners } = own.old.length ? own : frame.quorum;
  if (learners.includes(id)) return "learner";
  if (!old.length) return voters.length && !voters.includes(id) ? "not a member" : "";
  if (old.includes(id)) return voters.includes(id) ? "old + new" : "old";
  return voters.includes(id) ? "new" : "not a member";
}

/** @typedef {{name: string, members: {id: string, counts: boolean}[], have: number, need: number}} Count how far one majority is */
/** @typedef {{about: string, counts: Count[]}} Tally all majorities that one thing needs: one, or two while joint */

/** @param {Configuration} configuration @param {(id: string) => boolean} counts @returns {Count[]} */
function countIn({ voters, old }, counts) {
  const groups = /** @type {[string, string[]][]} */ (old.length ? [["C_old", old], ["C_new", voters]] : [["C", voters]]);
  return groups.map(([name, ids]) => {
    const members = ids.map((id) => ({ id, counts: counts(id) }));
    return { name, members, have: members.filter((member) => member.counts).length, need: Math.floor(ids.length / 2) + 1 };
  });
}

/** The votes of a candidate, or the promises to a pre-candidate. @param {Frame} frame @param {string} id @returns {Count[]} */
export function voteCounts(frame, id) {
  return countIn(configurationOf(frame, id), (voter) => Boolean(frame.servers[id]?.votes[voter]));
}

/** "2/3 votes", or both counts while its configuration is joint. @param {Frame} frame @param {string} id */
export function voteWords(frame, id) {
  const word = frame.servers[id]?.role === "precandidate" ? "pre-votes" : "votes";
  return `${voteCounts(frame, id).map(({ have, need }) => `${have}/${need}`).join(" + ")} ${word}`;
}

/** What waits for majorities now and has no other place in the picture: reads; and, while a configuration is joint, elections
 * and the entry that a leader would commit next. @param {Frame} frame @returns {Tally[]} */
export function talliesOf(frame) {
  const tallies = [];
  for (const [id, server] of Object.entries(frame.servers)) {
    if (server.crashed) continue;
    const round = Math.min(...Object.values(server.reads ?? {}));
    if (server.role === "leader" && round < Infinity) {
      const answered = (/** @type {string} */ peer) => peer === id || (server.progress[peer]?.acked_round ?? 0) >= round;
      tallies.push({ about: `read at ${id}: round ${round}`, counts: countIn(configurationOf(frame, id), answered) });
    }
    if (!configurationOf(frame, id).old.length) continue;
    if (isAsking(server)) {
      const what = server.role === "candidate" ? "votes" : "pre-votes";
      tallies.push({ about: `${what} for ${id}`, counts: voteCounts(frame, id) });
    } else if (server.role === "leader") {
      const index = Math.min(server.commit_index + 1, server.last_index);
      const stored = (/** @type {string} */ peer) =>
        (peer === id ? (server.durable_index ?? server.last_index) : (server.progress[peer]?.match_index ?? 0)) >= index;
      tallies.push({ about: `entry ${index}, as ${id} knows`, counts: countIn(configurationOf(frame, id), stored) });
    }
  }
  return tallies;
}
