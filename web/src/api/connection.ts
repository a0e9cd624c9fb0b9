// Whether the server answers. While it does not, everything waits here and goes on by itself.
import { api, AwayError } from "./client";

const FIRST_WAIT = 500;
const LONGEST_WAIT = 8_000;

type Listener = (away: boolean) => void;
const listeners = new Set<Listener>();
let waiting: Promise<void> | null = null;
let wake: (() => void) | null = null;

export const backoff = (attempt: number): number => Math.min(LONGEST_WAIT, FIRST_WAIT * 2 ** attempt);

export function onAway(listener: Listener): () => void {
  listeners.add(listener);
  return () => listeners.delete(listener);
}

const tell = (away: boolean) => listeners.forEach((listener) => listener(away));

async function answers(): Promise<boolean> {
  try {
    await api.health();
    return true;
  } catch (error) {
    return !(error instanceof AwayError);
  }
}

async function poll(): Promise<void> {
  if (await answers()) return; // only the one connection was lost
  tell(true);
  for (let attempt = 0; ; attempt += 1) {
    await new Promise<void>((resolve) => {
      wake = resolve;
      setTimeout(resolve, backoff(attempt));
    });
    wake = null;
    if (await answers()) break;
  }
  tell(false);
}

/** Resolves when the server answers again. One poll for all who wait. */
export function whenBack(): Promise<void> {
  waiting ??= poll().finally(() => {
    waiting = null;
  });
  return waiting;
}

/** Asks at once instead of at the next turn. */
export const retryNow = (): void => wake?.();

/** Repeats what is safe to repeat until the server has answered it. */
export async function resilient<T>(ask: () => Promise<T>): Promise<T> {
  for (let attempt = 0; ; attempt += 1) {
    try {
      return await ask();
    } catch (error) {
      if (!(error instanceof AwayError)) throw error;
      if (attempt > 0) await new Promise((resolve) => setTimeout(resolve, backoff(attempt - 1)));
      await whenBack();
    }
  }
}
