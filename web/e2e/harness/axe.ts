import { AxeBuilder } from "@axe-core/playwright";
import type { Page } from "@playwright/test";
import { expect } from "./test";

/** No serious or critical fault that axe finds; says which and where. */
export async function accessible(page: Page, where: string): Promise<void> {
  const { violations } = await new AxeBuilder({ page }).withTags(["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]).analyze();
  const bad = violations.filter(({ impact }) => impact === "serious" || impact === "critical");
  expect(bad.map(({ id, help, nodes }) => `${id}: ${help}: ${nodes.map((node) => node.html).join(" | ")}`), where).toEqual([]);
}

/** Buttons and fields in sight that a finger would miss: under 44 CSS pixels. */
export async function tooSmall(page: Page): Promise<string[]> {
  return page.evaluate(() => {
    const bad: string[] = [];
    for (const one of document.querySelectorAll<HTMLElement>("button, a[href], input, select, summary, [role=slider], [role=switch], [role=radio]")) {
      const { width, height } = one.getBoundingClientRect();
      const style = getComputedStyle(one);
      if (width === 0 || style.visibility === "hidden" || style.opacity === "0") continue;
      // A finger also hits what reacts for the control: its label, and a drawn area around it.
      const area = one.closest("label")?.getBoundingClientRect() ?? { width: 0, height: 0 };
      const halo = getComputedStyle(one, "::after");
      const more = halo.content !== "none" && halo.position === "absolute" ? { width: parseFloat(halo.width), height: parseFloat(halo.height) } : { width: 0, height: 0 };
      const hit = { width: Math.max(width, area.width, more.width), height: Math.max(height, area.height, more.height) };
      if (hit.width < 43.5 || hit.height < 43.5) {
        bad.push(`${one.getAttribute("aria-label") ?? one.textContent?.trim()}: ${Math.round(hit.width)} x ${Math.round(hit.height)}`);
      }
    }
    return bad;
  });
}
