/** The token panel of a window under test, read and used as a person would. */
import type { Frame, Locator } from 'playwright-core';
import type { Workbench } from './workbench.ts';

/** The panel's tabs, as they are called on the screen. */
export type TokensTabName = 'Features' | 'Next Token' | 'Logit Lens' | 'Attention' | 'Attribution';

/** The panel. Its document is looked up anew for every question: VS Code drops that of a hidden panel. */
export class TokensView {
  constructor(private readonly workbench: Workbench) {}

  /** The panel's document, once it shows the tokens of a prompt. */
  async frame(): Promise<Frame> {
    const frame = await this.workbench.webview('tokens', 60_000);
    await frame.locator('.chip').first().waitFor({ timeout: 60_000 });
    return frame;
  }

  /** The tokens' texts in order, with spaces as a person reads them. */
  async tokens(): Promise<readonly string[]> {
    const texts = await (await this.frame()).locator('.chip .chip-token').allTextContents();
    return texts.map(spaced);
  }

  /** The text of the selected token. */
  async selected(): Promise<string> {
    const chip = (await this.frame()).locator('.chip[aria-current="true"] .chip-token');
    return spaced((await chip.textContent()) ?? '');
  }

  /** The first token with this text, such as " Mary". */
  async chip(text: string): Promise<Locator> {
    return (await this.frame()).locator(`.chip[aria-label^="token '${text}'"]`).first();
  }

  /** Opens a tab and answers what is under it. */
  async openTab(name: TokensTabName): Promise<Locator> {
    const frame = await this.frame();
    await frame.getByRole('tab', { name, exact: true }).click();
    return frame.locator('#tab-panel');
  }

  /** The features of the selected token as "activation label #index". */
  async features(): Promise<readonly string[]> {
    const rows = await (await this.frame()).locator('.feature .feature-open').allTextContents();
    return rows.map((row) => row.replace(/\s+/g, ' ').trim());
  }

  /** The rows of the chosen tab's list in words, as a screen reader says them. */
  async rows(): Promise<readonly string[]> {
    return (await this.frame()).locator('#tab-panel li .sr-only').allTextContents();
  }

  /** The line about the contrast and the interventions, its parts divided by " | ". */
  async contrastLine(): Promise<string> {
    const parts = (await this.frame()).locator('.contrast > span, .interventions > :is(span, button)');
    const texts = await parts.allTextContents();
    return texts.map((text) => spaced(text).replace(/\s+/g, ' ').trim()).join(' | ');
  }
}

function spaced(text: string): string {
  return text.replaceAll('·', ' ');
}
