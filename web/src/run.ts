// A run: one press of Generate, followed by its events. Plain functions without the store.
import type { JobEvent } from "./api/events";
import type { Box, JobInfo, Problem, ResultInfo, SentOptions, State } from "./api/types";
import type { Edit } from "./canvas";

export interface Slot {
  variation: number;
  step: number;
  steps: number;
  result: ResultInfo | null;
  /** It was painted, but its picture could not be had. */
  lost: boolean;
  /** Grows with each preview; the pictures lie in media.ts. */
  previews: number;
}

/** What was asked for, to ask again after a reload. */
export interface Order {
  options: SentOptions;
  edits: readonly Edit[];
}

export interface Run {
  key: string;
  order: Order | null;
  /** The server's name, once it has accepted the job. */
  job: string | null;
  /** The server's name of the picture it was started on. */
  image: string | null;
  /** Key of that picture. */
  base: string;
  state: "sending" | State;
  position: number | null;
  progress: number;
  eta: number | null;
  step: number;
  steps: number;
  seed: number | null;
  box: Box | null;
  slots: Slot[];
  problem: Problem | null;
}

const newSlot = (variation: number): Slot => ({ variation, step: 0, steps: 0, result: null, lost: false, previews: 0 });

export function newRun(
  key: string, base: string, variations: number, seed: number | null, box: Box | null, order: Order | null = null,
): Run {
  const slots = Array.from({ length: variations }, (_, variation) => newSlot(variation));
  return {
    key, order, job: null, image: null, base, state: "sending", position: null, progress: 0, eta: null, step: 0, steps: 0, seed, box, slots,
    problem: null,
  };
}

export const isLive = (run: Run | null): boolean =>
  run !== null && (run.state === "sending" || run.state === "queued" || run.state === "running");

const withSlot = (run: Run, variation: number, change: Partial<Slot>): Run => ({
  ...run,
  slots: run.slots.map((slot) => (slot.variation === variation ? { ...slot, ...change } : slot)),
});

/** The run as the server describes it; finished variations are never lost. */
export function withInfo(run: Run, info: JobInfo): Run {
  const known = new Map(info.results.map((result) => [result.variation, result]));
  const count = Math.max(run.slots.length, info.options.variations);
  const slots = Array.from({ length: count }, (_, variation): Slot => {
    const slot = run.slots[variation] ?? newSlot(variation);
    return { ...slot, result: slot.result ?? known.get(variation) ?? null, lost: slot.lost && !known.has(variation) };
  });
  return {
    ...run,
    job: info.id, image: info.image.id, state: info.state, position: info.position, progress: Math.max(run.progress, info.progress),
    eta: info.eta_seconds, seed: info.options.seed ?? null, box: info.box, problem: info.problem, slots,
  };
}

/** Without the variations whose pictures could not be had. */
export const withLost = (run: Run, lost: readonly number[]): Run =>
  lost.reduce((now, variation) => withSlot(now, variation, { result: null, lost: true }), run);

export function reduce(run: Run, event: JobEvent): Run {
  switch (event.type) {
    case "snapshot":
    case "done":
      return withInfo(run, event.data);
    case "queued":
    case "position":
      return { ...run, state: "queued", position: event.data.position };
    case "started":
      return { ...run, state: "running", position: null };
    case "step": {
      const { variation, step, steps, progress, eta_seconds: eta } = event.data;
      // A job that is taken up again after a crash counts from below; the bar does not go back for that.
      const next = { ...run, state: "running" as const, position: null, step, steps, progress: Math.max(run.progress, progress), eta };
      return withSlot(next, variation, { step, steps });
    }
    case "preview": {
      const slot = run.slots[event.data.variation];
      return slot ? withSlot(run, slot.variation, { previews: slot.previews + 1 }) : run;
    }
    case "variation":
      return withSlot(run, event.data.variation, { result: event.data, lost: false });
    case "failed":
      return { ...run, state: "failed", problem: event.data, eta: null };
    case "cancelled":
      return { ...run, state: "cancelled", eta: null };
  }
}

/** What the bar may show: never full before the picture is there. */
export const shownProgress = (run: Run): number => Math.min(run.progress, 0.99);

export const finished = (run: Run): Slot[] => run.slots.filter((slot) => slot.result !== null);
