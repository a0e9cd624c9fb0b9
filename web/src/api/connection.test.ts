import { afterEach, beforeEach, expect, it, vi } from "vitest";
import { ApiError, AwayError, request } from "./client";
import { onAway, resilient } from "./connection";

let alive = true;

beforeEach(() => {
  alive = true;
  vi.useFakeTimers();
  vi.stubGlobal("document", { baseURI: "http://page.test/" });
  vi.stubGlobal("fetch", async (url: string) => {
    if (!alive) throw new TypeError("no connection");
    if (url.endsWith("/proxy")) return new Response("<html>", { status: 502, headers: { "Content-Type": "text/html" } });
    if (url.endsWith("/refused")) return Response.json({ type: "no", title: "No, because.", status: 422 }, { status: 422 });
    return Response.json({ status: "ok" });
  });
});
afterEach(() => {
  vi.useRealTimers();
  vi.unstubAllGlobals();
});

it("waits while the server is away, tells so, and goes on by itself", async () => {
  const told: boolean[] = [];
  const stop = onAway((away) => told.push(away));
  alive = false;
  let calls = 0;
  const answer = resilient(async () => {
    calls += 1;
    return (await request("models")).status;
  });
  await vi.advanceTimersByTimeAsync(5_000);
  expect(told).toEqual([true]);
  expect(calls).toBe(1);
  alive = true;
  await vi.advanceTimersByTimeAsync(9_000);
  expect(await answer).toBe(200);
  expect(told).toEqual([true, false]);
  stop();
});

it("does not repeat what was refused, and carries the server's sentence", async () => {
  await expect(resilient(() => request("refused"))).rejects.toThrow("No, because.");
  await expect(request("refused")).rejects.toBeInstanceOf(ApiError);
});

it("takes a proxy's error for a server that is away", async () => {
  await expect(request("proxy")).rejects.toBeInstanceOf(AwayError);
});
