const LONGEST = 80;

/** A file's name without its ending, fit for every system; empty if nothing is left. */
export function stemOf(name: string): string {
  const fit = name.replace(/\.\w+$/, "").replace(/[\\/:*?"<>|\p{C}]+/gu, "-");
  return Array.from(fit).slice(0, LONGEST).join("").replace(/^[\s.-]+|[\s.-]+$/g, "");
}

/** The server's name of a result, after the name of the photo. */
export function savedName(picture: string, result: string): string {
  const stem = stemOf(picture);
  return stem ? `${stem}-${result}` : result;
}
