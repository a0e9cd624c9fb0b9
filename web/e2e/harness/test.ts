// What every test gets: an editor that is open, and a server with a stub that all tests of a process share.
import { test as base, expect } from "@playwright/test";
import { Editor } from "./editor";
import { makePictures } from "./files";
import { QUICK, Server } from "./server";
import type { Stub } from "./server";

interface Fixtures {
  editor: Editor;
  /** Starts a server for this test alone. */
  serve: (stub: Stub | null) => Promise<Server>;
  /** Messages of the browser's console that a test expects. */
  expected: RegExp[];
}

export const test = base.extend<Fixtures, { pictures: undefined; server: Server }>({
  pictures: [
    // eslint-disable-next-line no-empty-pattern -- Playwright reads the names of what is wanted
    async ({}, run) => {
      makePictures();
      await run(undefined);
    },
    { scope: "worker", auto: true },
  ],
  server: [
    // eslint-disable-next-line no-empty-pattern
    async ({}, run) => {
      const server = await new Server(QUICK).start();
      await run(server);
      await server.stop();
    },
    { scope: "worker", timeout: 120_000 },
  ],
  // eslint-disable-next-line no-empty-pattern
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
  editor: async ({ page, server, expected }, run) => {
    const complaints: string[] = [];
    page.on("pageerror", (error) => complaints.push(String(error)));
    page.on("console", (message) => {
      if (message.type() === "error" && !expected.some((one) => one.test(message.text()))) complaints.push(message.text());
    });
    const editor = new Editor(page, server.url);
    await editor.visit();
    await run(editor);
    expect(complaints, "errors in the browser's console").toEqual([]);
  },
});

/** A figure for whoever reads the run. */
export const say = (text: string): boolean => process.stdout.write(`     ${text}\n`);

export { expect };
