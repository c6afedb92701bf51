// @ts-check
/** Names of servers where there is little room: what all of them have in common is left out. */

const ROOM = 7;
const LETTER = /[\p{L}\p{N}]/u;

/** The names that were asked for last, and what they became: servers seldom change. */
let known = { ids: "", names: /** @type {Map<string, string>} */ (new Map()) };

/** "…etcd-0" of "eu-west-1a-etcd-0" where the others are called alike; a name that fits stays as it is.
 * @param {Record<string, unknown>} servers by name @param {string} id */
export function shortName(servers, id) {
  const ids = Object.keys(servers);
  if (known.ids !== ids.join("\n")) known = { ids: ids.join("\n"), names: new Map(ids.map((one) => [one, shortened(one, ids)])) };
  return known.names.get(id) ?? id;
}

/** @param {string} name @param {string[]} all */
function shortened(name, all) {
  if (name.length <= ROOM) return name;
  const low = Math.min(name.length - 1, alike(all));
  const end = Math.max(low + 1, name.length - alike(all.map((one) => [...one].reverse().join(""))));
  if (end - low > ROOM - 2) return `${name.slice(low, low + 3)}…${name.slice(end - 3, end)}`;
  const after = end < name.length ? "…" : "";
  const from = end - ROOM + after.length + 1; // one letter less, for the mark in front
  if (from <= 1) return `${name.slice(0, ROOM - 1)}…`;
  let word = from;
  while (word < low && LETTER.test(name[word - 1] ?? "")) word += 1;
  return `…${name.slice(LETTER.test(name[word - 1] ?? "") ? from : word, end)}${after}`; // a whole word, if one begins there
}

/** How many letters all begin with. @param {string[]} all */
function alike([first = "", ...others]) {
  let count = 0;
  while (count < first.length && others.every((other) => other[count] === first[count])) count += 1;
  return count;
}
