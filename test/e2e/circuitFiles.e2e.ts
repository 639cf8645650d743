/** Circuits as files: found, saved, opened in an editor of their own, undone and redone, compared, exported and imported again. */
import { copyFileSync, existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { CircuitView } from '../vscode/circuitView.ts';
import { keepFailures } from '../vscode/keepFailures.ts';
import { openPage } from '../vscode/openPage.ts';
import { PromptEditor } from '../vscode/promptEditor.ts';
import type { Workbench } from '../vscode/workbench.ts';

const prompt = 'indirectObject.prompt.txt';
const file = 'mine.circuit.json';
const features = 'features.circuit.json';
const slow = { timeout: 90_000 };

let workbench: Workbench;
let editor: PromptEditor;
let circuit: CircuitView;

beforeAll(async () => {
  workbench = await openPage();
  editor = new PromptEditor(workbench, prompt);
  circuit = new CircuitView(workbench);
  await workbench.openFile(prompt);
});
beforeEach(() => keepFailures('circuitFiles', () => workbench));
afterAll(() => workbench?.close('circuitFiles'));

const saved = (name = file) => JSON.parse(readFileSync(join(workbench.folder, name), 'utf8'));

/** The tab of a file, and whether it has changes that are not saved. */
const tab = (name = file) => workbench.page.locator(`.tab[data-resource-name="${name}"]`);
const isDirty = async (): Promise<boolean> => (await tab().getAttribute('class'))?.includes('dirty') ?? false;

async function closePanel(): Promise<void> {
  await workbench.page.locator('.tab').filter({ hasText: 'Circuit: ' }).first().click();
  await workbench.runCommand('View: Close Editor');
}

/** Puts the keyboard on the first component of the graph and answers what it is called. */
async function focusNode(): Promise<string> {
  const node = await circuit.node(/^(Head|MLP|Feature)/);
  await node.focus();
  return (await node.locator('.sr-only').first().textContent()) ?? '';
}

/** How many nodes the list calls pinned. */
async function pins(): Promise<number> {
  return (await circuit.nodes()).filter((name) => /pinned/i.test(name)).length;
}

test('a circuit is found and saved as a file, which opens in an editor of its own', async () => {
  await expect.poll(() => editor.codeLens(), slow).toMatch(/Find Circuit/);
  await editor.clickCodeLens('Find Circuit');
  await workbench.quickInput().waitFor(slow);
  await workbench.quickInput().fill('Mary');
  await workbench.pick('" Mary"');
  await expect.poll(() => workbench.quickInput().getAttribute('placeholder'), slow).toMatch(/wrong/i);
  await workbench.quickInput().fill('John');
  await workbench.pick('" John"');
  await expect.poll(async () => (await circuit.nodes()).length, slow).toBeGreaterThan(5);
  await workbench.runCommand('Fovea: Save Circuit As…');
  await workbench.quickInput().waitFor(slow);
  await workbench.answer(join(workbench.folder, file));
  await expect.poll(() => existsSync(join(workbench.folder, file)), slow).toBe(true);
  await tab().waitFor(slow);
  await workbench.clearNotifications();
  expect(saved()).toMatchObject({ version: 1, contrast: { answer: ' Mary', wrong: ' John' } });
  expect(JSON.stringify(saved())).not.toContain(workbench.folder);
});

describe('the editor of a circuit file', () => {
  test('shows the circuit and measures it', async () => {
    // The panel goes, so that there is one circuit on the screen.
    await closePanel();
    await tab().click();
    await expect.poll(async () => (await circuit.nodes()).length, slow).toBeGreaterThan(5);
    await expect.poll(() => circuit.measure('Faithfulness'), slow).toMatch(/\d/);
    await workbench.screenshot('circuitFiles-editor');
  });

  test('marks the file as changed when a node is pinned, and undo and redo are the editor’s', async () => {
    expect(await isDirty()).toBe(false);
    await focusNode();
    await workbench.page.keyboard.press('p');
    await expect.poll(isDirty, slow).toBe(true);
    await expect.poll(pins, slow).toBe(1);
    await workbench.page.keyboard.press('Control+Z');
    await expect.poll(isDirty, slow).toBe(false);
    await expect.poll(pins, slow).toBe(0);
    await workbench.page.keyboard.press('Control+Y');
    await expect.poll(isDirty, slow).toBe(true);
    await expect.poll(pins, slow).toBe(1);
  });

  test('saves, and changes a few lines of the file', async () => {
    const before = readFileSync(join(workbench.folder, file), 'utf8').split('\n');
    await workbench.page.keyboard.press('Control+S');
    await expect.poll(isDirty, slow).toBe(false);
    await expect.poll(() => saved().annotations.pinned.length, slow).toBe(1);
    const after = readFileSync(join(workbench.folder, file), 'utf8').split('\n');
    const graph = (lines: readonly string[]) => lines.filter((line) => /^ {4}\{/.test(line));
    expect(graph(after)).toEqual(graph(before));
    await workbench.screenshot('circuitFiles-pinned');
  });

  test('opens again with what was saved', async () => {
    await workbench.runCommand('View: Close Editor');
    await tab().waitFor({ state: 'detached', ...slow });
    await workbench.runCommand('File: Open File...');
    await workbench.quickInput().waitFor(slow);
    await workbench.answer(join(workbench.folder, file));
    await tab().waitFor(slow);
    await expect.poll(pins, slow).toBe(1);
    expect(await isDirty()).toBe(false);
  });

  test('is held against another circuit', async () => {
    await workbench.page.locator('.tab').filter({ hasText: prompt }).first().click();
    await workbench.runCommand('Fovea: Find Circuit');
    await expect
      .poll(() => workbench.page.locator('.tab').filter({ hasText: 'Circuit: ' }).count(), slow)
      .toBe(1);
    await tab().click();
    await (await circuit.frame()).locator('.node').first().waitFor(slow);
    await workbench.runCommand('Fovea: Compare Circuits…');
    await workbench.quickInput().waitFor(slow);
    await workbench.pick('gradient attribution');
    await workbench.pick('Differences');
    await expect
      .poll(
        async () => ((await (await circuit.frame()).locator('main').textContent()) ?? '').toLowerCase(),
        slow,
      )
      .toMatch(/differences|added|removed|same nodes/);
    await workbench.screenshot('circuitFiles-compared');
  });
});

describe('the public JSON of attribution graphs', () => {
  test('is exported, and imported again with the same nodes', async () => {
    const name = 'mine.graph.json';
    await workbench.runCommand('Fovea: Export Circuit…');
    await workbench.quickInput().waitFor(slow);
    await workbench.pick('Attribution Graph');
    await expect.poll(() => workbench.quickInput().getAttribute('type'), slow).toBe('text');
    await workbench.answer(join(workbench.folder, name));
    await expect.poll(() => existsSync(join(workbench.folder, name)), slow).toBe(true);
    const graph = saved(name);
    expect(Object.keys(graph).sort()).toEqual(['links', 'metadata', 'nodes', 'qParams']);
    expect(graph.nodes).toHaveLength(saved().nodes.length);
    expect(graph.qParams.pinnedIds).toHaveLength(1);
    await workbench.clearNotifications();
    await workbench.runCommand('Fovea: Import Circuit…');
    await workbench.quickInput().waitFor(slow);
    await workbench.answer(join(workbench.folder, name));
    const panel = workbench.page.locator('.tab').filter({ hasText: `Circuit: ${name}` });
    await panel.first().waitFor(slow);
    // The view has it a moment after the tab.
    await workbench.webviewFrame(`text=${name}`);
    await workbench.screenshot('circuitFiles-imported');
  });
});

describe('the circuit of a task’s features', () => {
  const task = 'indirectObject.task.jsonl';

  test('is found from the line over the task, with a choice of method and thresholds', async () => {
    await workbench.openFile(task);
    await workbench.page.keyboard.press('Control+Home');
    const lens = workbench.editor(task).locator('.codelens-decoration a');
    await lens.filter({ hasText: 'Find Feature Circuit' }).click(slow);
    await workbench.quickInput().waitFor(slow);
    await workbench.pick('Attribution Patching');
    await workbench.pick('All Positions Together');
    await workbench.answer('6');
    await workbench.answer('0.3 0.1');
    await workbench.pick('Start');
    const told = workbench.statusBarItem(/nodes of .+ active ones.*, tested on 6 pairs: faithfulness/);
    await told.waitFor({ timeout: 240_000 });
    const panel = workbench.page.locator('.tab').filter({ hasText: 'Circuit: indirectObject: features' });
    await panel.first().waitFor(slow);
    await workbench.screenshot('circuitFiles-features');
  });

  test('is saved, and names its task by the way to it', async () => {
    await workbench.runCommand('Fovea: Save Circuit As…');
    await workbench.quickInput().waitFor(slow);
    await workbench.answer(join(workbench.folder, features));
    await expect.poll(() => existsSync(join(workbench.folder, features)), slow).toBe(true);
    await tab(features).waitFor(slow);
    await workbench.clearNotifications();
    const { pairs, isAggregated, nodes } = saved(features);
    expect(pairs).toEqual({ kind: 'task', task: { kind: 'file', path: task }, limit: 6 });
    expect(isAggregated).toBe(true);
    expect(nodes.some((node: { kind: string }) => node.kind === 'feature')).toBe(true);
    expect(JSON.stringify(nodes)).not.toContain('models/mini');
  });
});

test('an attribution graph of the prompt is traced over the transcoders', async () => {
  await workbench.page.locator('.tab').filter({ hasText: prompt }).first().click();
  await workbench.runCommand('Fovea: Attribution Graph');
  await workbench.quickInput().waitFor(slow);
  await workbench.pick('Start');
  await workbench
    .statusBarItem(/nodes of .+ active ones. Before pruning: replacement score/)
    .waitFor({ timeout: 110_000 });
  await workbench.clearNotifications();
  await workbench.webviewFrame('text=Attribution graph');
  await workbench.page
    .locator('.tab')
    .filter({ hasText: /Circuit: .*: attribution graph/ })
    .first()
    .waitFor(slow);
  await workbench.screenshot('circuitFiles-attributionGraph');
});

test('changes that were not saved are there again after the window is loaded anew', async () => {
  // One circuit on the screen is left.
  await tab(features).click();
  await workbench.runCommand('View: Close Editor');
  await closePanel();
  await tab().click();
  await (await circuit.frame()).locator('.node').first().waitFor(slow);
  const before = await pins();
  const node = (await circuit.frame())
    .locator('.node')
    .filter({ hasNotText: /pinned/i, hasText: /^(Head|MLP)/ });
  await node.first().focus();
  await workbench.page.keyboard.press('p');
  await expect.poll(isDirty, slow).toBe(true);
  // VS Code backs up a second after the last change.
  await workbench.page.waitForTimeout(2500);
  await workbench.reload();
  await tab().click();
  await expect.poll(isDirty, slow).toBe(true);
  await expect.poll(pins, slow).toBe(before + 1);
  expect(saved().annotations.pinned).toHaveLength(before);
  await workbench.runCommand('File: Revert File');
  await expect.poll(isDirty, slow).toBe(false);
  await expect.poll(pins, slow).toBe(before);
  expect(workbench.policyViolations).toEqual([]);
});

describe('another tool’s graph that VS Code would save by itself', () => {
  const theirs = 'theirs.circuit.json';
  const own = 'theirs.fovea.circuit.json';

  test('stays as it is and is told of once, not at each change', async () => {
    await workbench.runCommand('View: Close All Editors');
    copyFileSync(join(workbench.folder, 'mine.graph.json'), join(workbench.folder, theirs));
    workbench.changeSettings({ 'files.autoSave': 'afterDelay', 'files.autoSaveDelay': 200 });
    await workbench.page.locator('.explorer-folders-view').getByText(theirs).dblclick(slow);
    await tab(theirs).waitFor(slow);
    await (await circuit.frame()).locator('.node').first().waitFor(slow);
    await workbench.clearNotifications();
    const before = readFileSync(join(workbench.folder, theirs), 'utf8');
    for (let change = 0; change < 3; change++) {
      await focusNode();
      await workbench.page.keyboard.press('p');
      await workbench.waitForNotification(/attribution graph of another tool/);
      // Longer than the delay after which VS Code saves.
      await workbench.page.waitForTimeout(700);
    }
    expect(await workbench.notifications()).toHaveLength(1);
    expect(await workbench.page.locator('.monaco-dialog-box').count()).toBe(0);
    expect(readFileSync(join(workbench.folder, theirs), 'utf8')).toBe(before);
    await workbench.screenshot('circuitFiles-foreign');
  });

  test('goes into a file of its own from there', async () => {
    const count = await pins();
    const notification = await workbench.waitForNotification(/attribution graph of another tool/);
    await notification.getByRole('button', { name: 'Save As…' }).click();
    await workbench.quickInput().waitFor(slow);
    await workbench.answer(join(workbench.folder, own));
    await tab(own).waitFor(slow);
    expect(saved(own).annotations.pinned).toHaveLength(count);
    await expect.poll(() => tab(theirs).getAttribute('class'), slow).not.toMatch(/dirty/);
    expect(workbench.policyViolations).toEqual([]);
  });
});
