// @ts-check
import { put } from "./dom.js";

/** Light or dark? Hosts tell it by their colours only, so we look at what they paint, now and whenever a theme changes. */

/** @param {string} colour as computed: rgb(…) or color(srgb …) */
function lightness(colour) {
  const parts = colour.match(/[\d.]+/g)?.map(Number) ?? [];
  const [r = 1, g = 1, b = 1] = colour.startsWith("color(") ? parts : parts.map((part) => part / 255);
  return 0.21 * r + 0.72 * g + 0.07 * b;
}

/** Keep `data-theme` of an element at what it is painted on. @param {HTMLElement} element @returns {() => void} stops it */
export function followTheme(element) {
  const look = () => put(element, "data-theme", lightness(getComputedStyle(element).backgroundColor) < 0.5 ? "dark" : "light");
  const scheme = matchMedia("(prefers-color-scheme: dark)");
  const observer = new MutationObserver(look);
  for (const place of [document.documentElement, document.body, document.head]) {
    observer.observe(place, { attributes: true, childList: place === document.head });
  }
  const sheets = setTimeout(look, 500); // a style sheet may have come after us
  scheme.addEventListener("change", look);
  document.addEventListener("load", look, { capture: true }); // of a theme's style sheet
  look();
  return () => {
    clearTimeout(sheets);
    observer.disconnect();
    scheme.removeEventListener("change", look);
    document.removeEventListener("load", look, { capture: true });
  };
}
