// What the server takes; looked at here first, so that nobody waits for a refusal.
import { strings } from "../../strings";

export const LARGEST_FILE = 100_000_000;
export const MOST_PIXELS = 50_000_000;
export const LARGEST_SIDE = 16_384;

const TYPES = ["image/png", "image/jpeg", "image/webp"];
export const ACCEPT = TYPES.join(",");

/** Why this file is no use, or null. */
export function fileProblem(file: Blob): string | null {
  if (file.size === 0) return strings.errors.empty;
  if (file.size > LARGEST_FILE) return strings.errors.tooManyBytes(file.size, LARGEST_FILE);
  if (file.type !== "" && !TYPES.includes(file.type)) return strings.errors.wrongType(file.type);
  return null;
}

export function sizeProblem(width: number, height: number): string | null {
  if (width * height > MOST_PIXELS) return strings.errors.tooManyPixels(width, height, MOST_PIXELS);
  if (Math.max(width, height) > LARGEST_SIDE) return strings.errors.tooLong(width, height, LARGEST_SIDE);
  return null;
}
