/** Changing what the model computes: from the palette onto the stack, its effect, undo and redo, strength, and the saved file. */
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { InterventionsView } from '../vscode/interventionsView.ts';
import { keepFailures } from '../vscode/keepFailures.ts';
import { openPage } from '../vscode/openPage.ts';
import { PromptEditor } from '../vscode/promptEditor.ts';
import { TokensView } from '../vscode/tokensView.ts';
import type { Workbench } from '../vscode/workbench.ts';

const prompt = 'indirectObject.prompt.txt';
const slow = { timeout: 60_000 };

let workbench: Workbench;
let editor: PromptEditor;
let tokens: TokensView;
let stack: InterventionsView;

beforeAll(async () => {
  workbench = await openPage();
  editor = new PromptEditor(workbench, prompt);
  tokens = new TokensView(workbench);
  stack = new InterventionsView(workbench);
  await workbench.openFile(prompt);
  await workbench.runCommand('Fovea: Inspect Document');
  await tokens.frame();
  await stack.focus();
});
beforeEach(() => keepFailures('interventions', () => workbench));
afterAll(() => workbench?.close('interventions'));

/** Takes the first row of the quick pick that is open and answers its label. */
async function pickFirst(): Promise<string> {
  const row = workbench.quickRows().first();
  await row.waitFor(slow);
  const label = (await row.locator('.label-name').first().textContent()) ?? '';
  await row.click();
  return label.replaceAll('\u00a0', ' ').trim();
}

/** Waits until the tree shows so many interventions and an effect that was computed. */
async function waitForStack(count: number): Promise<readonly string[]> {
  await expect.poll(async () => (await stack.edits()).length, slow).toBe(count);
  if (count > 0) await expect.poll(() => stack.effect(), slow).not.toBe('');
  return stack.edits();
}

describe('the contrast', () => {
  test('is asked for with two quick picks that show the model’s own guesses, and takes typed words', async () => {
    await workbench.runCommand('Fovea: Set Contrast…');
    await workbench.quickRows().first().waitFor(slow);
    expect((await workbench.quickRows().first().textContent()) ?? '').toMatch(/".+"\s*[<\d. ]+%/);
    await workbench.screenshot('interventions-contrast');
    await workbench.quickInput().fill('Mary');
    await workbench.pick('" Mary"');
    await expect.poll(() => workbench.quickInput().getAttribute('placeholder'), slow).toMatch(/wrong/i);
    await workbench.quickInput().fill('John');
    await workbench.pick('" John"');
    await expect.poll(() => tokens.contrastLine(), slow).toMatch(/Mary over John \| logit difference [+−\d]/);
    await expect.poll(() => editor.codeLens(), slow).toMatch(/" Mary" − " John" [+−]?\d/);
  });

  test('refuses an answer that is not one token and says what to do', async () => {
    await workbench.runCommand('Fovea: Set Contrast…');
    await workbench.quickInput().fill('Xylophonographically');
    await workbench.pick('" Xylophonographically"');
    await workbench.waitForNotification(
      /not one token of this model.+Choose an answer that is a single token/s,
    );
    await workbench.screenshot('interventions-notOneToken');
    await workbench.clearNotifications();
    expect(await tokens.contrastLine()).toMatch(/Mary over John/);
  });
});

describe('an ablated head', () => {
  test('comes from the palette, with heads sorted by what they give to the contrast', async () => {
    expect((await stack.pane().textContent()) ?? '').toMatch(/Nothing is changed in the model/);
    await workbench.screenshot('interventions-empty');
    await workbench.runCommand('Fovea: Ablate Head…');
    await workbench.quickRows().first().waitFor(slow);
    const shares = (await workbench.quickRows().allInnerTexts()).map((row) =>
      Math.abs(Number(/([+−]?[\d.e-]+)\s*$/.exec(row)?.[1]?.replace('−', '-').replace('+', ''))),
    );
    expect(shares.length).toBeGreaterThan(5);
    expect([...shares].sort((one, other) => other - one)).toEqual(shares);
    const head = await pickFirst();
    expect(await waitForStack(1)).toEqual([`Ablate ${head.toLowerCase()} all tokens`]);
  });

  test('has its effect in the tree and in the panel, with the distribution before and after', async () => {
    expect(await stack.effect()).toMatch(/^Logit difference [+−]?[\d.]+ → [+−]?[\d.]+ KL .+ nats$/);
    await expect.poll(() => tokens.contrastLine(), slow).toMatch(/→.*1 intervention.*KL .+ nats/);
    const panel = await tokens.openTab('Next Token');
    await panel.locator('.bars-change').waitFor(slow);
    const rows = await tokens.rows();
    expect(rows.length).toBeGreaterThan(5);
    for (const row of rows) expect(row).toMatch(/probability .+ without and .+ with interventions/);
    await workbench.screenshot('interventions-ablated');
  });

  test('is undone and done again by command', async () => {
    const before = await stack.texts();
    await workbench.runCommand('Fovea: Undo Intervention');
    await waitForStack(0);
    await expect.poll(() => tokens.contrastLine(), slow).not.toMatch(/intervention/);
    await workbench.runCommand('Fovea: Redo Intervention');
    await waitForStack(1);
    await expect.poll(() => stack.texts(), slow).toEqual(before);
  });

  test('is undone and done again by Ctrl+Z and Ctrl+Shift+Z in the view, which leaves the text alone', async () => {
    const before = await editor.text();
    await stack.focus();
    await stack.rows().last().click();
    await workbench.page.keyboard.press('Control+z');
    await waitForStack(0);
    await stack.focus();
    await workbench.page.keyboard.press('Control+Shift+z');
    await waitForStack(1);
    await expect.poll(() => editor.text(), slow).toBe(before);
  });

  test('is switched off and on by its check-box', async () => {
    const effect = await stack.effect();
    await stack.switch(/Ablate head/, false);
    await expect.poll(() => stack.effect(), slow).toBe('');
    expect(await stack.checkbox(/Ablate head/).getAttribute('aria-checked')).toBe('false');
    await expect.poll(() => tokens.contrastLine(), slow).not.toMatch(/intervention/);
    await stack.switch(/Ablate head/, true);
    await expect.poll(() => stack.effect(), slow).toBe(effect);
  });

  test('is weakened by its strength, which may be nothing at all', async () => {
    await stack.rows().filter({ hasText: 'Ablate head' }).click();
    await workbench.page.keyboard.press('F2');
    await workbench.quickInput().waitFor();
    expect(await workbench.quickInput().inputValue()).toBe('1');
    await workbench.quickInput().fill('much');
    await expect
      .poll(() => workbench.page.locator('.quick-input-message').textContent(), slow)
      .toMatch(/Type a number/);
    await workbench.answer('0');
    await expect.poll(async () => (await stack.edits())[0], slow).toMatch(/strength 0 · all tokens$/);
    await expect.poll(() => stack.effect(), slow).toBe('');
    await workbench.runCommand('Fovea: Undo Intervention');
    await expect.poll(async () => (await stack.edits())[0], slow).toMatch(/all tokens$/);
  });
});

describe('the stack', () => {
  test('takes MLPs, features, steering and patches, each from the palette', async () => {
    await workbench.runCommand('Fovea: Ablate MLP…');
    const mlp = await pickFirst();
    expect((await waitForStack(2))[1]).toBe(`Ablate ${mlp} all tokens`);

    await workbench.focusEditor(prompt);
    await workbench.runCommand('Fovea: Ablate Feature…');
    await pickFirst();
    expect((await waitForStack(3))[2]).toMatch(/^Ablate feature .+ all tokens$/);

    await workbench.runCommand('Fovea: Steer With Feature…');
    await pickFirst();
    await expect.poll(() => workbench.quickInput().inputValue(), slow).toMatch(/^[\d.]+$/);
    await workbench.answer('-3');
    expect((await waitForStack(4))[3]).toMatch(/^Steer feature .+ by −3 all tokens$/);

    await workbench.runCommand('Fovea: Patch From Another Prompt…');
    await workbench.pick('Type a Prompt…');
    await expect.poll(() => workbench.quickInput().inputValue(), slow).toMatch(/^When Mary/);
    await workbench.answer('When Mary and John went to the store, Mary gave a drink to');
    await workbench.pick('Residual stream before layer 1');
    await workbench.pick('At the selected token');
    expect((await waitForStack(5))[4]).toMatch(/^Patch residual stream before layer 1 at " to" \(13\)$/);
    await expect.poll(() => tokens.contrastLine(), slow).toMatch(/5 interventions/);
    await workbench.screenshot('interventions-five');
  });

  test('follows while the prompt is typed', async () => {
    const effect = await stack.effect();
    await workbench.focusEditor(prompt);
    await workbench.type(' the');
    await expect.poll(() => tokens.selected(), slow).toBe(' the');
    await expect.poll(() => stack.effect(), slow).not.toBe(effect);
    for (let i = 0; i < 4; i++) await workbench.page.keyboard.press('Backspace');
    await expect.poll(() => stack.effect(), slow).toBe(effect);
  });

  test('is saved as a file, cleared, and opened again with the same effect', async () => {
    const before = await stack.texts();
    const file = join(workbench.folder, 'mine.interventions.json');
    await workbench.runCommand('Fovea: Save Interventions…');
    await workbench.quickInput().waitFor();
    await workbench.answer(file);
    await expect.poll(() => existsSync(file), slow).toBe(true);
    expect(JSON.parse(readFileSync(file, 'utf8'))).toMatchObject({
      version: 1,
      contrast: { answer: ' Mary', wrong: ' John' },
    });
    await workbench.runCommand('Fovea: Clear Interventions');
    await waitForStack(0);
    await workbench.runCommand('Fovea: Open Interventions…');
    await workbench.quickInput().waitFor();
    await workbench.answer(file);
    await waitForStack(5);
    await expect.poll(() => stack.texts(), slow).toEqual(before);
  });

  test('is cleared, and clearing is undone', async () => {
    await workbench.runCommand('Fovea: Clear Interventions');
    await waitForStack(0);
    await workbench.runCommand('Fovea: Undo Intervention');
    await waitForStack(5);
  });
});
