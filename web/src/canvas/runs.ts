import type { Row } from "./scanline";

/** Run lengths of a mask, row after row without a break, starting with 0s (a first length of 0 if it begins with a 1). */
export function toRuns(bytes: Uint8Array): number[] {
  const runs: number[] = [];
  for (let at = 0, value = 0; at < bytes.length; value = 1 - value) {
    const end = endOfRun(bytes, at, bytes.length, value);
    runs.push(end - at);
    at = end;
  }
  return runs;
}

/** Where the run of that value that begins at `from` ends, at most `to`. A short run is faster to walk, a long one to search. */
export function endOfRun(bytes: Uint8Array, from: number, to: number, value: number): number {
  const near = Math.min(to, from + 32);
  let at = from;
  while (at < near && bytes[at] === value) at++;
  if (at < near || at === to) return at;
  const found = bytes.subarray(at, to).indexOf(1 - value);
  return found < 0 ? to : at + found;
}

/** Calls `row` for the runs of that value, cut at the ends of rows. Lengths beyond the picture are ignored. */
export function rowsOfRuns(runs: readonly number[], width: number, height: number, value: 0 | 1, row: Row): void {
  let at = 0;
  runs.forEach((length, i) => {
    const end = Math.min(width * height, at + length);
    if (i % 2 === value) {
      for (let from = at; from < end; ) {
        const y = Math.floor(from / width);
        const to = Math.min(end, (y + 1) * width);
        row(y, from - y * width, to - y * width);
        from = to;
      }
    }
    at = end;
  });
}
