// @ts-check
/** Steps in small, for what is saved and sent as a whole: compressed lists of so many steps, as text. */

/** @typedef {import("./tape.js").Step} Step */

/** So many steps are packed together; `frames.py` has the same number. */
export const CHUNK = 256;

/** @param {Step[]} steps @returns {Promise<string>} */
export async function packed(steps) {
  const small = new Blob([JSON.stringify(steps)]).stream().pipeThrough(new CompressionStream("deflate"));
  const bytes = new Uint8Array(await new Response(small).arrayBuffer());
  let text = "";
  for (let at = 0; at < bytes.length; at += 0x8000) text += String.fromCharCode(...bytes.subarray(at, at + 0x8000));
  return btoa(text);
}

/** @param {string[]} chunks @returns {Promise<Step[]>} */
export async function unpacked(chunks) {
  const lists = chunks.map((chunk) => {
    const bytes = Uint8Array.from(atob(chunk), (letter) => letter.charCodeAt(0));
    return new Response(new Blob([bytes]).stream().pipeThrough(new DecompressionStream("deflate"))).json();
  });
  return (await Promise.all(lists)).flat();
}
