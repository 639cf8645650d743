/** The first minutes: a sample prompt, its tokens and features while typing, and every surface that follows one selection. */
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { keepFailures } from '../vscode/keepFailures.ts';
import { openPage } from '../vscode/openPage.ts';
import { PromptEditor } from '../vscode/promptEditor.ts';
import { TokensView } from '../vscode/tokensView.ts';
import type { Workbench } from '../vscode/workbench.ts';

const prompt = 'indirectObject.prompt.txt';
const text = 'When Mary and John went to the store, John gave a drink to';
const slow = { timeout: 60_000 };

let workbench: Workbench;
let editor: PromptEditor;
let tokens: TokensView;

beforeAll(async () => {
  workbench = await openPage();
  editor = new PromptEditor(workbench, prompt);
  tokens = new TokensView(workbench);
});
beforeEach(() => keepFailures('firstLight', () => workbench));
afterAll(() => workbench?.close('firstLight'));

describe('a sample prompt', () => {
  test('has a line over it that names model, SAE and tokens, and opens the panel', async () => {
    await workbench.openFile(prompt);
    await expect.poll(() => editor.codeLens(), slow).toMatch(/mini.* · \d+ tokens/);
    const lens = await editor.codeLens();
    for (const action of ['Compare', 'Find Circuit', 'Set Contrast']) expect(lens).toContain(action);
    await editor.clickCodeLens(/tokens/);
    expect((await tokens.tokens()).join('')).toBe(text);
    await workbench.screenshot('firstLight-opened');
  });

  test('shows the likely next token behind the text, and the model in the status bar', async () => {
    await expect.poll(() => editor.text(), slow).toMatch(/drink to\s*→ ".+" [<\d. ]+%/);
    await workbench.statusBarItem('mini').waitFor();
  });

  test('selects its last token, where the answer is', async () => {
    await expect.poll(() => tokens.selected(), slow).toBe(' to');
  });
});

describe('typing', () => {
  test('changes features and next tokens, and leaves cursor, tab and selection at their place', async () => {
    const next = await tokens.openTab('Next Token');
    await next.locator('.bar-row').first().waitFor();
    const [predictions, shownText] = [await tokens.rows(), await tokens.tokens()];
    const frame = await tokens.frame();
    await frame.evaluate(() => document.body.setAttribute('data-same-document', ''));
    await workbench.focusEditor(prompt);
    await workbench.type(' the');
    await expect.poll(() => tokens.tokens(), slow).toEqual([...shownText, ' the']);
    await expect.poll(() => tokens.rows(), slow).not.toEqual(predictions);
    expect(await tokens.selected()).toBe(' the');
    expect(await editor.cursor()).toBe(`Ln 1, Col ${text.length + 5}`);
    const selectedTab = frame.getByRole('tab', { selected: true });
    expect(await selectedTab.textContent()).toBe('Next Token');
    expect(await frame.locator('body[data-same-document]').count()).toBe(1);
    // What is typed goes on into the editor: the panel never takes the keyboard.
    for (let i = 0; i < 4; i++) await workbench.page.keyboard.press('Backspace');
    await expect.poll(() => tokens.tokens(), slow).toEqual(shownText);
    await expect.poll(() => tokens.rows(), slow).toEqual(predictions);
  });

  test('changes the features of the token at the end', async () => {
    await tokens.openTab('Features');
    await expect.poll(() => tokens.features(), slow).not.toEqual([]);
    const features = await tokens.features();
    await workbench.focusEditor(prompt);
    await workbench.type(' a');
    await expect.poll(() => tokens.selected(), slow).toBe(' a');
    await expect.poll(() => tokens.features(), slow).not.toEqual(features);
    for (let i = 0; i < 2; i++) await workbench.page.keyboard.press('Backspace');
    await expect.poll(() => tokens.features(), slow).toEqual(features);
  });
});

describe('one selection', () => {
  test('goes from a token in the panel to the text', async () => {
    await (await tokens.chip(' Mary')).click();
    await expect.poll(() => tokens.selected(), slow).toBe(' Mary');
    await workbench.runCommand('View: Focus First Editor Group');
    await expect.poll(() => editor.cursor(), slow).toBe('Ln 1, Col 10 (5 selected)');
    await workbench.screenshot('firstLight-selected');
  });

  test('does not narrow the prompt to the token that the panel selected', async () => {
    await workbench.runCommand('Fovea: Inspect Document');
    // A command of its own afterwards: by then the inspection has had its turn.
    await workbench.runCommand('View: Focus First Editor Group');
    expect((await tokens.tokens()).join('')).toBe(text);
    expect(await editor.codeLens()).not.toContain('selection only');
  });

  test('goes from the cursor to the panel', async () => {
    await editor.moveCursor('When Mary and John'.length);
    await expect.poll(() => tokens.selected(), slow).toBe(' John');
    await editor.moveCursor('When'.length);
    await expect.poll(() => tokens.selected(), slow).toBe('When');
  });
});

describe('the hover', () => {
  test('tells token, id, next tokens, and features with commands', async () => {
    const hover = await editor.hover('Mary', 'position 1');
    const said = ((await hover.textContent()) ?? '').replaceAll('\u00a0', ' ');
    expect(said).toMatch(/Mary/);
    expect(said).toMatch(/token \d+ · position 1/);
    expect(said).toMatch(/Next\s*.+%/);
    expect(said).toMatch(/Features · /);
    expect(said).toMatch(/#\d+/);
    for (const link of ['Pin', 'Ablate', 'Steer']) {
      expect(await hover.getByRole('link', { name: link, exact: true }).count()).toBeGreaterThan(0);
    }
    await workbench.screenshot('firstLight-hover');
  });

  test('pins a feature, whose heat then lies on the text', async () => {
    expect(await editor.heatMarks()).toBe(0);
    const hover = await editor.hover('Mary', 'position 1');
    await hover.getByRole('link', { name: 'Pin', exact: true }).first().click();
    await expect.poll(() => editor.heatMarks(), slow).toBeGreaterThan(0);
    const pins = (await tokens.frame()).locator('.pin');
    await pins.first().waitFor();
    await workbench.page.keyboard.press('Escape');
    await workbench.page.mouse.move(700, 700);
    await workbench.screenshot('firstLight-pinned');
  });

  test('heat is switched off and on', async () => {
    const marks = await editor.heatMarks();
    await workbench.runCommand('Fovea: Toggle Heat on Text');
    await expect.poll(() => editor.heatMarks(), slow).toBe(0);
    await workbench.runCommand('Fovea: Toggle Heat on Text');
    await expect.poll(() => editor.heatMarks(), slow).toBe(marks);
  });

  test('a pin is taken off in the panel', async () => {
    await (await tokens.frame()).locator('.pin').first().click();
    await expect.poll(() => editor.heatMarks(), slow).toBe(0);
  });
});

describe('the tabs', () => {
  test('show features, and a card with what a feature does to the logits', async () => {
    await workbench.focusEditor(prompt);
    const panel = await tokens.openTab('Features');
    await panel.locator('.feature-open').first().click();
    await panel.locator('.card').waitFor();
    await expect.poll(() => panel.locator('.card').textContent(), slow).toMatch(/Raises/);
    await workbench.screenshot('firstLight-features');
    await panel.locator('.feature-open').first().click();
  });

  test('show the logit lens, whose cells select their token', async () => {
    const panel = await tokens.openTab('Logit Lens');
    const cells = panel.locator('.lens-cell');
    await cells.first().waitFor(slow);
    expect(await cells.count()).toBeGreaterThan(20);
    // The grid has scrolled to the selected token at the end and draws only what is near it.
    const words = await tokens.tokens();
    const near = words.length - 3;
    await panel.locator(`.lens-cell[data-position="${near}"]`).first().click();
    await expect.poll(() => tokens.selected(), slow).toBe(words[near]);
    await workbench.screenshot('firstLight-lens');
  });

  test('show attention of every head, and what the token looks at', async () => {
    await workbench.focusEditor(prompt);
    const panel = await tokens.openTab('Attention');
    const heads = panel.locator('.head');
    await heads.first().waitFor(slow);
    expect(await heads.count()).toBe(8);
    await panel.locator('select').selectOption('2');
    await heads.filter({ hasText: '2.5' }).click();
    await expect.poll(() => panel.locator('h2').first().textContent(), slow).toMatch(/2\.5/);
    const weights = (await tokens.rows()).map((row) => Number(/weight ([\d.]+)/.exec(row)?.[1] ?? 0));
    const sum = weights.reduce((total, weight) => total + weight, 0);
    expect(sum).toBeGreaterThan(50);
    expect(sum).toBeLessThan(105);
    await workbench.screenshot('firstLight-attention');
  });

  test('show what adds up to the answer', async () => {
    const panel = await tokens.openTab('Attribution');
    await panel.locator('.signed li').first().waitFor(slow);
    const rows = await tokens.rows();
    const values = rows.map((row) => Number(/([+−]?[\d.e-]+) logits$/.exec(row)?.[1]?.replace('−', '-')));
    expect(values.every(Number.isFinite)).toBe(true);
    const total = values.pop() ?? 0;
    // Each row is written with three digits.
    const rounding = values.reduce((sum, value) => sum + Math.abs(value) * 0.005, 0.01);
    expect(Math.abs(values.reduce((sum, value) => sum + value, 0) - total)).toBeLessThan(rounding);
    await workbench.screenshot('firstLight-attribution');
  });
});

test('no webview broke its content security policy', () => {
  expect(workbench.policyViolations).toEqual([]);
});
