import { defineConfig } from "@playwright/test";

// The system's Chromium: Playwright's own download is not needed.
const executablePath = process.env["CHROMIUM"] ?? "/usr/bin/chromium";
const quiet = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
  "--disable-component-update", "--disable-sync"];

export default defineConfig({
  testDir: "e2e",
  outputDir: "test-results",
  workers: 1,
  timeout: 60_000,
  reporter: [["list"]],
  use: { launchOptions: { executablePath, args: quiet }, baseURL: process.env["EDIFFUSER_URL"] },
});
