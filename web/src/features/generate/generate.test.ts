import { afterEach, beforeEach, expect, it, vi } from "vitest";
import { api, ApiError } from "../../api/client";
import type { JobEvent } from "../../api/events";
import { queries } from "../../api/queries";
import type { JobInfo, ResultInfo } from "../../api/types";
import { Mask } from "../../canvas";
import type { Edit } from "../../canvas";
import { holeNow, keepRun } from "../../media";
import { newRun } from "../../run";
import { configure, get, set } from "../../store";
import { strings } from "../../strings";
import { generate, holdUp, options, resume } from "./generate";

const page = vi.hoisted(() => ({ mask: null as unknown, events: [] as unknown[] }));
vi.mock("../../stage", () => ({ stage: () => page }));
vi.mock("../../api/events", async (original) => ({
  ...(await original<object>()),
  follow: async (_job: string, listener: (event: unknown) => void) => page.events.forEach(listener),
}));

const box = { left: 0, top: 0, width: 2, height: 2 };
const edits: Edit[] = [{ kind: "rectangle", mode: "paint", left: 0, top: 0, right: 2, bottom: 2 }];
const result = (variation: number): ResultInfo => ({ variation, seed: 5, box, patch: `patch/${variation}`, picture: "" });
const info = (change: Partial<JobInfo> = {}): JobInfo => ({
  id: "job", state: "queued", image: { id: "image", width: 4, height: 4, alpha: false, format: "png" },
  options: { model: "m", variations: 2, seed: 5, feather: 0, detail: true }, box, position: 0, progress: 0, eta_seconds: null, results: [],
  problem: null, created: "", attempts: 1, ...change,
});
const problem = (status: number, type: string, title: string) => new ApiError({ type, title, status });
const send = vi.spyOn(api, "generate");
const patch = vi.spyOn(api, "patch");

beforeEach(() => {
  vi.stubGlobal("createImageBitmap", async () => ({ width: 2, height: 2, close: () => undefined }));
  vi.stubGlobal("ImageData", class { data: Uint8ClampedArray; constructor(width: number, height: number) { this.data = new Uint8ClampedArray(4 * width * height); } });
  const mask = new Mask(4, 4);
  mask.replay(edits);
  page.mask = mask;
  page.events = [];
  send.mockReset().mockResolvedValue(info());
  patch.mockReset().mockResolvedValue(new Blob(["patch"]));
  const picture = { key: "a", id: "image", name: "a.png", width: 4, height: 4, alpha: false, origin: null };
  set({ base: "a", edits, painted: 4, pictures: { a: picture }, run: null, shown: null, alerts: [] });
  configure({ model: null, sampler: null, variations: 2, seed: null, locked: false });
});
afterEach(() => {
  keepRun(null);
  queries.clear();
  vi.unstubAllGlobals();
});

const finish = (): JobEvent[] => [
  { type: "variation", data: result(0) }, { type: "variation", data: result(1) },
  { type: "done", data: info({ state: "done", progress: 1, results: [result(0), result(1)] }) },
];

it("sends the settings as they stand", () => {
  configure({ seed: 7, locked: true, context: 2.5, feather: 12, detail: false });
  expect(options()).toMatchObject({ variations: 2, seed: 7, context: 2.5, feather: 12, detail: false });
  configure({ locked: false, context: null, feather: 0, detail: true });
  expect(options()).toMatchObject({ seed: null, context: null, feather: 0, detail: true });
});

it("sends again, with the same key and body, what a reload interrupted", async () => {
  send.mockReturnValueOnce(new Promise(() => undefined));
  void generate();
  await vi.waitFor(() => expect(send).toHaveBeenCalledOnce());
  const saved = structuredClone(get());
  set({ run: null, shown: null });

  configure({ variations: 8 });
  set({ run: saved.run, shown: 0, edits: [...edits, { kind: "clear" }] });
  page.events = [{ type: "snapshot", data: info({ state: "done", progress: 1, results: [result(0), result(1)] }) }];
  await resume();
  const [first, second] = send.mock.calls;
  expect(second?.[0]).toBe(first?.[0]);
  expect(await second?.[1].arrayBuffer()).toEqual(await first?.[1].arrayBuffer());
  expect(JSON.stringify(second?.[2])).toBe(JSON.stringify(first?.[2]));
  expect(second?.[3]).toBe(first?.[3]);
  expect(get().run).toMatchObject({ job: "job", state: "done" });
  expect(get().run?.slots.map((slot) => slot.result?.variation)).toEqual([0, 1]);
});

it("cuts previews after a reload to the mask of their run, whatever is painted since", async () => {
  const order = { options: { sampler: null }, edits };
  set({ run: { ...newRun("run", "a", 2, 5, box, order), job: "job", state: "running" }, edits: [...edits, { kind: "clear" }] });
  page.mask = new Mask(4, 4);
  page.events = [{ type: "preview", data: { variation: 0, left: 0, top: 0, side: 4, image: "data:image/webp;base64,AAAA" } }];
  await resume();
  expect(holeNow("run")).toEqual({ ...box, bytes: Uint8Array.of(1, 1, 1, 1) });
});

it("cannot send again what was saved without its order", async () => {
  set({ run: newRun("run", "a", 2, null, box) });
  await resume();
  expect(get().run?.state).toBe("cancelled");
  expect(send).not.toHaveBeenCalled();
});

it("goes on after a patch that could not be had, and marks its variation", async () => {
  patch.mockImplementation(async (url) => {
    if (url === "patch/0") throw problem(500, "internal-error", "Something went wrong.");
    return new Blob(["patch"]);
  });
  page.events = finish();
  await generate();
  expect(get().run?.state).toBe("done");
  expect(get().run?.slots.map((slot) => [slot.lost, slot.result?.variation])).toEqual([[true, undefined], [false, 1]]);
  expect(get().shown).toBe(1);
  expect(get().alerts.map((one) => one.text)).toEqual([strings.results.lost(1)]);
});

it("gets a patch at the end that could not be had before", async () => {
  patch.mockRejectedValueOnce(problem(404, "unknown-result", "Not there."));
  page.events = finish();
  await generate();
  expect(get().run?.slots.map((slot) => slot.lost)).toEqual([false, false]);
});

it("brings back after a reload what can be had, and forgets a run of which nothing is left", async () => {
  const run = { ...newRun("run", "a", 2, 5, box), job: "job", state: "done" as const };
  const slots = run.slots.map((slot) => ({ ...slot, result: result(slot.variation) }));
  patch.mockRejectedValueOnce(problem(404, "unknown-result", "Not there."));
  set({ run: { ...run, slots }, shown: 0 });
  await resume();
  expect(get().run?.slots.map((slot) => slot.lost)).toEqual([true, false]);
  expect(get().shown).toBe(1);

  keepRun(null);
  patch.mockRejectedValue(problem(404, "unknown-job", "Not there."));
  set({ run: { ...run, slots }, shown: 0 });
  await resume();
  expect(get().run).toBe(null);
});

it("does not send a model or sampler that the server no longer has", () => {
  configure({ model: "removed", sampler: { kind: "removed" } });
  expect(options()).toMatchObject({ model: "removed" }); // the lists have not come
  queries.setQueryData(["models"], [{ name: "faces" }]);
  queries.setQueryData(["samplers"], [{ kind: "ddim" }]);
  expect(options()).not.toHaveProperty("model");
  expect(options().sampler).toBe(null);
});

it("tells in the server's words why nothing is painted", async () => {
  const ready = vi.spyOn(api, "ready").mockRejectedValueOnce(problem(503, "not-ready", "The model is being loaded."));
  expect(await holdUp()).toBe("The model is being loaded.");
  ready.mockResolvedValueOnce({ status: "ready", device: "cpu", model: "m" });
  expect(await holdUp()).toBe(null);
  ready.mockRestore();
});
