/** The tree of models and SAEs of a window under test. */
import type { Locator } from 'playwright-core';
import type { Workbench } from './workbench.ts';

/** The view in the side bar. */
export class ModelsView {
  constructor(private readonly workbench: Workbench) {}

  /** Opens the view and gives it the keyboard. */
  async focus(): Promise<void> {
    await this.workbench.runCommand('Fovea: Focus on Models View');
    await this.pane().waitFor();
  }

  /** The view with its title. */
  pane(): Locator {
    return this.workbench.page
      .locator('.pane')
      .filter({ has: this.workbench.page.getByText('Models') })
      .last();
  }

  /** The tree without its title. */
  tree(): Locator {
    return this.pane().locator('.pane-body');
  }

  /** The rows of the tree that are on the screen. */
  rows(): Locator {
    return this.pane().locator('.monaco-list-row');
  }

  /** The first row that contains the text. */
  row(text: string | RegExp): Locator {
    return this.rows().filter({ hasText: text }).first();
  }

  /** The rows as "label description". */
  async texts(): Promise<readonly string[]> {
    const rows = await this.rows().all();
    const parts = rows.map((row) => row.locator('.label-name, .label-description').allTextContents());
    return (await Promise.all(parts)).map((texts) => texts.join(' ').replace(/\s+/g, ' ').trim());
  }

  /** What a screen reader says of each row. */
  async spoken(): Promise<readonly string[]> {
    const rows = await this.rows().all();
    return Promise.all(rows.map(async (row) => (await row.getAttribute('aria-label')) ?? ''));
  }

  /** Opens a row that is closed. */
  async expand(text: string | RegExp): Promise<void> {
    const row = this.row(text);
    if ((await row.getAttribute('aria-expanded')) === 'false')
      await row.locator('.monaco-tl-twistie').click();
    await this.row(text).and(this.workbench.page.locator('[aria-expanded="true"]')).waitFor();
  }

  /** Chooses an action that stands in a row while the pointer is on it. */
  async act(text: string | RegExp, action: string): Promise<void> {
    const row = this.row(text);
    await row.hover();
    await row.getByRole('button', { name: action }).click();
  }

  /** What the rows of the quick pick that is open show. Rows are drawn again and again, and keep old texts unseen. */
  async offers(): Promise<readonly string[]> {
    const texts = await this.workbench.quickRows().allInnerTexts();
    return texts.map((text) => text.replace(/\s+/g, ' ').trim());
  }

  /** Chooses in the quick pick that is open, by typing as one does in a long list. */
  async pick(text: string): Promise<void> {
    const row = this.workbench.quickRows().filter({ hasText: text }).first();
    await this.workbench.quickInput().fill(text);
    await row.click();
  }
}
