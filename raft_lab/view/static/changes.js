// @ts-check
import { make, put, say, show } from "./dom.js";

/** What a step changed, field by field: as a line of words, and as marks on the ring, the ledger and the table of fields. */

/** @typedef {import("./tape.js").Frame} Frame */
/** @typedef {import("./tape.js").Server} Server */
/** @typedef {{field: string, words: string}} Change */
/** @typedef {Record<string, Change[]>} Changes by server; under "" what belongs to none */

/** @param {Frame | undefined} before @param {Frame} after @returns {Changes} */
export function changesBetween(before, after) {
  /** @type {Changes} */
  const changes = {};
  if (!before) return changes;
  for (const [id, server] of Object.entries(after.servers)) {
    const old = before.servers[id];
    if (old === server) continue;
    const found = old ? serverChanges(old, server) : [{ field: "role", words: "starts" }];
    if (found.length) changes[id] = found;
  }
  const around = worldChanges(before, after, Object.keys(changes).length > 0);
  if (around.length) changes[""] = around;
  return changes;
}

/** @param {Frame} before @param {Frame} after @param {boolean} received did a server change, so that a message gone may have been taken in? @returns {Change[]} */
function worldChanges(before, after, received) {
  const sent = Object.keys(after.messages).filter((id) => !before.messages[id]).length;
  const gone = Object.keys(before.messages).filter((id) => !after.messages[id]).length;
  const cut = Object.keys(after.cuts).filter((way) => !before.cuts[way]).length;
  const mended = Object.keys(before.cuts).filter((way) => !after.cuts[way]).length;
  const held = Object.keys(after.messages).some((id) => before.messages[id] && before.messages[id]?.held !== after.messages[id]?.held);
  const found = [];
  if (sent) found.push({ field: "messages", words: `${sent} ${sent === 1 ? "message" : "messages"} sent` });
  if (gone && !sent && !received) found.push({ field: "messages", words: `${gone} ${gone === 1 ? "message" : "messages"} less in flight` });
  if (held) found.push({ field: "messages", words: "a message is held or released" });
  if (cut) found.push({ field: "cuts", words: `${cut} ${cut === 1 ? "direction" : "directions"} of links cut` });
  if (mended) found.push({ field: "cuts", words: `${mended} ${mended === 1 ? "direction" : "directions"} of links mended` });
  return found;
}

/** @param {Server} old @param {Server} now @returns {Change[]} */
function serverChanges(old, now) {
  /** @type {Change[]} */
  const found = [];
  const note = (/** @type {string} */ field, /** @type {boolean} */ changed, /** @type {string} */ words) => {
    if (changed) found.push({ field, words });
  };
  note("role", old.crashed !== now.crashed, now.crashed ? "crashed" : "restarted");
  note("role", old.role !== now.role && !now.crashed, `${old.role} → ${now.role}`);
  note("term", old.term !== now.term, `term ${old.term} → ${now.term}`);
  note("vote", old.voted_for !== now.voted_for && now.voted_for !== "", `voted for ${now.voted_for}`);
  note("vote", old.voted_for !== now.voted_for && now.voted_for === "" && old.term === now.term, "vote forgotten");
  const votes = Object.keys(now.votes).filter((peer) => !old.votes[peer]);
  note("votes", votes.length > 0 && now.role === old.role, `vote of ${votes.join(", ")}`);
  const log = logWords(old, now);
  note("log", log !== "", log);
  note("disk", old.durable_index !== now.durable_index && log === "", `on disk up to ${now.durable_index}`);
  note("commit", old.commit_index !== now.commit_index, `committed up to ${now.commit_index}`);
  note("applied", old.last_applied !== now.last_applied && old.commit_index === now.commit_index, `applied up to ${now.last_applied}`);
  note("reads", Object.keys(old.reads ?? {}).join() !== Object.keys(now.reads ?? {}).join(), readWords(old, now));
  note("leader_id", now.leader_id !== old.leader_id && now.leader_id !== "" && now.role === "follower", `follows ${now.leader_id}`);
  if (old.role === now.role) {
    for (const [peer, known] of Object.entries(now.progress)) {
      const was = old.progress[peer];
      if (was === known) continue;
      note("progress", was?.match_index !== known.match_index, `match_index of ${peer} ${was?.match_index ?? 0} → ${known.match_index}`);
      note("progress", was?.match_index === known.match_index && was?.next_index !== known.next_index, `next_index of ${peer} ${was?.next_index ?? "–"} → ${known.next_index}`);
    }
  }
  return found;
}

/** What became of a log, or "". A step that carries its whole frame has all logs anew, those too that are as they were.
 * @param {Server} old @param {Server} now */
export function logWords(old, now) {
  if (old.log === now.log && old.first_index === now.first_index) return "";
  const parts = [];
  if (now.first_index > old.first_index) parts.push(`compacted up to ${now.first_index - 1}`);
  let same = Math.min(old.last_index, now.last_index);
  const from = Math.max(old.first_index, now.first_index);
  while (same >= from && old.log[same] !== now.log[same] && old.log[same]?.term !== now.log[same]?.term) same -= 1;
  if (old.last_index > same) parts.push(`entries ${span(same + 1, old.last_index)} removed`);
  if (now.last_index > same && now.last_index >= now.first_index) parts.push(`entry ${span(Math.max(same + 1, now.first_index), now.last_index)} appended`);
  return parts.join(", ");
}

/** @param {number} first @param {number} last */
function span(first, last) {
  return first === last ? String(first) : `${first}–${last}`;
}

/** @param {Server} old @param {Server} now */
function readWords(old, now) {
  const gone = Object.keys(old.reads ?? {}).filter((id) => !now.reads?.[id]);
  return gone.length ? `read ${gone.join(", ")} ends` : `read ${Object.keys(now.reads ?? {}).at(-1)} waits`;
}

/** Server -> its changed fields as one attribute. @param {Changes} changes @returns {Record<string, string>} */
export function marksOf(changes) {
  return Object.fromEntries(Object.entries(changes).map(([id, list]) => [id, [...new Set(list.map(({ field }) => field))].join(" ")]));
}

/** The line under the sentence. */
export class ChangesLine {
  element = make("p", { class: "rl-changes" });

  /** @param {Changes} changes */
  update(changes) {
    const groups = Object.entries(changes).sort(([a], [b]) => Number(a === "") - Number(b === ""));
    const parts = groups.map(([id, list]) => [id, list.map(({ words }) => words).join(", ")]);
    const text = parts.map(([id, words]) => (id ? `${id}: ${words}` : words)).join(" · ");
    if (this.element.title === text) return;
    put(this.element, "title", text);
    const nodes = parts.flatMap(([id, words = ""], index) => [
      ...(index ? [" · "] : []),
      ...(id ? [make("strong", { "data-about": id }, id), `: ${words}`] : [words]),
    ]);
    this.element.replaceChildren(...(parts.length ? ["Changed: ", ...nodes] : ["Nothing changed in any server."]));
    show(this.element, true);
  }

  /** At the beginning nothing has changed yet. */
  clear() {
    say(this.element, "");
    put(this.element, "title", "");
  }
}
