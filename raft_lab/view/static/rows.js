// @ts-check
/** Where in the picture of an election everything stands: a row a pod, and one a layer below them. */

/** @typedef {{y: number, height: number}} Row */
/** @typedef {{x: (us: number) => number, from: number, window: number, width: number, rows: Map<string, Row>}} Scale what times and lanes are on the screen */

export const POD_ROW = 62;
/** The rows below them; the leaders' writes stand in a line a pod. @param {number} pods how many */
export function layerRows(pods) {
  return { resource: Math.max(44, 12 * pods + 8), api: 36, etcd: 28, raft: 30 };
}
export const TIMES_LINE = 11;
/** The axis, and below it the flags of what must not be. */
export const TOP = 35;
/** Where in a pod's row each kind of span is painted. @type {Record<string, {y: number, height: number, label: string}>} */
export const BARS = {
  may: { y: 4, height: 13, label: "lease valid" },
  believes: { y: 20, height: 13, label: "believes" },
  works: { y: 36, height: 15, label: "works" },
};
