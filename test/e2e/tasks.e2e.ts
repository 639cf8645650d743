/** Task files: what stands over one, problems at their lines while one types, and a new task from a generator. */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { keepFailures } from '../vscode/keepFailures.ts';
import { openPage } from '../vscode/openPage.ts';
import type { Workbench } from '../vscode/workbench.ts';

const example = 'indirectObject.task.jsonl';
const slow = { timeout: 60_000 };

let workbench: Workbench;

beforeAll(async () => {
  // Without wrapping, a line of the file is a line on the screen.
  workbench = await openPage({ settings: { 'editor.wordWrap': 'off' } });
  await workbench.openFile(example);
  await toTop(example);
});
beforeEach(() => keepFailures('tasks', () => workbench));
afterAll(() => workbench?.close('tasks'));

/** Brings the beginning of a file into view, where its lenses are; VS Code draws only what is seen. */
async function toTop(file: string): Promise<void> {
  await workbench.focusEditor(file);
  await workbench.page.keyboard.press('Control+Home');
}

/** What stands over a file, in one line. */
async function lenses(file: string): Promise<string> {
  const texts = await workbench.editor(file).locator('.codelens-decoration').allTextContents();
  return texts.join(' | ').replaceAll('\u00a0', ' ');
}

/** The rows of the problems panel. */
async function problems(): Promise<string> {
  const rows = await workbench.page.locator('.markers-panel .monaco-list-row').allTextContents();
  return rows.join('\n').replaceAll('\u00a0', ' ');
}

test('a task tells how many pairs it has and what the model does on them', async () => {
  await expect
    .poll(() => lenses(example), slow)
    .toMatch(/12 pairs · accuracy \d+ % · mean logit difference \+[\d.]+, corrupted [+−][\d.]+ · mini( |$)/);
  await workbench.screenshot('tasks-example');
});

test('a line that is broken is underlined while one types, and well again when that is undone', async () => {
  const editor = workbench.editor(example);
  const squiggle = editor.locator('.squiggly-error');
  await workbench.page.keyboard.press('ArrowDown');
  await workbench.type('x');
  await squiggle.first().waitFor(slow);
  await expect.poll(() => lenses(example), slow).toContain('11 pairs');
  await editor.locator('.codelens-decoration a').filter({ hasText: '1 pair cannot be used' }).click();
  await expect.poll(problems, slow).toMatch(/This line is no JSON.*Fovea.*Ln 2/);
  await workbench.screenshot('tasks-brokenLine');
  await toTop(example);
  await workbench.page.keyboard.press('Control+Z');
  await expect.poll(() => squiggle.count(), slow).toBe(0);
  await expect.poll(() => lenses(example), slow).toMatch(/Sweep[ |]*12 pairs/);
});

test('words that are cut differently are named, at the field that is to blame', async () => {
  const path = join(workbench.folder, example);
  const lines = readFileSync(path, 'utf8').split('\n');
  const pair = JSON.parse(lines[3]!) as { corrupted: string; answer: string };
  const [before = ''] = /(?<=and )\w+/.exec(pair.corrupted) ?? [];
  lines[3] = lines[3]!.replace(
    JSON.stringify(pair.corrupted),
    JSON.stringify(pair.corrupted.replace(before, 'Xylophia')),
  );
  lines[4] = lines[4]!.replace(/"answer":"[^"]*"/, '"answer":" nobody knows"');
  writeFileSync(path, lines.join('\n'));
  await expect.poll(problems, slow).toMatch(/"Xylophia" is " " \+ "X" .*Ln 4/);
  expect(await problems()).toMatch(/" nobody knows" is not one token of this model.*Ln 5/);
  await expect.poll(() => lenses(example), slow).toMatch(/2 pairs cannot be used.*10 pairs/);
  await workbench.screenshot('tasks-problems');
});

test('a new task opens unsaved, with as many pairs as were asked for', async () => {
  await workbench.runCommand('Fovea: New Task…');
  await expect.poll(() => workbench.quickRows().count(), slow).toBe(6);
  await workbench.screenshot('tasks-generators');
  await workbench.pick('Indirect Objects');
  await workbench.answer('8');
  const file = 'ioi.task.jsonl';
  await workbench.editor(file).locator('.view-lines').waitFor(slow);
  await expect.poll(() => lenses(file), slow).toMatch(/8 pairs · accuracy .* · mini( |$)/);
  await workbench.screenshot('tasks-new');
});

test('problems go when their file is closed', async () => {
  await workbench.openFile(example);
  await expect.poll(problems, slow).toContain('Xylophia');
  await workbench.runCommand('View: Close Editor');
  await expect.poll(problems, slow).not.toContain('Xylophia');
});
