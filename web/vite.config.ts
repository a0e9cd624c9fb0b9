import react from "@vitejs/plugin-react";
import { defineConfig } from "vitest/config";

// In development the page comes from Vite and everything under /api from `ediffuser serve` (no CORS needed).
export default defineConfig({
  plugins: [react()],
  base: "./",
  build: { outDir: "../src/ediffuser/server/page", emptyOutDir: true, sourcemap: false },
  server: { host: "127.0.0.1", proxy: { "/api": "http://127.0.0.1:7860" } },
  test: { environment: "node", include: ["src/**/*.test.{ts,tsx}"] },
});
