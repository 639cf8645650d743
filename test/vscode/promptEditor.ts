/** The editor of one prompt of a window under test: cursor, hover, and what the extension paints around the text. */
import type { Locator } from 'playwright-core';
import type { Workbench } from './workbench.ts';

/** A prompt's editor. */
export class PromptEditor {
  /** @param path relative to the workspace */
  constructor(
    private readonly workbench: Workbench,
    private readonly path: string,
  ) {}

  /** Gives the editor the keyboard and puts the cursor after so many characters. */
  async moveCursor(characters: number): Promise<void> {
    const { page } = this.workbench;
    await this.workbench.focusEditor(this.path);
    await page.keyboard.press('Control+Home');
    for (let i = 0; i < characters; i++) await page.keyboard.press('ArrowRight');
  }

  /** The cursor and the selection as the status bar tells them, such as "Ln 1, Col 5 (4 selected)". */
  async cursor(): Promise<string> {
    return ((await this.workbench.page.locator('#status\\.editor\\.selection').textContent()) ?? '').trim();
  }

  /** Everything on the editor's lines, with hints, and with blanks as plain spaces. */
  async text(): Promise<string> {
    const lines = (await this.workbench.editor(this.path).locator('.view-lines').textContent()) ?? '';
    return lines.replaceAll('\u00a0', ' ');
  }

  /** The text of the line over the prompt. */
  async codeLens(): Promise<string> {
    const lenses = await this.workbench.editor(this.path).locator('.codelens-decoration').allInnerTexts();
    return lenses.join(' | ').replace(/\s+/g, ' ');
  }

  /** Clicks a link of the line over the prompt. */
  async clickCodeLens(text: string | RegExp): Promise<void> {
    await this.workbench
      .editor(this.path)
      .locator('.codelens-decoration a')
      .filter({ hasText: text })
      .click();
  }

  /** How many pieces of the text carry heat. */
  async heatMarks(): Promise<number> {
    return this.workbench.editor(this.path).evaluate((editor) => {
      const isHeat = (mark: Element): boolean => {
        const style = getComputedStyle(mark);
        return style.borderBottomStyle === 'solid' && style.borderTopWidth === '0px';
      };
      return [...editor.querySelectorAll('.view-overlays .cdr')].filter(isHeat).length;
    });
  }

  /** Points at a word of the text and waits for the hover that contains `expected`. */
  async hover(word: string, expected: string | RegExp): Promise<Locator> {
    const { page } = this.workbench;
    const hover = page.locator('.monaco-hover:visible').filter({ hasText: expected }).first();
    for (let attempt = 0; ; attempt++) {
      const { x, y } = await this.#place(word);
      // A pointer that does not move brings no hover; it comes from outside the word each time.
      await page.mouse.move(x, y + 120);
      await page.mouse.move(x, y, { steps: 4 });
      const isThere = await hover.waitFor({ timeout: 5000 }).then(
        () => true,
        () => false,
      );
      if (isThere) return hover;
      if (attempt > 5) throw new Error(`No hover over "${word}" says ${expected}.`);
    }
  }

  /** The middle of a word's first occurrence on the screen, in pixels. */
  async #place(word: string): Promise<{ readonly x: number; readonly y: number }> {
    const place = await this.workbench.editor(this.path).evaluate((editor, wanted) => {
      for (const line of editor.querySelectorAll('.view-line')) {
        const walker = document.createTreeWalker(line, NodeFilter.SHOW_TEXT);
        let at = (line.textContent ?? '').replaceAll('\u00a0', ' ').indexOf(wanted) + wanted.length / 2;
        if (at < wanted.length / 2) continue;
        for (let node = walker.nextNode(); node; node = walker.nextNode()) {
          const length = node.textContent?.length ?? 0;
          if (at < length) {
            const range = document.createRange();
            range.setStart(node, Math.floor(at));
            range.setEnd(node, Math.floor(at) + 1);
            const box = range.getBoundingClientRect();
            return { x: box.x + box.width / 2, y: box.y + box.height / 2 };
          }
          at -= length;
        }
      }
      return undefined;
    }, word);
    if (place === undefined) throw new Error(`The editor does not show "${word}".`);
    return place;
  }
}
