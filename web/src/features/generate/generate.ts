// Generate, follow, cancel.
import { api, ApiError } from "../../api/client";
import { resilient } from "../../api/connection";
import { follow, isOver } from "../../api/events";
import type { JobEvent } from "../../api/events";
import type { SentOptions } from "../../api/types";
import { keepRun, patchOf, putHole, putPreview } from "../../media";
import { finished, isLive, newRun, reduce, withInfo } from "../../run";
import type { Run } from "../../run";
import { stage } from "../../stage";
import { alert, announce, configure, get, newKey, set } from "../../store";
import { strings } from "../../strings";
import { withPicture } from "../open/upload";

let controller: AbortController | null = null;
/** What was there before a run that the server has not accepted yet. */
let previous: { run: Run | null; shown: number | null } | null = null;

export function options(): SentOptions & { variations: number } {
  const { model, variations, sampler, seed, locked, context, feather } = get().settings;
  return { ...(model === null ? {} : { model }), variations, seed: locked ? seed : null, sampler, context, feather };
}

/** Why Generate is not possible, or null. */
export function reasonAgainst(state: { base: string | null; painted: number; settings: { model: string | null } }): string | null {
  if (state.base === null) return strings.generate.noPicture;
  if (state.painted === 0) return strings.generate.nothingPainted;
  return null;
}

function update(key: string, change: (run: Run) => Run): Run | null {
  const { run } = get();
  if (run?.key !== key) return null;
  const next = change(run);
  set({ run: next });
  return next;
}

export async function generate(): Promise<void> {
  const state = get();
  const mask = stage()?.mask;
  if (!state.base || !mask || reasonAgainst(state) !== null || isLive(state.run)) return;
  const base = state.base;
  const chosen = options();
  const box = mask.bounds();
  const key = newKey();
  const png = mask.toPng();
  previous = { run: state.run, shown: state.shown };
  if (box) putHole(key, mask, box);
  set({ run: newRun(key, base, chosen.variations, chosen.seed ?? null, box), shown: 0, compare: null, selection: null, saved: false, dialog: null });
  announce(strings.generate.started(chosen.variations));
  controller = new AbortController();
  const { signal } = controller;
  try {
    const bytes = await png;
    const info = await withPicture(base, (id) => api.generate(id, bytes, chosen, key));
    if (signal.aborted || !update(key, (now) => withInfo(now, info))) {
      void resilient(() => api.cancel(info.id)).catch(() => undefined); // stopped before the server had even answered
      return;
    }
    previous = null;
    keepRun(key);
    const { seed } = info.options;
    if (typeof seed === "number") configure({ seed });
    await attend(key, info.id, signal);
  } catch (error) {
    if (signal.aborted) return;
    fail(key, error instanceof Error ? error.message : String(error));
  }
}

/** A run that never began leaves the results of the one before. */
function giveBack(): void {
  const before = previous;
  previous = null;
  set(before ?? { run: null, shown: null });
}

function fail(key: string, title: string): void {
  if (get().run?.key === key && !get().run?.job) {
    giveBack();
    return alert(title);
  }
  const run = update(key, (now) => ({ ...now, state: "failed", eta: null, problem: { type: "failed", title, status: 0 } }));
  if (!run) return;
  land(run);
  alert(title);
}

/** When a run is over: look at something that exists. */
function land(run: Run): void {
  const { shown } = get();
  if (shown !== null && run.slots[shown]?.result) return;
  if (shown !== null) set({ shown: finished(run)[0]?.variation ?? null });
}

const MILESTONES = [0.25, 0.5, 0.75];

function tell(before: Run, after: Run, event: JobEvent): void {
  if (event.type === "queued" || event.type === "position") announce(strings.progress.queued(event.data.position));
  if (event.type === "step") {
    const passed = MILESTONES.findLast((mark) => before.progress < mark && after.progress >= mark);
    if (passed) announce(strings.progress.percent(passed * 100));
  }
  if (event.type === "variation") announce(strings.progress.landed(event.data.variation + 1, after.slots.length));
}

async function take(key: string, event: JobEvent): Promise<void> {
  const before = get().run;
  if (before?.key !== key) return;
  if (event.type === "preview") {
    await putPreview(key, event.data).catch(() => undefined);
    update(key, (run) => reduce(run, event));
    return;
  }
  // The end is told when the pictures are here, so that a full bar never stands before an empty frame.
  if (event.type === "done" || event.type === "snapshot" || event.type === "variation") {
    const results = event.type === "variation" ? [event.data] : event.data.results;
    const fetched = Promise.all(results.map((result) => patchOf(key, result)));
    if (event.type === "variation" || isOver(event.type === "done" ? "done" : event.data.state)) await fetched;
    else fetched.catch(() => undefined);
  }
  const after = update(key, (run) => (isLive(run) ? reduce(run, event) : run));
  if (!after) return;
  tell(before, after, event);
  if (!isLive(after) && isLive(before)) {
    land(after);
    if (after.state === "done") announce(strings.progress.done(finished(after).length));
    if (after.state === "cancelled") announce(strings.progress.cancelled);
    if (after.state === "failed" && after.problem) alert(after.problem.title);
  }
}

/** Follows a job that the server has. */
async function attend(key: string, job: string, signal: AbortSignal): Promise<void> {
  let last: Promise<void> = Promise.resolve();
  await follow(job, (event) => {
    last = last.then(() => (signal.aborted ? undefined : take(key, event)));
  }, signal);
  await last;
}

/** Takes up a run after a reload. */
export async function resume(): Promise<void> {
  const { run } = get();
  if (!run) return;
  controller = new AbortController();
  const { signal } = controller;
  if (!run.job) {
    // It was not yet accepted when the page went away.
    update(run.key, (now) => ({ ...now, state: isLive(now) ? "cancelled" : now.state }));
    return land(get().run ?? run);
  }
  try {
    if (isLive(run)) await attend(run.key, run.job, signal);
    else await Promise.all(finished(run).map((slot) => slot.result && patchOf(run.key, slot.result)));
  } catch (error) {
    if (signal.aborted) return;
    if (isLive(run)) fail(run.key, error instanceof ApiError ? error.message : strings.errors.lostJob);
    else if (get().run?.key === run.key) set({ run: null, shown: null });
  }
}

/** Stops the run and keeps mask and finished variations. Ready at once; the server is told behind the scenes. */
export function cancel(): void {
  const { run } = get();
  if (!run || !isLive(run)) return;
  controller?.abort();
  if (!run.job) {
    giveBack();
    return announce(strings.progress.cancelled);
  }
  const stopped = update(run.key, (now) => ({ ...now, state: "cancelled", eta: null, position: null }));
  if (stopped) land(stopped);
  announce(strings.progress.cancelled);
  const { job, key } = run;
  void resilient(() => api.cancel(job))
    .then(async (info) => {
      // What was finished in the meantime is kept too.
      await Promise.all(info.results.map((result) => patchOf(key, result)));
      const after = update(key, (now) => ({ ...withInfo(now, info), state: "cancelled", eta: null, position: null }));
      if (after && get().shown === null && finished(stopped ?? after).length < finished(after).length) land(after);
    })
    .catch(() => undefined);
}

/** The picture is replaced: nobody will look at this run any more. */
export function abandon(): void {
  const { run } = get();
  if (isLive(run)) cancel();
  keepRun(null);
}
