// The events of a job as the server sends them, read beside the page.
import type { BrowserContext } from "@playwright/test";
import type { JobEvent } from "../../src/api/events";

export type Told = JobEvent & { id: number; at: number };

/** Everything that the server tells about a job, from now to its end. */
export async function listen(url: string, context: BrowserContext, job: string): Promise<Told[]> {
  const cookies = await context.cookies();
  const answer = await fetch(`${url}api/jobs/${job}/events`, {
    headers: { Accept: "text/event-stream", Cookie: cookies.map(({ name, value }) => `${name}=${value}`).join("; ") },
  });
  if (!answer.ok || !answer.body) throw new Error(`events: status ${answer.status}`);
  const told: Told[] = [];
  const decoder = new TextDecoder();
  let rest = "";
  for (const reader = answer.body.getReader(); ; ) {
    const { done, value } = await reader.read();
    if (done) return told;
    const blocks = (rest + decoder.decode(value, { stream: true })).split(/\r?\n\r?\n/);
    rest = blocks.pop() ?? "";
    for (const block of blocks) {
      const field = (name: string) => new RegExp(`^${name}: ?(.*)$`, "m").exec(block)?.[1] ?? "";
      if (!field("data")) continue;
      const event = { type: field("event"), data: JSON.parse(field("data")) as unknown } as JobEvent;
      told.push({ ...event, id: Number(field("id")), at: Date.now() });
    }
  }
}
