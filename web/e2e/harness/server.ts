// A server of its own: free port, temporary data directory, with a stub or the real model; it can be killed and started again.
import { spawn } from "node:child_process";
import type { ChildProcess } from "node:child_process";
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { createServer } from "node:net";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";

export const ROOT = resolve(import.meta.dirname, "../../..");
export const PYTHON = join(ROOT, ".venv/bin/python");

/** `calls` network calls a picture, `seconds` each. */
export interface Stub {
  calls: number;
  seconds: number;
}

/** A job takes 0.6 s for every two variations. */
export const QUICK: Stub = { calls: 12, seconds: 0.05 };
/** 4 s for every two variations. */
export const SLOW: Stub = { calls: 40, seconds: 0.1 };

export const pause = (ms: number) => new Promise<void>((done) => setTimeout(done, ms));

export async function until<T>(what: string, ask: () => Promise<T | null | false> | T | null | false, limit = 60_000): Promise<T> {
  const end = Date.now() + limit;
  for (;;) {
    const answer = await ask();
    if (answer !== null && answer !== false) return answer;
    if (Date.now() > end) throw new Error(`waited ${limit} ms for ${what}`);
    await pause(25);
  }
}

function freePort(): Promise<number> {
  return new Promise((done, fail) => {
    const server = createServer();
    server.on("error", fail);
    server.listen(0, "127.0.0.1", () => {
      const { port } = server.address() as AddressInfo;
      server.close(() => done(port));
    });
  });
}

export class Server {
  #process: ChildProcess | null = null;
  #port = 0;
  #said = "";
  readonly data = mkdtempSync(join(tmpdir(), "ediffuser-e2e-"));

  /** With the shipped model where there is no stub. */
  constructor(readonly stub: Stub | null) {}

  get url(): string {
    return `http://127.0.0.1:${this.#port}/`;
  }

  /** Starts it, for the second time on the same port and data; resolves when it paints. */
  async start(): Promise<this> {
    this.#port ||= await freePort();
    const { stub, data } = this;
    const [command, ...options] = stub
      ? [PYTHON, join(ROOT, "web/e2e/harness/serve.py"), this.#port, data, stub.calls, stub.seconds]
      : [join(ROOT, ".venv/bin/ediffuser"), "serve", "--port", this.#port, "--data", data];
    const child = spawn(command, options.map(String), { cwd: ROOT, stdio: ["ignore", "pipe", "pipe"] });
    this.#process = child;
    for (const stream of [child.stdout, child.stderr]) stream.on("data", (text) => (this.#said += String(text)));
    await this.ready();
    return this;
  }

  async ready(): Promise<void> {
    await until("the server", async () => {
      if (this.#process === null || this.#process.exitCode !== null) throw new Error(`the server ended:\n${this.#said}`);
      return fetch(`${this.url}api/ready`).then((answer) => answer.ok, () => false);
    });
  }

  /** Process that owns the model: the child that multiprocessing has spawned. */
  worker(): number | null {
    const pid = this.#process?.pid;
    if (pid === undefined) return null;
    // A thread may have started it, and what comes and goes meanwhile cannot be read.
    const text = (path: string) => {
      try {
        return readFileSync(path, "utf8");
      } catch {
        return "";
      }
    };
    const children = readdirSync(`/proc/${pid}/task`).flatMap((task) => text(`/proc/${pid}/task/${task}/children`).trim().split(" "));
    return children.filter(Boolean).map(Number).find((child) => text(`/proc/${child}/cmdline`).includes("spawn_main")) ?? null;
  }

  /** kill -9 of the worker; resolves when it is gone. */
  async killWorker(): Promise<void> {
    const worker = await until("a worker", () => this.worker());
    process.kill(worker, "SIGKILL");
    await until("the end of the worker", () => this.worker() !== worker);
  }

  /** Ends the server, by default with kill -9. */
  async kill(signal: NodeJS.Signals = "SIGKILL"): Promise<void> {
    const child = this.#process;
    this.#process = null;
    if (!child || child.exitCode !== null || child.signalCode !== null) return;
    const gone = new Promise((done) => child.once("exit", done));
    child.kill(signal);
    await Promise.race([gone, pause(5_000).then(() => child.kill("SIGKILL"))]);
  }

  async stop(): Promise<void> {
    await this.kill("SIGTERM");
    rmSync(this.data, { recursive: true, force: true });
  }
}
