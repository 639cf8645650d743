/** Accessibility of both panels: axe in VS Code's four kinds of theme, and a walk through them with the keyboard alone. */
import type { Frame } from 'playwright-core';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { seriousViolations } from '../vscode/accessibility.ts';
import { CircuitView } from '../vscode/circuitView.ts';
import { keepFailures } from '../vscode/keepFailures.ts';
import { openPage } from '../vscode/openPage.ts';
import { PromptEditor } from '../vscode/promptEditor.ts';
import { type TokensTabName, TokensView } from '../vscode/tokensView.ts';
import { type Theme, themes, type Workbench } from '../vscode/workbench.ts';

const prompt = 'indirectObject.prompt.txt';
const slow = { timeout: 90_000 };
const themeNames = Object.keys(themes) as Theme[];
const tabs: readonly TokensTabName[] = ['Features', 'Next Token', 'Logit Lens', 'Attention', 'Attribution'];

let workbench: Workbench;
let editor: PromptEditor;
let tokens: TokensView;
let circuit: CircuitView;

beforeAll(async () => {
  workbench = await openPage();
  editor = new PromptEditor(workbench, prompt);
  tokens = new TokensView(workbench);
  circuit = new CircuitView(workbench);
  await workbench.openFile(prompt);
  await workbench.runCommand('Fovea: Inspect Document');
  await tokens.frame();
});
beforeEach(() => keepFailures('accessibility', () => workbench));
afterAll(() => workbench?.close('accessibility'));

/** What has the keyboard in a webview, in a few words. */
function focused(frame: Frame): Promise<string> {
  return frame.evaluate(() => {
    const element = document.activeElement;
    if (!element || element === document.body) return '';
    const role = element.getAttribute('role') ?? element.tagName.toLowerCase();
    return `${role} ${element.className}`.trim();
  });
}

/** Presses Tab until what has the keyboard matches; answers everything that had it on the way. */
async function tabTo(frame: Frame, wanted: RegExp): Promise<readonly string[]> {
  const way: string[] = [];
  for (let i = 0; i < 40; i++) {
    await workbench.page.keyboard.press('Tab');
    const now = await focused(frame);
    way.push(now);
    if (wanted.test(now)) return way;
  }
  throw new Error(`Tab does not reach ${wanted}; it went through: ${way.join(', ')}`);
}

describe('the token panel', () => {
  test('is walked through with the keyboard alone', async () => {
    const frame = await tokens.frame();
    await workbench.focusEditor(prompt);
    await workbench.page.keyboard.press('Control+2');
    await tabTo(frame, /chip/);
    await workbench.page.keyboard.press('Home');
    await expect.poll(() => tokens.selected(), slow).toBe('When');
    await workbench.page.keyboard.press('ArrowRight');
    await expect.poll(() => tokens.selected(), slow).toBe(' Mary');
    await workbench.page.keyboard.press('End');
    await expect.poll(() => tokens.selected(), slow).toBe(' to');

    // Enter opens the strongest feature; the tokens keep the keyboard.
    await workbench.page.keyboard.press('Enter');
    await frame.locator('.card').waitFor();
    expect(await focused(frame)).toMatch(/chip/);

    await tabTo(frame, /^tab\b/);
    await workbench.page.keyboard.press('ArrowRight');
    await expect.poll(() => frame.getByRole('tab', { selected: true }).textContent()).toBe('Next Token');
    await workbench.page.keyboard.press('ArrowLeft');
    await tabTo(frame, /feature-open/);
    const first = await frame.locator(':focus').textContent();
    await workbench.page.keyboard.press('ArrowDown');
    await expect.poll(() => frame.locator(':focus').textContent()).not.toBe(first);
    expect(await focused(frame)).toMatch(/feature-open/);
    await workbench.page.keyboard.press('Enter');
    await expect.poll(() => frame.locator(':focus').getAttribute('aria-expanded')).toBe('true');

    // From the row to its buttons: pinning, and Escape in the strip takes the pin off.
    await tabTo(frame, /^button .*icon/);
    await workbench.page.keyboard.press('Enter');
    await frame.locator('.pin').first().waitFor(slow);
    await frame.locator('.chip[tabindex="0"]').focus();
    await workbench.page.keyboard.press('Escape');
    await frame
      .locator('.pin')
      .first()
      .waitFor({ state: 'detached', ...slow });
  });

  test('shows where the keyboard is', async () => {
    const frame = await tokens.frame();
    for (const selector of ['.chip[tabindex="0"]', '[role="tab"][tabindex="0"]', '.feature-open']) {
      await frame.locator(selector).first().focus();
      await workbench.page.keyboard.press('Shift+Tab');
      await workbench.page.keyboard.press('Tab');
      const outline = await frame.evaluate(() => {
        const element = document.activeElement;
        const style = element ? getComputedStyle(element) : undefined;
        const inner = element?.firstElementChild ? getComputedStyle(element.firstElementChild) : undefined;
        return [style?.outlineStyle, inner?.outlineStyle];
      });
      expect(outline, selector).toContain('solid');
    }
  });

  for (const theme of themeNames) {
    test(`has no serious violation in any tab in the theme ${themes[theme]}`, async () => {
      await workbench.setTheme(theme);
      for (const tab of tabs) {
        const panel = await tokens.openTab(tab);
        await expect.poll(() => panel.textContent(), slow).not.toMatch(/Computing/);
        expect(await seriousViolations(await tokens.frame()), tab).toEqual([]);
        await workbench.screenshot(`theme-${theme}-${tab.replace(' ', '')}`);
      }
    });
  }
});

describe('the circuit panel', () => {
  test('is found and walked through with the keyboard alone', async () => {
    await workbench.focusEditor(prompt);
    await workbench.runCommand('Fovea: Find Circuit');
    await workbench.quickInput().waitFor(slow);
    for (const [asked, answer] of [
      [/right/, 'Mary'],
      [/wrong/, 'John'],
    ] as const) {
      await expect.poll(() => workbench.quickInput().getAttribute('placeholder'), slow).toMatch(asked);
      await workbench.type(answer);
      const row = workbench.page.locator('.quick-input-widget:visible .monaco-list-row.focused');
      await expect.poll(() => row.textContent(), slow).toContain(`" ${answer}"`);
      await workbench.page.keyboard.press('Enter');
    }
    const frame = await circuit.frame();
    await expect.poll(() => circuit.measure('Faithfulness'), slow).toMatch(/\d/);
    await workbench.page.keyboard.press('Control+2');
    await tabTo(frame, /^tab\b/);
    await workbench.page.keyboard.press('End');
    await expect.poll(() => frame.getByRole('tab', { selected: true }).textContent()).toBe('List');
    await tabTo(frame, /list-(row|layer)/);
    await workbench.page.keyboard.press('ArrowDown');
    await workbench.page.keyboard.press('Enter');
    await frame.locator('.node-card').waitFor();
    await workbench.page.keyboard.press('Escape');
    await frame.locator('.node-card').waitFor({ state: 'detached' });
    await tabTo(frame, /^input/);
    const kept = await circuit.kept();
    await workbench.page.keyboard.press('Home');
    await expect.poll(() => circuit.kept()).not.toBe(kept);
    await workbench.page.keyboard.press('End');
    await circuit.openTab('Graph');
  });

  for (const theme of themeNames) {
    test(`has no serious violation in the theme ${themes[theme]}`, async () => {
      await workbench.setTheme(theme);
      const frame = await circuit.frame();
      await circuit.openTab('Graph');
      expect(await seriousViolations(frame), 'graph').toEqual([]);
      await workbench.screenshot(`theme-${theme}-circuit`);
      const list = await circuit.openTab('List');
      await list.locator('.list-row').nth(1).click();
      await frame.locator('.node-card').waitFor();
      expect(await seriousViolations(frame), 'list and card').toEqual([]);
      await workbench.screenshot(`theme-${theme}-circuitCard`);
      await frame.getByRole('button', { name: 'Close' }).click();
    });
  }
});

test('the heat on the text is seen in every theme', async () => {
  for (const theme of themeNames) {
    await workbench.setTheme(theme);
    await workbench.runCommand('Fovea: Inspect Document');
    const panel = await tokens.openTab('Features');
    const pin = panel.getByRole('button', { name: /^Pin: / }).first();
    if ((await pin.getAttribute('aria-pressed')) !== 'true') await pin.click();
    await expect.poll(() => editor.heatMarks(), slow).toBeGreaterThan(0);
    await workbench.screenshot(`theme-${theme}-heat`);
  }
});
