// @ts-check
/**
 * What happened in an election, as the browser holds it: spans of time in lanes, marks at moments, and the versions of the
 * record. What a picture shows at a time follows from this alone, so that one can look back without a kernel.
 */

/** @typedef {{lane: string, what: string, from: number, to: number | null, text: string, term: number}} Span a `to` of null: it goes on */
/** @typedef {{lane: string, what: string, at: number, pod: string, short: string, text: string}} Mark */
/** @typedef {{at: number, by: string, revision: number, holder: string, until: number, stored: string, fields: [name: string, value: string, means: string][]}} Version */
/**
 * @typedef {object} Picture
 * @property {number} now_us @property {string} title @property {string} object @property {string} key @property {boolean} fenced
 * @property {string[]} pods @property {Record<string, string>} clocks @property {Span[]} spans @property {Span[]} open
 * @property {Mark[]} marks @property {Version[]} versions @property {string} code @property {import("./tape.js").Frame} frame
 */
/** What happens all the time. */
const EVERYDAY = new Set(["get", "update", "accepted", "revision", "saw"]);

/** @typedef {{from: number, to: number, lanes: string[], what: string}} Overlap */

/** @param {string[]} names */
export function listed(names) {
  return names.length < 2 ? names.join("") : `${names.slice(0, -1).join(", ")} and ${names.at(-1)}`;
}

/** @param {number} us */
export function seconds(us) {
  return `${(us / 1e6).toFixed(1)} s`;
}

/** @param {Span} span @param {number} t */
function covers(span, t) {
  return span.from <= t && (span.to === null || t < span.to);
}

export class ElectionRecord {
  /** @type {Picture} */
  picture;

  /** @param {Picture} picture */
  constructor(picture) {
    this.picture = picture;
  }

  /** What is new: lists grow, the rest replaces what was. @param {Picture} news */
  add(news) {
    const { spans, marks, versions } = this.picture;
    this.picture = { ...this.picture, ...news, spans: [...spans, ...news.spans], marks: [...marks, ...news.marks], versions: [...versions, ...news.versions] };
  }

  get now() {
    return this.picture.now_us;
  }

  get spans() {
    return [...this.picture.spans, ...this.picture.open];
  }

  /** The span of a kind in a lane at a time. @param {string} lane @param {string} what @param {number} t */
  span(lane, what, t) {
    return this.spans.find((span) => span.lane === lane && span.what === what && covers(span, t));
  }

  /** Who does this at that time. @param {string} what @param {number} t */
  who(what, t) {
    return this.picture.pods.filter((pod) => this.span(pod, what, t));
  }

  /** The record as the API server has it at a time. @param {number} t */
  version(t) {
    return this.picture.versions.findLast(({ at }) => at <= t);
  }

  /** How long a pod still waits, as it counts: it has last seen the record change, and waits from then on by its own clock. @param {string} pod @param {number} t */
  waits(pod, t) {
    const saw = this.picture.marks.findLast(({ at, lane, what }) => at <= t && lane === pod && what === "saw");
    const version = saw && this.version(saw.at);
    if (!saw || !version) return 0;
    return saw.at + (version.until - version.at) / Number(this.picture.clocks[pod] ?? 1) - t;
  }

  /** The one before that. @param {number} t */
  before(t) {
    const version = this.version(t);
    return version && this.picture.versions[this.picture.versions.indexOf(version) - 1];
  }

  /** Times at which two or more pods do this at once. @param {string} what @returns {Overlap[]} */
  overlaps(what) {
    const spans = this.spans.filter((span) => span.what === what);
    const edges = [...new Set(spans.flatMap(({ from, to }) => [from, Math.min(to ?? this.now, this.now)]))].sort((a, b) => a - b);
    /** @type {Overlap[]} */
    const found = [];
    for (const [index, from] of edges.entries()) {
      const to = edges[index + 1];
      if (to === undefined) break;
      const lanes = spans.filter((span) => covers(span, from)).map(({ lane }) => lane);
      if (lanes.length < 2) continue;
      const last = found.at(-1);
      if (last && last.to === from && last.lanes.join() === lanes.join()) last.to = to;
      else found.push({ from, to, lanes, what });
    }
    return found;
  }

  /** The moment of the mark before or after a time. @param {number} t @param {number} way */
  neighbour(t, way) {
    const times = this.picture.marks.map(({ at }) => at).concat(this.now);
    return way < 0 ? times.filter((at) => at < t).at(-1) ?? 0 : times.find((at) => at > t) ?? this.now;
  }

  /** What becomes of the writes of several. @param {string[]} workers @param {number} t */
  #guards(workers, t) {
    if (!this.picture.fenced) return `The resource takes what ${workers.length === 2 ? "both" : "all of them"} write.`;
    const tokens = workers.map((pod) => this.span(pod, "works", t)?.text ?? "").sort((a, b) => Number(a.split(" ")[1]) - Number(b.split(" ")[1]));
    return `The resource takes ${tokens.at(-1)}, and refuses ${listed(tokens.slice(0, -1))}.`;
  }

  /** The newest thing at a time that is worth a line. @param {number} t */
  lately(t) {
    const mark = this.picture.marks.findLast(({ at, what }) => at <= t && !EVERYDAY.has(what));
    return mark ? `${seconds(mark.at)}: ${mark.text}` : "";
  }

  /** What there is to say at a time, and whether it is alarming. @param {number} t @returns {{text: string, alarm: boolean}} */
  sentence(t) {
    const [workers, believers, version] = [this.who("works", t), this.who("believes", t), this.version(t)];
    if (workers.length > 1) {
      return { text: `${listed(workers)} work at the same time. ${this.#guards(workers, t)}`, alarm: true };
    }
    if (believers.length > 1) return { text: `${listed(believers)} believe to lead at the same time.`, alarm: true };
    const left = version && version.holder && version.until > t ? version.until - t : 0;
    const [worker = believers[0]] = workers;
    if (worker) {
      const paused = this.span(worker, "paused", t);
      const does = paused ? "is paused, and will believe to lead when it wakes" : workers.length ? "leads, and works" : "believes to lead";
      if (version?.holder !== worker) {
        const still = paused || believers.includes(worker) ? does : "no longer believes to lead, and still works";
        return { text: `${worker} ${still}; the record names ${version?.holder || "nobody"}.`, alarm: true };
      }
      const lease = left ? `Its lease runs for ${seconds(left)} more.` : "Its lease is over: whoever looks may take it.";
      const cut = workers.length && !paused && this.span(worker, "cut", t) ? " Its way to the API server is cut; its writes take another." : "";
      return { text: `${worker} ${does}.${cut} ${lease}`, alarm: !left };
    }
    if (left) return { text: `Nobody works. The lease of ${version?.holder} runs for ${seconds(left)} more.`, alarm: false };
    return { text: version ? "Nobody leads, and the lease is free." : "Nobody leads yet: there is no record.", alarm: false };
  }
}
