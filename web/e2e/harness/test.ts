// What every test gets: an editor that is open, and a server with a stub that all tests of a process share.
import { test as base, expect } from "@playwright/test";
import { Editor } from "./editor";
import { Server } from "./server";
import type { Stub } from "./server";

interface Fixtures {
  /** Address of the shared server. */
  url: string;
  /** An editor that is open. */
  editor: Editor;
  /** Starts a server for this test alone. */
  serve: (stub: Stub | null) => Promise<Server>;
  /** Messages of the browser's console that a test expects. */
  expected: RegExp[];
}

export const test = base.extend<Fixtures>({
  // eslint-disable-next-line no-empty-pattern -- Playwright reads the names of what is wanted
  serve: async ({}, run) => {
    const servers: Server[] = [];
    await run((stub) => {
      const server = new Server(stub);
      servers.push(server);
      return server.start();
    });
    for (const server of servers) await server.stop();
  },
  expected: [[], { option: true }],
  // eslint-disable-next-line no-empty-pattern
  url: async ({}, run) => run(process.env["EDIFFUSER_URL"] ?? ""),
  editor: async ({ page, url, expected }, run) => {
    const complaints: string[] = [];
    page.on("pageerror", (error) => complaints.push(String(error)));
    page.on("console", (message) => {
      if (message.type() === "error" && !expected.some((one) => one.test(message.text()))) complaints.push(message.text());
    });
    const editor = new Editor(page, url);
    await editor.visit();
    await run(editor);
    expect(complaints, "errors in the browser's console").toEqual([]);
  },
});

/** A figure for whoever reads the run. */
export const say = (text: string): boolean => process.stdout.write(`     ${text}\n`);

export { expect };
