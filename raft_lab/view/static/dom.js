// @ts-check
/** Small makers of elements, and setters that touch the page only when something has changed. */

/**
 * An HTML element with attributes and children.
 * @template {keyof HTMLElementTagNameMap} K
 * @param {K} tag @param {Record<string, string>} [attributes] @param {...(Node | string)} children
 * @returns {HTMLElementTagNameMap[K]}
 */
export function make(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  element.append(...children);
  return element;
}

/**
 * An SVG element with attributes and children.
 * @template {keyof SVGElementTagNameMap} K
 * @param {K} tag @param {Record<string, string | number>} [attributes] @param {...Node} children
 * @returns {SVGElementTagNameMap[K]}
 */
export function draw(tag, attributes = {}, ...children) {
  const element = document.createElementNS("http://www.w3.org/2000/svg", tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, String(value));
  element.append(...children);
  return element;
}

/** Set an attribute if it differs; null removes it.
 * @param {Element} element @param {string} name @param {string | number | null} value */
export function put(element, name, value) {
  if (value === null) {
    if (element.hasAttribute(name)) element.removeAttribute(name);
    return;
  }
  const text = String(value);
  if (element.getAttribute(name) !== text) element.setAttribute(name, text);
}

/** Set the text if it differs.
 * @param {Node} element @param {string} text */
export function say(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

/** Show or hide an HTML or SVG element.
 * @param {Element} element @param {boolean} shown */
export function show(element, shown) {
  if (element.hasAttribute("hidden") === shown) element.toggleAttribute("hidden", !shown);
}

/**
 * Keep one thing per key, in the order of the keys: make the missing, drop the surplus, move only what is out of place.
 * @template T
 * @param {Element} parent @param {Map<string, T>} kept @param {string[]} keys
 * @param {(key: string) => T} create @param {(thing: T) => Element} elementOf
 */
export function keep(parent, kept, keys, create, elementOf) {
  const wanted = new Set(keys);
  for (const [key, thing] of kept) {
    if (wanted.has(key)) continue;
    elementOf(thing).remove();
    kept.delete(key);
  }
  let place = parent.firstElementChild;
  for (const key of keys) {
    let thing = kept.get(key);
    if (thing === undefined) kept.set(key, (thing = create(key)));
    const element = elementOf(thing);
    if (element === place) place = place.nextElementSibling;
    else parent.insertBefore(element, place);
  }
}

/** Virtual time as people read it. @param {number} us */
export function clockText(us) {
  return us < 10_000_000 ? `${(us / 1000).toFixed(1)} ms` : `${(us / 1_000_000).toFixed(2)} s`;
}

/** The hue of a term: seven Okabe-Ito colours in turn (the number is always printed beside it). @param {number} term */
export function hueOf(term) {
  return term > 0 ? String((term - 1) % 7) : "none";
}

/** Does this person want things to stand still? */
export function prefersStillness() {
  return matchMedia("(prefers-reduced-motion: reduce)").matches;
}
