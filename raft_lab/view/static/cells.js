// @ts-check
/** A new cell below the one that an element is in, where the host is JupyterLab or Notebook: by their own button. */

const PATIENCE_MS = 2000;

/** @param {Element} element @returns {Element | null} the cell around it, if it is in a notebook */
export function cellAround(element) {
  return element.closest(".jp-Notebook .jp-Cell");
}

/** @param {Element} element @param {string} text @returns {Promise<boolean>} whether there is now a cell with this text */
export async function insertCellBelow(element, text) {
  const cell = cellAround(element);
  const before = cell?.nextElementSibling;
  // The click on our button has made this the active cell, which is the one that shows its tools.
  const tool = await awaited(() => cell?.querySelector('[data-jp-item-name="insert-cell-below"]'));
  const button = tool?.querySelector("jp-button, button") ?? tool;
  if (!cell || !(button instanceof HTMLElement)) return false;
  button.click();
  const editor = await awaited(() => (cell.nextElementSibling !== before ? cell.nextElementSibling?.querySelector(".cm-content") : null));
  if (!(editor instanceof HTMLElement)) return false;
  editor.focus();
  return document.execCommand("insertText", false, text); // as if typed, so that the editor and its history know
}

/** @template T @param {() => T | null | undefined} look @returns {Promise<T | null>} */
async function awaited(look) {
  for (const began = performance.now(); performance.now() - began < PATIENCE_MS; ) {
    const found = look();
    if (found) return found;
    await new Promise((done) => requestAnimationFrame(done));
  }
  return null;
}
