// Generate, follow, cancel.
import { api, ApiError } from "../../api/client";
import { resilient } from "../../api/connection";
import { follow, isOver } from "../../api/events";
import type { JobEvent } from "../../api/events";
import { modelsNow, samplersNow } from "../../api/queries";
import type { JobInfo, ResultInfo, SentOptions } from "../../api/types";
import { Mask } from "../../canvas";
import { holeNow, keepRun, patchOf, putHole, putPreview } from "../../media";
import { finished, isLive, newRun, reduce, withInfo, withLost } from "../../run";
import type { Order, Run } from "../../run";
import { stage } from "../../stage";
import { alert, announce, configure, get, newKey, set } from "../../store";
import { strings } from "../../strings";
import { withPicture } from "../open/upload";
import { known } from "../panel/known";

let controller: AbortController | null = null;
/** What was there before a run that the server has not accepted yet. */
let previous: { run: Run | null; shown: number | null } | null = null;

export function options(): SentOptions & { variations: number } {
  const { settings } = get();
  const { variations, seed, locked, context, feather, detail } = settings;
  const { model, sampler } = known(settings, modelsNow(), samplersNow());
  return { ...(model === null ? {} : { model }), variations, seed: locked ? seed : null, sampler, context, feather, detail };
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
  const order = { options: chosen, edits: state.edits };
  const run = newRun(key, base, chosen.variations, chosen.seed ?? null, box, order);
  set({ run, shown: 0, compare: null, selection: null, saved: false, dialog: null });
  announce(strings.generate.started(chosen.variations));
  await send(run, order, png);
}

/** The events tell the results and the end, of a job that was accepted long ago too. */
const accepted = (run: Run, info: JobInfo): Run =>
  withInfo(run, { ...info, results: [], state: isOver(info.state) ? "running" : info.state });

/** Sends a run and follows it. However often it is sent, its key makes it one job. */
async function send({ key, base }: Run, { options: chosen }: Order, mask: Promise<Blob>): Promise<void> {
  controller = new AbortController();
  const { signal } = controller;
  try {
    const bytes = await mask;
    const info = await withPicture(base, (id) => api.generate(id, bytes, chosen, key));
    if (signal.aborted || !update(key, (now) => accepted(now, info))) {
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
    const changed = error instanceof ApiError && error.problem.type === "key-reused"; // the picture has another name by now
    fail(key, changed ? strings.errors.lostJob : error instanceof Error ? error.message : String(error));
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
  if (event.type === "variation" && after.slots[event.data.variation]?.result) announce(strings.progress.landed(event.data.variation + 1, after.slots.length));
}

/** Fetches the pictures of results; tells the variations whose pictures could not be had. */
async function fetchPatches(key: string, results: readonly ResultInfo[]): Promise<number[]> {
  const tried = await Promise.allSettled(results.map((result) => patchOf(key, result)));
  return results.filter((_, index) => tried[index]?.status === "rejected").map((result) => result.variation);
}

function lose(key: string, lost: readonly number[]): Run | null {
  const run = update(key, (now) => withLost(now, lost));
  if (run) for (const variation of lost) alert(strings.results.lost(variation + 1));
  return run;
}

async function take(key: string, event: JobEvent): Promise<void> {
  const before = get().run;
  if (before?.key !== key) return;
  if (event.type === "preview") {
    bringHole(before);
    await putPreview(key, event.data).catch(() => undefined);
    update(key, (run) => reduce(run, event));
    return;
  }
  let lost: number[] = [];
  // The end is told when the pictures are here, so that a full bar never stands before an empty frame.
  if (event.type === "done" || event.type === "snapshot" || event.type === "variation") {
    const results = event.type === "variation" ? [event.data] : event.data.results;
    const fetched = fetchPatches(key, results);
    if (event.type === "variation" || isOver(event.type === "done" ? "done" : event.data.state)) lost = await fetched;
    else void fetched.then((missing) => lose(key, missing));
  }
  update(key, (run) => (isLive(run) ? reduce(run, event) : run));
  const after = lose(key, lost);
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

/** The mask that a run was ordered with. */
function maskOf({ base, order }: Run): Mask | null {
  const picture = get().pictures[base];
  if (!picture || !order) return null;
  const mask = new Mask(picture.width, picture.height);
  mask.replay(order.edits);
  return mask;
}

/** What previews are cut to; after a reload it is made anew, from the canvas if that still shows the same mask. */
function bringHole(run: Run): void {
  if (holeNow(run.key) || !run.box || !run.order) return;
  const mask = (run.order.edits === get().edits && stage()?.mask) || maskOf(run);
  if (mask) putHole(run.key, mask, run.box);
}

/** Takes up a run after a reload. */
export async function resume(): Promise<void> {
  const { run } = get();
  if (!run) return;
  if (!isLive(run)) return recall(run);
  if (run.job) return takeUp(run.key, run.job);
  // The page went away before it heard whether the run was accepted.
  const mask = maskOf(run);
  if (mask && run.order) return send(run, run.order, mask.toPng());
  const stopped = update(run.key, (now) => ({ ...now, state: "cancelled" }));
  if (stopped) land(stopped);
}

async function takeUp(key: string, job: string): Promise<void> {
  controller = new AbortController();
  const { signal } = controller;
  try {
    await attend(key, job, signal);
  } catch (error) {
    if (!signal.aborted) fail(key, error instanceof ApiError ? error.message : strings.errors.lostJob);
  }
}

/** Brings back what a run has painted; if nothing of it can be had any more, the run is forgotten. */
async function recall({ key, slots }: Run): Promise<void> {
  const results = slots.flatMap((slot) => slot.result ?? []);
  const lost = await fetchPatches(key, results);
  if (lost.length === 0 || get().run?.key !== key) return;
  if (lost.length === results.length) return set({ run: null, shown: null });
  const left = lose(key, lost);
  if (left) land(left);
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
      const lost = await fetchPatches(key, info.results);
      update(key, (now) => ({ ...withInfo(now, info), state: "cancelled", eta: null, position: null }));
      const after = lose(key, lost);
      if (after && get().shown === null && finished(stopped ?? after).length < finished(after).length) land(after);
    })
    .catch(() => undefined);
}

/** Another picture is looked at, perhaps to be refused: the job goes on. A run that was not accepted yet is taken back. */
export function leave(): void {
  const { run } = get();
  if (run && !run.job) cancel();
  else controller?.abort();
}

/** Nobody will look at this run any more. */
export function abandon(run: Run | null): void {
  keepRun(get().run?.key ?? null);
  if (!run?.job || !isLive(run)) return;
  const { job } = run;
  void resilient(() => api.cancel(job)).catch(() => undefined);
}

/** Why nothing is painted at present, in the server's words; null if it is only busy. */
export async function holdUp(): Promise<string | null> {
  try {
    await api.ready();
    return null;
  } catch (error) {
    return error instanceof ApiError && error.status === 503 ? error.message : null;
  }
}
