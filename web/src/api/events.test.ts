import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { ApiError } from "./client";
import { follow, parser } from "./events";
import type { JobEvent } from "./events";

const message = (id: number, event: string, data: unknown) => `id: ${id}\nevent: ${event}\ndata: ${JSON.stringify(data)}\n\n`;

function stream(...chunks: string[]): Response {
  const encoder = new TextEncoder();
  const body = new ReadableStream<Uint8Array>({
    start(controller) {
      for (const chunk of chunks) controller.enqueue(encoder.encode(chunk));
      controller.close();
    },
  });
  return new Response(body, { headers: { "Content-Type": "text/event-stream" } });
}

describe("the parser", () => {
  it("takes a message apart, whatever the chunks", () => {
    const text = ": hello\n\n" + message(7, "step", { step: 1 }) + message(8, "done", {});
    for (let size = 1; size < text.length; size += 3) {
      const parse = parser();
      const found = [];
      for (let at = 0; at < text.length; at += size) found.push(...parse(text.slice(at, at + size)));
      expect(found).toEqual([
        { id: "7", event: "step", data: '{"step":1}' },
        { id: "8", event: "done", data: "{}" },
      ]);
    }
  });

  it("knows all line ends, several data lines and comments", () => {
    const parse = parser();
    expect(parse("id: 1\r\ndata: a\r\ndata: b\r\n\r\n:c\n\n")).toEqual([{ id: "1", event: "message", data: "a\nb" }]);
  });

  it("holds back what is not complete", () => {
    const parse = parser();
    expect(parse("data: a\n")).toEqual([]);
    expect(parse("\n")).toHaveLength(1);
  });
});

describe("following a job", () => {
  const calls: { path: string; last: string | undefined }[] = [];
  let answers: (() => Response)[] = [];

  beforeEach(() => {
    vi.useFakeTimers();
    vi.stubGlobal("document", { baseURI: "http://page.test/" });
    calls.length = 0;
    vi.stubGlobal("fetch", async (url: string, init: RequestInit) => {
      if (url.endsWith("/health")) return Response.json({ status: "ok" });
      calls.push({ path: new URL(url).pathname, last: (init.headers as Record<string, string>)["Last-Event-ID"] });
      const answer = answers.shift();
      if (!answer) throw new TypeError("no connection");
      return answer();
    });
  });
  afterEach(() => {
    vi.useRealTimers();
    vi.unstubAllGlobals();
  });

  async function run(): Promise<JobEvent[]> {
    const told: JobEvent[] = [];
    const end = follow("abc", (event) => told.push(event), new AbortController().signal);
    end.catch(() => undefined);
    await vi.advanceTimersByTimeAsync(20_000);
    await end;
    return told;
  }

  it("goes on after the last event when the stream breaks off, and stops at the end", async () => {
    answers = [
      () => stream(message(1, "snapshot", { state: "running" }), message(2, "step", { step: 1 })),
      () => {
        throw new TypeError("network");
      },
      () => stream(message(2_000_003, "snapshot", { state: "running" }), message(2_000_004, "done", { state: "done" })),
    ];
    expect((await run()).map((event) => event.type)).toEqual(["snapshot", "step", "snapshot", "done"]);
    expect(calls.map((call) => call.last)).toEqual([undefined, "2", "2"]);
    expect(calls[0]?.path).toBe("/api/jobs/abc/events");
  });

  it("does not ask again after a snapshot of a finished job", async () => {
    answers = [() => stream(message(5, "snapshot", { state: "cancelled" }))];
    expect(await run()).toHaveLength(1);
    expect(calls).toHaveLength(1);
  });

  it("gives up on a job that the server does not know, with the server's sentence", async () => {
    const problem = { type: "unknown-job", title: "There is no such job.", status: 404 };
    answers = [() => Response.json(problem, { status: 404, headers: { "Content-Type": "application/problem+json" } })];
    await expect(run()).rejects.toThrow(new ApiError(problem));
  });
});
