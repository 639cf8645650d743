/** The tree of interventions of a window under test. */
import type { Locator } from 'playwright-core';
import type { Workbench } from './workbench.ts';

/** The view in the side bar. */
export class InterventionsView {
  constructor(private readonly workbench: Workbench) {}

  /** Opens the view and gives it the keyboard. */
  async focus(): Promise<void> {
    await this.workbench.runCommand('Fovea: Focus on Interventions View');
    await this.pane().waitFor();
  }

  /** The view with its title. */
  pane(): Locator {
    return this.workbench.page.locator('.pane').filter({ hasText: 'Interventions' }).first();
  }

  /** The rows of the tree: the effect, then the interventions. */
  rows(): Locator {
    return this.pane().locator('.monaco-list-row');
  }

  /** The rows as "label description". */
  async texts(): Promise<readonly string[]> {
    const rows = await this.rows().all();
    const parts = rows.map((row) => row.locator('.label-name, .label-description').allTextContents());
    return (await Promise.all(parts)).map((texts) => texts.join(' ').replace(/\s+/g, ' ').trim());
  }

  /** The interventions alone. */
  async edits(): Promise<readonly string[]> {
    const texts = await this.texts();
    return texts.filter((text) => !/^(Logit difference|Next token|KL|Computing)/.test(text));
  }

  /** What the tree says of the effect of all of them; empty when it says nothing. */
  async effect(): Promise<string> {
    const texts = await this.texts();
    return texts.find((text) => /^(Logit difference|Next token|KL)/.test(text)) ?? '';
  }

  /** The check-box of the first intervention that contains the text. */
  checkbox(text: string | RegExp): Locator {
    return this.rows().filter({ hasText: text }).first().getByRole('checkbox');
  }

  /** Switches an intervention on or off; a click that meets a row while the view draws it anew is tried again. */
  async switch(text: string | RegExp, on: boolean): Promise<void> {
    const box = this.checkbox(text);
    const wanted = String(on);
    for (let tries = 0; tries < 10 && (await box.getAttribute('aria-checked')) !== wanted; tries++) {
      await box.click();
      await this.workbench.page.waitForTimeout(1000);
    }
    // A pointer that stays on the box keeps its tooltip over the rows.
    await this.workbench.page.mouse.move(700, 700);
  }
}
