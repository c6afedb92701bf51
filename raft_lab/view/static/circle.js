// @ts-check
/** Where things are: seats on the circle, chords between them, walls between groups. */

/** @typedef {{x: number, y: number}} Point */
/** @typedef {import("./tape.js").Frame} Frame */

export const RING_WIDTH = 530;
export const RING_HEIGHT = 424;
/** @type {Point} */
export const CENTRE = { x: RING_WIDTH / 2, y: 212 };
/** The ring is wider than high, as the screens on which it is seen. */
const RING_REACH = { x: 188, y: 144 };

/** How large a node is: smaller as servers become many. @param {number} count */
export function nodeSizeFor(count) {
  return count > 7 ? 27 : count > 5 ? 31 : 36;
}

/** A seat on the ring: the first at the top, then clockwise; or a place this far outside of it.
 * @param {number} index @param {number} count @param {number} [beyond] @returns {Point} */
export function seatOf(index, count, beyond = 0) {
  const angle = (index / count) * 2 * Math.PI - Math.PI / 2;
  return { x: CENTRE.x + (RING_REACH.x + beyond) * Math.cos(angle), y: CENTRE.y + (RING_REACH.y + beyond) * Math.sin(angle) };
}

/** @typedef {{from: Point, bend: Point, to: Point, start: number, end: number, length: number, side: Point}} Chord */

/**
 * The way of a message: a slightly bent chord, always to the right of the direction of travel, so that the two
 * directions of a link do not lie on each other. `start` and `end` cut off what the nodes cover.
 * @param {Point} from @param {Point} to @param {number} margin @returns {Chord}
 */
export function chordBetween(from, to, margin) {
  const dx = to.x - from.x;
  const dy = to.y - from.y;
  const distance = Math.hypot(dx, dy) || 1;
  const side = { x: -dy / distance, y: dx / distance };
  const sag = 26 + distance * 0.03;
  const bend = { x: (from.x + to.x) / 2 + side.x * sag, y: (from.y + to.y) / 2 + side.y * sag };
  const start = Math.min(0.4, margin / distance);
  return { from, bend, to, start, end: 1 - start, length: distance * (1 - 2 * start), side };
}

/** The point at a fraction of the free part of a chord, `lane` pixels aside. @param {Chord} chord @param {number} part @param {number} lane */
export function pointOn(chord, part, lane) {
  const t = chord.start + part * (chord.end - chord.start);
  const a = (1 - t) * (1 - t);
  const b = 2 * t * (1 - t);
  const c = t * t;
  return {
    x: a * chord.from.x + b * chord.bend.x + c * chord.to.x + lane * chord.side.x,
    y: a * chord.from.y + b * chord.bend.y + c * chord.to.y + lane * chord.side.y,
  };
}

/** Groups of servers that cannot reach each other in either direction. @param {Frame} frame @returns {string[][]} */
export function groupsOf(frame) {
  const left = Object.keys(frame.servers);
  const groups = [];
  while (left.length) {
    const group = left.splice(0, 1);
    for (const member of group) {
      for (const other of [...left]) {
        if (frame.cuts[`${member}>${other}`] && frame.cuts[`${other}>${member}`]) continue;
        group.push(other);
        left.splice(left.indexOf(other), 1);
      }
    }
    groups.push(group);
  }
  return groups;
}

/** The wall between groups: as an SVG path, as points along it, and where to write its name.
 * @param {string[]} ids @param {string[][]} groups @returns {{path: string, label: Point, points: Point[]}} */
export function wallBetween(ids, groups) {
  const groupOf = (/** @type {string} */ id) => groups.findIndex((group) => group.includes(id));
  const lowest = Math.max(...ids.map((_, index) => seatOf(index, ids.length).y)) + nodeSizeFor(ids.length) + 22;
  const gaps = [];
  for (const [index, id] of ids.entries()) {
    const next = ids[(index + 1) % ids.length] ?? id;
    const { x, y } = seatOf(index + 0.5, ids.length, 38);
    if (groupOf(id) !== groupOf(next)) gaps.push({ x, y: Math.min(y, lowest) }); // the picture ends soon below
  }
  const [first, second] = gaps;
  if (!first || !second) return { path: "", label: CENTRE, points: [] };
  const at = (/** @type {Point} */ p) => `${p.x.toFixed(1)} ${p.y.toFixed(1)}`;
  const label = gaps.reduce((low, gap) => (gap.y > low.y ? gap : low));
  const fractions = Array.from({ length: 25 }, (_, index) => index / 24);
  if (gaps.length === 2) {
    const curve = { from: first, bend: CENTRE, to: second, start: 0, end: 1, length: 0, side: { x: 0, y: 0 } };
    return { path: `M${at(first)}Q${at(CENTRE)} ${at(second)}`, label, points: fractions.map((part) => pointOn(curve, part, 0)) };
  }
  const rays = gaps.flatMap((gap) => fractions.map((part) => ({ x: CENTRE.x + (gap.x - CENTRE.x) * part, y: CENTRE.y + (gap.y - CENTRE.y) * part })));
  return { path: gaps.map((gap) => `M${at(CENTRE)}L${at(gap)}`).join(""), label, points: rays };
}

/** At what fraction of its free way a chord meets a wall; half-way if there is none, where a cut link has its bar.
 * @param {Chord} chord @param {Point[]} wall */
export function meeting(chord, wall) {
  let [best, part] = [Infinity, 0.5];
  for (let step = 0; wall.length && step <= 40; step += 1) {
    const { x, y } = pointOn(chord, step / 40, 0);
    for (const point of wall) {
      const distance = Math.hypot(point.x - x, point.y - y);
      if (distance < best) [best, part] = [distance, step / 40];
    }
  }
  return Math.min(0.85, Math.max(0.12, part));
}

/**
 * Spread messages along one chord so that each can be hit: those furthest ahead keep their place, the others queue
 * behind; a queue too long for the chord gets further lanes.
 * @param {number[]} parts wanted fractions of the way, in order of sending @param {number} length of the free way
 * @param {number} [high] as far as they get
 * @returns {{part: number, lane: number}[]}
 */
export function spread(parts, length, high = 0.85) {
  const low = Math.min(0.15, high);
  const gap = 26 / Math.max(60, length);
  const room = Math.max(1, Math.floor((high - low) / gap + 1.001));
  const lanes = Math.ceil(parts.length / room);
  const order = parts.map((part, index) => ({ part: Math.min(high, Math.max(low, part)), index }));
  order.sort((a, b) => b.part - a.part || a.index - b.index);
  /** @type {{part: number, lane: number}[]} */
  const places = [];
  for (let lane = 0; lane < lanes; lane += 1) {
    const row = order.filter((_, rank) => rank % lanes === lane);
    let limit = high;
    for (const one of row) limit = (one.part = Math.min(one.part, limit)) - gap;
    let floor = low;
    for (const one of row.reverse()) floor = (one.part = Math.max(one.part, floor)) + gap;
    for (const one of row) places[one.index] = { part: one.part, lane: lane * 26 };
  }
  return places;
}

/**
 * Push apart what still lies on each other (or on a node), a little at a time, so that everything can be hit.
 * @param {Point[]} points changed in place @param {Point[]} nodes @param {number} reach of a node
 */
export function pushApart(points, nodes, reach) {
  const gap = points.length > 24 ? 22 : 25;
  for (let round = 0; round < 12; round += 1) {
    let moved = false;
    for (const [index, one] of points.entries()) {
      for (let other = index + 1; other < points.length; other += 1) {
        const two = points[other];
        if (two && apart(one, two, gap, 0.5, index + other)) moved = true;
      }
      for (const node of nodes) if (apart(one, node, reach, 1, index)) moved = true;
      one.x = Math.min(RING_WIDTH - 12, Math.max(12, one.x));
      one.y = Math.min(RING_HEIGHT - 12, Math.max(12, one.y));
    }
    if (!moved) return;
  }
}

/** Move one point (and with a share below 1 the other one too) until they are this far apart.
 * @param {Point} one @param {Point} two @param {number} gap @param {number} share @param {number} turn which way, if they coincide */
function apart(one, two, gap, share, turn) {
  let dx = one.x - two.x;
  let dy = one.y - two.y;
  if (Math.abs(dx) >= gap || Math.abs(dy) >= gap) return false;
  let distance = Math.hypot(dx, dy);
  if (distance >= gap) return false;
  if (distance < 0.1) [dx, dy, distance] = [Math.cos(turn), Math.sin(turn), 1];
  const push = (gap - Math.min(distance, gap) + 0.1) / distance;
  one.x += dx * push * share;
  one.y += dy * push * share;
  if (share === 1) return true;
  two.x -= dx * push * (1 - share);
  two.y -= dy * push * (1 - share);
  return true;
}
