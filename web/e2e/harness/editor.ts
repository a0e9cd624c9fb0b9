// The editor in the browser, as a person uses it; positions are native pixels of the picture.
import { readFileSync } from "node:fs";
import { expect } from "@playwright/test";
import type { Download, FileChooser, Locator, Page } from "@playwright/test";
import type { Edit, ToolName } from "../../src/canvas";
import type { State } from "../../src/store";
import { strings } from "../../src/strings";
import { picture } from "./files";
import { until } from "./server";

export type Place = readonly [x: number, y: number];

/** The mask that the page holds: one byte a pixel. */
export interface MaskBytes {
  width: number;
  height: number;
  bytes: Uint8Array;
}

export class Editor {
  #chosen: ((chooser: FileChooser) => void) | null = null;

  constructor(readonly page: Page, readonly url: string) {
    page.on("filechooser", (chooser) => this.#chosen?.(chooser)); // from the start: the browser is asked to tell in time
  }

  async visit(): Promise<void> {
    await this.page.goto(this.url);
    await this.page.waitForFunction(() => window.ediffuser?.store.getState().restored);
  }

  button(name: string | RegExp): Locator {
    return this.page.getByRole("button", { name, exact: typeof name === "string" });
  }

  /** Does what opens the browser's file picker, and picks. */
  async pick(file: Parameters<FileChooser["setFiles"]>[0], open: () => Promise<void>): Promise<void> {
    const chooser = new Promise<FileChooser>((done) => (this.#chosen = done));
    await open();
    await (await chooser).setFiles(file);
  }

  /** Opens a test picture with the picker and waits until it is there. */
  async open(name: string): Promise<void> {
    await this.pick(picture(name), () => this.page.keyboard.press("Control+o"));
    await this.shows(name);
  }

  async shows(name: string | null): Promise<void> {
    await this.page.waitForFunction((wanted) => {
      const { store, stage } = window.ediffuser;
      const { base, pictures } = store.getState();
      const shown = base ? pictures[base] : undefined;
      return stage?.mask && shown && (wanted === null || shown.name === wanted) && stage.mask.width === shown.width;
    }, name);
  }

  /** Reads the state of the page. */
  state<K extends keyof State>(key: K): Promise<State[K]> {
    return this.page.evaluate((name) => window.ediffuser.store.getState()[name], key) as Promise<State[K]>;
  }

  async use(tool: ToolName): Promise<void> {
    const key = { brush: "b", eraser: "e", rectangle: "r", lasso: "l", select: "s", pan: "h" }[tool];
    await this.page.keyboard.press(key);
    await expect.poll(() => this.state("tool")).toBe(tool);
  }

  /** The size of the brush; brush.spec.ts sets it as people do. */
  async brush(size: number): Promise<void> {
    await this.page.evaluate((pixels) => window.ediffuser.store.setState({ size: pixels }), size);
  }

  /** Where a native pixel's place lies in the window. */
  at([x, y]: Place): Promise<{ x: number; y: number }> {
    return this.page.evaluate(([px, py]) => {
      const { stage } = window.ediffuser;
      const host = document.querySelector(".host")?.getBoundingClientRect();
      if (!stage || !host) throw new Error("no stage");
      const { x, y } = stage.view.toScreen({ x: px, y: py });
      return { x: host.left + x, y: host.top + y };
    }, [x, y] as const);
  }

  /** The place of the picture that lies there in the window. */
  under({ x, y }: { x: number; y: number }): Promise<Place> {
    return this.page.evaluate(([left, top]) => {
      const { stage } = window.ediffuser;
      const host = document.querySelector(".host")?.getBoundingClientRect();
      if (!stage || !host) throw new Error("no stage");
      const place = stage.view.toPicture({ x: left - host.left, y: top - host.top });
      return [place.x, place.y] as const;
    }, [x, y] as const);
  }

  async hover(place: Place): Promise<void> {
    const { x, y } = await this.at(place);
    await this.page.mouse.move(x, y);
  }

  /** A drag of the mouse; a single place is a click. */
  async drag(places: readonly Place[], steps = 4): Promise<void> {
    const [first, ...rest] = places;
    if (!first) throw new Error("no place");
    await this.hover(first);
    await this.page.mouse.down();
    for (const place of rest) {
      const { x, y } = await this.at(place);
      await this.page.mouse.move(x, y, { steps });
    }
    await this.page.mouse.up();
  }

  /** Paints with a brush of that size; the edit is in the document afterwards. */
  async paint(places: readonly Place[], size?: number): Promise<void> {
    if (size !== undefined) await this.brush(size);
    const before = (await this.edits()).length;
    await this.drag(places);
    await expect.poll(async () => (await this.edits()).length).toBe(before + 1);
  }

  edits(): Promise<readonly Edit[]> {
    return this.state("edits");
  }

  /** The true mask. Run lengths travel, not bytes: of 12 megapixels too. */
  async mask(): Promise<MaskBytes> {
    const { width, height, runs } = await this.page.evaluate(() => {
      const mask = window.ediffuser.stage?.mask;
      if (!mask) throw new Error("no mask");
      const runs: number[] = [];
      let start = 0;
      for (let at = 0, value = 0; at <= mask.bytes.length; at += 1) {
        if (at < mask.bytes.length && mask.bytes[at] === value) continue;
        runs.push(at - start);
        start = at;
        value = 1 - value;
      }
      return { width: mask.width, height: mask.height, runs };
    });
    const bytes = new Uint8Array(width * height);
    let at = 0;
    runs.forEach((length, index) => {
      if (index % 2 === 1) bytes.fill(1, at, at + length);
      at += length;
    });
    return { width, height, bytes };
  }

  /** SHA-256 of the mask's bytes. */
  digest(): Promise<string> {
    return this.page.evaluate(async () => {
      const bytes = window.ediffuser.stage?.mask?.bytes ?? new Uint8Array();
      const hash = await crypto.subtle.digest("SHA-256", bytes.slice());
      return Array.from(new Uint8Array(hash), (byte) => byte.toString(16).padStart(2, "0")).join("");
    });
  }

  view(): Promise<{ scale: number; x: number; y: number }> {
    return this.page.evaluate(() => {
      const view = window.ediffuser.stage?.view;
      if (!view) throw new Error("no stage");
      return { scale: view.scale, x: view.x, y: view.y };
    });
  }

  /** Turns the wheel over a place until the zoom is there, or as near as it gets. */
  async zoom(scale: number, place: Place): Promise<number> {
    await this.hover(place);
    let now = (await this.view()).scale;
    for (let turn = 0, rate = 500; turn < 40 && Math.abs(Math.log(scale / now)) > 0.004; turn += 1) {
      const wanted = Math.log(scale / now);
      const by = Math.sign(wanted) * Math.max(1, Math.min(400, Math.abs(wanted) * rate));
      await this.page.mouse.wheel(0, -by);
      await this.frame();
      const next = (await this.view()).scale;
      if (Math.abs(next - now) < 1e-6) break;
      rate = Math.abs(by / Math.log(next / now));
      now = next;
    }
    return now;
  }

  /** Until the next two frames are drawn. */
  frame(): Promise<void> {
    return this.page.evaluate(() => new Promise<void>((done) => requestAnimationFrame(() => requestAnimationFrame(() => done()))));
  }

  async variations(count: number): Promise<void> {
    await this.page.evaluate((wanted) => {
      const { store } = window.ediffuser;
      store.setState(({ settings }) => ({ settings: { ...settings, variations: wanted } }));
    }, count);
  }

  /** Where the canvas lies. */
  get host(): Locator {
    return this.page.locator(".host");
  }

  get generateButton(): Locator {
    return this.button(new RegExp(`^${strings.generate.generate}`));
  }

  get alerts(): Locator {
    return this.page.getByRole("alert");
  }

  /** Presses Generate; resolves with the job's name, once the server has it. */
  async generate(): Promise<string> {
    const before = (await this.state("run"))?.job ?? null;
    await this.generateButton.click();
    return until("the job", async () => {
      const run = await this.state("run");
      return run?.job && run.job !== before ? run.job : null;
    });
  }

  async finish(limit = 30_000): Promise<void> {
    await until("the end of the run", async () => {
      const run = await this.state("run");
      if (run?.state === "failed") throw new Error(run.problem?.title ?? "failed");
      return run?.state === "done";
    }, limit);
  }

  async results(): Promise<number> {
    return (await this.state("run"))?.slots.filter((slot) => slot.result !== null).length ?? 0;
  }

  /** Saves what is shown, with the dialog; the file as the browser got it. */
  async save(format: "PNG" | "JPEG" | "WebP" = "PNG"): Promise<{ name: string; bytes: Buffer }> {
    await this.page.keyboard.press("Control+s");
    const dialog = this.page.getByRole("dialog");
    await dialog.getByRole("radio", { name: format }).click();
    const coming = this.page.waitForEvent("download");
    await dialog.getByRole("button", { name: strings.download.save, exact: true }).click();
    return read(await coming);
  }
}

export async function read(download: Download): Promise<{ name: string; bytes: Buffer }> {
  return { name: download.suggestedFilename(), bytes: readFileSync(await download.path()) };
}
