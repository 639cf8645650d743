/** The circuit panel of a window under test, read and used as a person would. */
import type { Frame, Locator } from 'playwright-core';
import type { Workbench } from './workbench.ts';

/** The panel. Its document is looked up anew for every question: VS Code drops that of a hidden panel. */
export class CircuitView {
  constructor(private readonly workbench: Workbench) {}

  /** The panel's document, once it shows a circuit. */
  async frame(): Promise<Frame> {
    const frame = await this.workbench.webview('circuit', 60_000);
    await frame.locator('.prune').waitFor({ timeout: 90_000 });
    return frame;
  }

  /** Opens the graph or its list and answers what is under the tabs. */
  async openTab(name: 'Graph' | 'Pinned' | 'List'): Promise<Locator> {
    const frame = await this.frame();
    // The tab of what is pinned also tells how much that is.
    await frame.getByRole('tab', { name: new RegExp(`^${name}`) }).click();
    return frame.locator('#tab-panel');
  }

  /** What the nodes of the graph are called, as a screen reader says them. */
  async nodes(): Promise<readonly string[]> {
    return (await this.frame()).locator('.node .sr-only').allTextContents();
  }

  /** The node of the graph whose spoken name matches, such as /^Head/. */
  async node(name: RegExp): Promise<Locator> {
    return (await this.frame()).locator('.node').filter({ hasText: name }).first();
  }

  /** How many nodes are kept, of how many: "12 of 150". */
  async kept(): Promise<string> {
    return (await (await this.frame()).locator('.prune-count').textContent()) ?? '';
  }

  /** A measure under the graph as it is written; "–" before it was measured. */
  async measure(name: 'Faithfulness' | 'Completeness'): Promise<string> {
    const measure = (await this.frame()).locator('.measures > div').filter({ hasText: name });
    return (await measure.locator('b').textContent()) ?? '';
  }

  /** What the rows of the list are called, as a screen reader says them. */
  async rows(): Promise<readonly string[]> {
    const rows = await (await this.frame()).locator('.list-row').all();
    return Promise.all(rows.map(async (row) => (await row.getAttribute('aria-label')) ?? ''));
  }

  /** Opens a menu of the tools and chooses from it. */
  async choose(menu: string, item: string): Promise<void> {
    const frame = await this.frame();
    await frame.getByRole('button', { name: menu, exact: true }).click();
    await frame.getByRole('menuitem', { name: item }).click();
  }

  /** The card of the selected node. */
  async card(): Promise<Locator> {
    return (await this.frame()).locator('.node-card');
  }
}
