import { afterEach, beforeEach, expect, it, vi } from "vitest";
import { api, ApiError } from "../../api/client";
import type { ImageInfo } from "../../api/types";
import { keepOnly, keepRun, putFile } from "../../media";
import { newRun } from "../../run";
import { edit, get, history, set } from "../../store";
import { openFile } from "./open";

const follow = vi.hoisted(() => vi.fn());
vi.mock("../../api/events", async (original) => ({ ...(await original<object>()), follow }));

const upload = vi.spyOn(api, "upload");
const cancel = vi.spyOn(api, "cancel");
const info: ImageInfo = { id: "new", width: 4, height: 4, alpha: false, format: "png" };
const file = new Blob(["file"], { type: "image/png" });
const before = { ...newRun("run", "a", 2, null, null), job: "job", state: "running" as const };

beforeEach(() => {
  vi.stubGlobal("createImageBitmap", async () => ({ width: 4, height: 4, close: () => undefined }));
  upload.mockReset();
  cancel.mockReset().mockReturnValue(new Promise(() => undefined));
  follow.mockReset().mockReturnValue(new Promise(() => undefined));
  const picture = { key: "a", id: "image", name: "a.png", width: 4, height: 4, alpha: false, origin: null };
  putFile("a", file);
  set({ base: "a", edits: [], pictures: { a: picture }, run: before, shown: 0, alerts: [] });
  history.getState().clear();
  edit({ kind: "invert" });
  set({ saved: true });
});
afterEach(() => {
  keepOnly(new Set());
  keepRun(null);
  vi.unstubAllGlobals();
});

it("leaves a running job alone if the server refuses the file", async () => {
  upload.mockRejectedValue(new ApiError({ type: "damaged", title: "The photo is damaged.", status: 422 }));
  await openFile(file, "bad.png");
  expect(get().run).toBe(null);
  await vi.waitFor(() => expect(get().base).toBe("a"));
  expect(get().run).toMatchObject({ job: "job", state: "running" });
  expect(get().edits).toEqual([{ kind: "invert" }]);
  expect(get().alerts.map((one) => one.text)).toEqual(["The photo is damaged."]);
  await vi.waitFor(() => expect(follow).toHaveBeenCalledOnce());
  expect(cancel).not.toHaveBeenCalled();
});

it("cancels it when the server has taken the picture", async () => {
  let agree: (info: ImageInfo) => void = () => undefined;
  upload.mockReturnValue(new Promise((resolve) => (agree = resolve)));
  await openFile(file, "good.png");
  expect(cancel).not.toHaveBeenCalled();
  agree(info);
  await vi.waitFor(() => expect(cancel).toHaveBeenCalledWith("job"));
  expect(get().run).toBe(null);
});
