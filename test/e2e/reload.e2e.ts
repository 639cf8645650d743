/** What must survive: a reload of the window, and the death of the engine while it works. */
import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { CircuitView } from '../vscode/circuitView.ts';
import { findProcess } from '../vscode/findProcess.ts';
import { InterventionsView } from '../vscode/interventionsView.ts';
import { keepFailures } from '../vscode/keepFailures.ts';
import { openPage } from '../vscode/openPage.ts';
import { PromptEditor } from '../vscode/promptEditor.ts';
import { TokensView } from '../vscode/tokensView.ts';
import type { Workbench } from '../vscode/workbench.ts';

const prompt = 'indirectObject.prompt.txt';
const slow = { timeout: 90_000 };
/** Told to the server, so that this window's engine is found among others. */
const mark = `FOVEA_WINDOW=${randomUUID()}`;

let workbench: Workbench;
let editor: PromptEditor;
let tokens: TokensView;
let circuit: CircuitView;
let stack: InterventionsView;

beforeAll(async () => {
  const [name, value] = mark.split('=') as [string, string];
  workbench = await openPage({ env: { [name]: value } });
  editor = new PromptEditor(workbench, prompt);
  tokens = new TokensView(workbench);
  circuit = new CircuitView(workbench);
  stack = new InterventionsView(workbench);
  await workbench.openFile(prompt);
  await workbench.runCommand('Fovea: Inspect Document');
  await tokens.frame();
});
beforeEach(() => keepFailures('reload', () => workbench));
afterAll(() => workbench?.close('reload'));

/** The process id of this window's engine; undefined while there is none. */
function engine(): number | undefined {
  return findProcess({ argument: 'engine.cjs', environment: mark });
}

async function pick(title: string, text: string): Promise<void> {
  await expect.poll(() => workbench.quickInput().getAttribute('placeholder'), slow).toMatch(title);
  await workbench.quickInput().fill(text);
  await workbench.pick(`" ${text}"`);
}

describe('a reloaded window', () => {
  test('brings back the token panel with tab, pin, contrast and interventions', async () => {
    await workbench.runCommand('Fovea: Set Contrast…');
    await pick('right', 'Mary');
    await pick('wrong', 'John');
    await expect.poll(() => tokens.contrastLine(), slow).toMatch(/Mary over John \| logit difference [+−\d]/);
    const features = await tokens.openTab('Features');
    await features
      .getByRole('button', { name: /^Pin: / })
      .first()
      .click();
    await expect.poll(() => editor.heatMarks(), slow).toBeGreaterThan(0);
    await workbench.runCommand('Fovea: Ablate Head…');
    await workbench.quickRows().first().waitFor(slow);
    await workbench.quickRows().first().click();
    await expect.poll(() => tokens.contrastLine(), slow).toMatch(/1 intervention/);
    await tokens.openTab('Attribution');
    const before = { line: await tokens.contrastLine(), marks: await editor.heatMarks() };
    await workbench.reload();
    await expect.poll(() => tokens.contrastLine(), slow).toBe(before.line);
    const tab = (await tokens.frame()).getByRole('tab', { selected: true });
    expect(await tab.textContent()).toBe('Attribution');
    expect(await (await tokens.frame()).locator('.pin').count()).toBe(1);
    await expect.poll(() => editor.heatMarks(), slow).toBe(before.marks);
    await stack.focus();
    await expect.poll(() => stack.edits(), slow).toHaveLength(1);
    await workbench.screenshot('reload-tokens');
  });

  test('brings back the circuit with what the slider kept', async () => {
    await workbench.focusEditor(prompt);
    await workbench.runCommand('Fovea: Find Circuit');
    await circuit.frame();
    await expect.poll(() => circuit.measure('Faithfulness'), slow).toMatch(/\d/);
    const faithful = await circuit.measure('Faithfulness');
    const slider = (await circuit.frame()).getByRole('slider');
    await slider.focus();
    await workbench.page.keyboard.press('Home');
    for (let i = 0; i < 30; i++) await workbench.page.keyboard.press('ArrowRight');
    await expect.poll(() => slider.inputValue(), slow).toBe('30');
    await expect.poll(() => circuit.measure('Faithfulness'), slow).not.toBe(faithful);
    // Just before the reload: where it stands must be known to the host at once.
    for (let i = 0; i < 3; i++) await workbench.page.keyboard.press('ArrowRight');
    const before = { kept: await circuit.kept(), nodes: await circuit.nodes() };
    await workbench.reload();
    await circuit.frame();
    expect(await circuit.kept()).toBe(before.kept);
    expect([...(await circuit.nodes())].sort()).toEqual([...before.nodes].sort());
    await expect.poll(() => circuit.measure('Faithfulness'), slow).toMatch(/\d/);
    await workbench.screenshot('reload-circuit');
  });
});

test('a panel whose tab sleeps after the reload is not opened twice', async () => {
  await workbench.focusEditor(prompt);
  await workbench.runCommand('Fovea: Inspect Document');
  await tokens.frame();
  await expect.poll(() => workbench.page.locator('.tab').filter({ hasText: 'Tokens' }).count(), slow).toBe(1);
});

describe('a killed engine', () => {
  test('fails the work it was at clearly, and VS Code stays usable', async () => {
    await workbench.focusEditor(prompt);
    await workbench.runCommand('Fovea: Inspect Document');
    await tokens.frame();
    await expect.poll(() => engine(), slow).toBeDefined();
    const victim = engine() ?? 0;
    // A stopped process holds its answer back, so that the end is sure to come in mid-work.
    process.kill(victim, 'SIGSTOP');
    await workbench.focusEditor(prompt);
    await workbench.type(' the');
    const frame = await workbench.webview('tokens');
    await frame.locator('.activity-bar').waitFor({ state: 'attached', ...slow });
    process.kill(victim, 'SIGKILL');
    await workbench.statusBarItem(/engine stopped/).waitFor(slow);
    await expect
      .poll(() => frame.locator('.message').textContent(), slow)
      .toMatch(/engine stopped.+Restart Engine/s);
    await workbench.screenshot('reload-engineKilled');
    await workbench.type(' store');
    await expect.poll(() => editor.text(), slow).toMatch(/drink to the store/);
  });

  test('starts again with the next request, with the model it had', async () => {
    for (let i = 0; i < ' store'.length; i++) await workbench.page.keyboard.press('Backspace');
    await expect.poll(() => engine(), slow).toBeDefined();
    await expect.poll(() => tokens.selected(), slow).toBe(' the');
    await expect.poll(() => tokens.contrastLine(), slow).toMatch(/Mary over John.+1 intervention/);
    await workbench.statusBarItem('mini').waitFor();
    expect(
      await workbench.page.locator('.statusbar-item').filter({ hasText: 'engine stopped' }).count(),
    ).toBe(0);
  });

  test('is started by its button too', async () => {
    const before = engine() ?? 0;
    process.kill(before, 'SIGKILL');
    const frame = await workbench.webview('tokens');
    await workbench.statusBarItem(/engine stopped/).waitFor(slow);
    await workbench.statusBarItem(/engine stopped/).click();
    await expect.poll(() => engine(), slow).toBeDefined();
    expect(engine()).not.toBe(before);
    await expect.poll(() => frame.locator('.chip').count(), slow).toBeGreaterThan(10);
    await expect.poll(() => workbench.statusBarItem(/engine stopped/).count(), slow).toBe(0);
  });
});
