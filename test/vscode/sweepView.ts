/** The sweep panel of a window under test, read and used as a person would. */
import type { Frame, Locator } from 'playwright-core';
import type { Workbench } from './workbench.ts';

/** The panel. Its document is looked up anew for every question: VS Code drops that of a hidden panel. */
export class SweepView {
  constructor(private readonly workbench: Workbench) {}

  /** The panel's document, once it shows a sweep or says that there is none. */
  async frame(): Promise<Frame> {
    const frame = await this.workbench.webview('sweep', 60_000);
    await frame.locator('.sweep-header, .message').first().waitFor({ timeout: 60_000 });
    return frame;
  }

  /** Clicks a button of the panel by its name. */
  async press(name: string): Promise<void> {
    await (await this.frame()).getByRole('button', { name, exact: true }).click();
  }

  /** The names of the buttons that start, stop and go on. */
  async offers(name: string): Promise<boolean> {
    return (await this.frame()).getByRole('button', { name, exact: true }).isVisible();
  }

  /** How much is known: interventions done and in all; undefined while there is no line about it. */
  async progress(): Promise<{ readonly done: number; readonly total: number } | undefined> {
    const bar = (await this.frame()).locator('.sweep-progress progress[max]');
    if ((await bar.count()) === 0) return undefined;
    const [done, total] = await Promise.all([bar.getAttribute('value'), bar.getAttribute('max')]);
    return { done: Number(done), total: Number(total) };
  }

  /** The line, estimate or choice over the heat map, in words. */
  async statusLine(): Promise<string> {
    const line = (await this.frame()).locator('.sweep-progress, .sweep-estimate, .sweep-again');
    return ((await line.allInnerTexts()).join(' ') ?? '').replace(/\s+/g, ' ');
  }

  /** The cells of the heat map that is shown. */
  async cells(): Promise<Locator> {
    return (await this.frame()).locator('.heat-cell');
  }

  /** What the shown cells are called, as a screen reader says them. */
  async cellLabels(): Promise<readonly string[]> {
    return (await this.cells()).evaluateAll((cells) =>
      cells.map((cell) => cell.getAttribute('aria-label') ?? ''),
    );
  }

  /** The line about the chosen cell. */
  async detail(): Promise<string> {
    return ((await (await this.frame()).locator('.sweep-detail').innerText()) ?? '').replace(/\s+/g, ' ');
  }

  /** The rows of the strongest cells. */
  async strongest(): Promise<Locator> {
    return (await this.frame()).locator('.sweep-strongest .signed-row');
  }
}
