// The events of a job: a reader of text/event-stream on fetch, because EventSource hides status codes and cannot start
// from an event id. It reconnects by itself, and says so.
import { address, ApiError, refusal } from "./client";
import { backoff, whenBack } from "./connection";
import type { JobInfo, Preview, Problem, Progress, ResultInfo } from "./types";

export type JobEvent =
  | { type: "snapshot" | "done"; data: JobInfo }
  | { type: "queued" | "position"; data: { position: number } }
  | { type: "started"; data: { attempt: number } }
  | { type: "step"; data: Progress }
  | { type: "preview"; data: Preview }
  | { type: "variation"; data: ResultInfo }
  | { type: "failed"; data: Problem }
  | { type: "cancelled"; data: object };

export interface Message {
  id: string;
  event: string;
  data: string;
}

const ENDS = ["done", "failed", "cancelled"];
const SILENCE = 45_000; // the server sends a comment every 15 s

/** Takes the stream apart, whatever the chunks; a parser holds what is not complete yet. */
export function parser(): (chunk: string) => Message[] {
  let rest = "";
  let id = "";
  let event = "";
  let data: string[] = [];
  return (chunk) => {
    const messages: Message[] = [];
    const lines = (rest + chunk).split(/\r\n|\n|\r(?!$)/);
    rest = lines.pop() ?? "";
    for (const line of lines) {
      if (line === "") {
        if (data.length > 0) messages.push({ id, event: event || "message", data: data.join("\n") });
        event = "";
        data = [];
        continue;
      }
      const colon = line.indexOf(":");
      if (colon === 0) continue;
      const field = colon < 0 ? line : line.slice(0, colon);
      const value = colon < 0 ? "" : line.slice(colon + 1).replace(/^ /, "");
      if (field === "id") id = value;
      else if (field === "event") event = value;
      else if (field === "data") data.push(value);
    }
    return messages;
  };
}

async function* messages(body: ReadableStream<Uint8Array>): AsyncGenerator<Message> {
  const reader = body.getReader();
  const decoder = new TextDecoder();
  const parse = parser();
  try {
    for (;;) {
      let timer: ReturnType<typeof setTimeout> | undefined;
      const silence = new Promise<never>((_, reject) => {
        timer = setTimeout(() => reject(new Error("silence")), SILENCE);
      });
      const { done, value } = await Promise.race([reader.read(), silence]).finally(() => clearTimeout(timer));
      if (done) return;
      yield* parse(decoder.decode(value, { stream: true }));
    }
  } finally {
    reader.cancel().catch(() => undefined);
  }
}

/** Whether a job in this state is over. */
export const isOver = (state: string): boolean => ENDS.includes(state);

/**
 * Tells the listener every event of a job until it is over, over lost connections and restarts of the server.
 *
 * Rejects with an ApiError if the server does not know the job.
 */
export async function follow(id: string, listener: (event: JobEvent) => void, signal: AbortSignal): Promise<void> {
  let last = "";
  let attempt = 0;
  while (!signal.aborted) {
    try {
      const headers: Record<string, string> = { Accept: "text/event-stream" };
      if (last) headers["Last-Event-ID"] = last;
      const response = await fetch(address(`jobs/${id}/events`), { headers, signal, cache: "no-store" });
      if (!response.ok) throw await refusal(response);
      if (!response.body) throw new Error("no body");
      for await (const message of messages(response.body)) {
        if (signal.aborted) return;
        attempt = 0;
        if (message.id) last = message.id;
        const event = { type: message.event, data: JSON.parse(message.data) as unknown } as JobEvent;
        listener(event);
        if (isOver(event.type)) return;
        if (event.type === "snapshot" && isOver(event.data.state)) return;
      }
    } catch (error) {
      if (signal.aborted) return;
      if (error instanceof ApiError && error.status < 500) throw error;
    }
    // The stream broke off: wait until the server answers at all, then a little, so that it is never hammered.
    if (!signal.aborted) await whenBack();
    if (attempt > 0) await new Promise((resolve) => setTimeout(resolve, backoff(attempt - 1)));
    attempt += 1;
  }
}
