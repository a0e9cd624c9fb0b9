import { defineConfig } from "@playwright/test";

// The system's Chromium: Playwright's own download is not needed.
const executablePath = process.env["CHROMIUM"] ?? "/usr/bin/chromium";
const quiet = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
  "--disable-component-update", "--disable-sync"];

const desktop = { viewport: { width: 1280, height: 800 }, deviceScaleFactor: 1 };
const phone = { viewport: { width: 360, height: 740 }, deviceScaleFactor: 2, isMobile: true, hasTouch: true };

// One file of tests for each of the twelve habits of a good editor. The tests marked @dense run on a dense screen too.
export default defineConfig({
  testDir: "e2e",
  outputDir: "test-results",
  globalSetup: "./e2e/harness/global.ts",
  workers: 1,
  timeout: 60_000,
  expect: { timeout: 10_000 },
  forbidOnly: !!process.env["CI"],
  reporter: [["list"]],
  use: { launchOptions: { executablePath, args: quiet }, actionTimeout: 15_000, contextOptions: { reducedMotion: "reduce" } },
  projects: [
    { name: "desktop", testIgnore: "**/phone.spec.ts", use: desktop },
    { name: "dense", testIgnore: "**/phone.spec.ts", grep: /@dense/, use: { ...desktop, deviceScaleFactor: 2 } },
    { name: "phone", testMatch: "**/phone.spec.ts", use: phone },
  ],
});
