/** The tree of results of a window under test. */
import type { Locator } from 'playwright-core';
import type { Workbench } from './workbench.ts';

/** The view in the side bar. */
export class ResultsView {
  constructor(private readonly workbench: Workbench) {}

  /** Opens the view and gives it the keyboard. */
  async focus(): Promise<void> {
    await this.workbench.runCommand('Fovea: Focus on Results View');
    await this.pane().waitFor();
  }

  /** The view with its title. */
  pane(): Locator {
    const { page } = this.workbench;
    return page.locator('.pane').filter({ has: page.locator('.pane-header').getByText('Results') });
  }

  /** The row that contains the text. */
  row(text: string | RegExp): Locator {
    return this.pane().locator('.monaco-list-row').filter({ hasText: text }).first();
  }

  /** The rows as "label description", from top to bottom. */
  async texts(): Promise<readonly string[]> {
    const rows = await this.pane().locator('.monaco-list-row').all();
    const texts = rows.map((row) => row.locator('.label-name, .label-description').allTextContents());
    return (await Promise.all(texts)).map((parts) => parts.join(' ').replace(/\s+/g, ' ').trim());
  }

  /** Chooses an action that stands in a row while the pointer is on it. */
  async act(text: string | RegExp, action: string): Promise<void> {
    const row = this.row(text);
    await row.hover();
    await row.getByRole('button', { name: action }).click();
  }
}
