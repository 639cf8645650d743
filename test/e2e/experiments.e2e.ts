/** Experiments in the editor: completion, problems, Run with the numbers of the command line, Compare, a script, and restricted mode. */
import { spawnSync } from 'node:child_process';
import { cpSync, existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { projectRoot } from '../../scripts/vscodeServer.mjs';
import { keepFailures } from '../vscode/keepFailures.ts';
import { openPage } from '../vscode/openPage.ts';
import type { Workbench } from '../vscode/workbench.ts';

const example = 'indirectObject.fovea.json';
const results = 'indirectObject.results.json';
const slow = { timeout: 100_000 };
const scratch = mkdtempSync(join(tmpdir(), 'fovea-experiments-'));

let workbench: Workbench;

beforeAll(async () => {
  const workspace = join(scratch, 'workspace');
  cpSync(join(projectRoot, 'examples'), workspace, { recursive: true });
  const trial = {
    model: 'embedded',
    pairs: {
      kind: 'pair',
      clean: 'When Mary and John went to the store, John gave a drink to',
      corrupted: 'When Mary and John went to the store, Mary gave a drink to',
      answers: [' Mary'],
      wrongAnswers: [' Johnathan'],
    },
    method: { kind: 'patch', sweep: '' },
  };
  writeFileSync(join(workspace, 'trial.fovea.json'), JSON.stringify(trial, null, 2));
  workbench = await openPage({ workspace, trusted: false, settings: { 'editor.wordWrap': 'off' } });
});
beforeEach(() => keepFailures('experiments', () => workbench));
afterAll(async () => {
  await workbench?.close('experiments');
  rmSync(scratch, { recursive: true, force: true });
});

/** What stands over a file, in one line. */
async function lenses(file: string): Promise<string> {
  const texts = await workbench.editor(file).locator('.codelens-decoration').allTextContents();
  return texts.join(' | ').replaceAll('\u00a0', ' ');
}

async function clickLens(file: string, title: string): Promise<void> {
  await workbench.editor(file).locator('.codelens-decoration a').filter({ hasText: title }).first().click();
}

/** Brings the beginning of a file into view, where its lenses are. */
async function toTop(file: string): Promise<void> {
  await workbench.focusEditor(file);
  await workbench.page.keyboard.press('Control+Home');
}

/** Puts the cursor behind a text of the file. */
async function cursorBehind(file: string, text: string): Promise<void> {
  const content = readFileSync(join(workbench.folder, file), 'utf8');
  const before = content.slice(0, content.indexOf(text) + text.length).split('\n');
  await workbench.focusEditor(file);
  await workbench.page.keyboard.press('Control+G');
  await workbench.answer(`:${before.length}:${before.at(-1)!.length + 1}`);
}

test('restricted mode offers no Run, only to trust the workspace', async () => {
  await workbench.statusBarItem('Restricted Mode').waitFor(slow);
  await workbench.openFile(example);
  await toTop(example);
  await expect.poll(() => lenses(example), slow).toContain('Trust this workspace to run experiments');
  expect(await lenses(example)).not.toContain('Run |');
  await workbench.screenshot('experiments-restricted');
  await workbench.trustWorkspace();
  await workbench.openFile(example);
  await toTop(example);
  await expect.poll(() => lenses(example), slow).toMatch(/Run \| Estimate \| Script/);
});

test('sweeps complete from the schema, and hooks of the open model beside it', async () => {
  const file = 'trial.fovea.json';
  await workbench.openFile(file);
  await cursorBehind(file, '"sweep": "');
  const { page } = workbench;
  const widget = page.locator('.suggest-widget:visible .monaco-list-row');
  // VS Code's JSON service may still be starting: a question that nobody heard is asked again.
  const suggestions = async () => {
    if ((await widget.count()) === 0) await page.keyboard.press('Control+Space');
    return (await widget.allTextContents()).join(' ');
  };
  await expect.poll(suggestions, { ...slow, interval: 1000 }).toContain('attn_head_k_by_pos');
  await workbench.screenshot('experiments-completion');
  await workbench.type('attn_head_out_all');
  await expect
    .poll(async () => (await widget.allTextContents()).join(' '), slow)
    .toContain('attn_head_out_all_pos');
  await page.keyboard.press('Enter');
  const text = workbench.editor(file).locator('.view-lines');
  await expect
    .poll(async () => (await text.textContent())?.replaceAll('\u00a0', ' '), slow)
    .toContain('"sweep": "attn_head_out_all_pos"');
});

test('an answer of several tokens is underlined once the file is saved', async () => {
  const file = 'trial.fovea.json';
  await workbench.focusEditor(file);
  await workbench.page.keyboard.press('Control+S');
  await workbench.editor(file).locator('.squiggly-error').first().waitFor(slow);
  await workbench.runCommand('Problems: Focus on Problems View');
  const rows = workbench.page.locator('.markers-panel .monaco-list-row');
  await expect
    .poll(async () => (await rows.allTextContents()).join('\n'), slow)
    .toMatch(/Johnathan" is not one token of this model/);
  await workbench.screenshot('experiments-problem');
  await workbench.runCommand('View: Hide Panel');
});

test('Run writes the results beside the file, and they are those of the command line', async () => {
  await workbench.openFile(example);
  await toTop(example);
  await clickLens(example, 'Run');
  const path = join(workbench.folder, results);
  await expect.poll(() => existsSync(path), slow).toBe(true);
  // The panel of its sweeps comes over the results beside the experiment.
  await workbench.page.locator('.tab', { hasText: results }).waitFor(slow);
  await expect.poll(() => lenses(example), slow).toMatch(/Run \| Results \| Sweep \| Circuit \| Compare…/);
  await workbench.waitForNotification(/has found a circuit/, 100_000);
  await workbench.screenshot('experiments-run');
  // In a folder that looks the same, since circuits name their task by the way from their own file.
  const out = join(scratch, 'out');
  cpSync(join(projectRoot, 'examples'), out, { recursive: true });
  const argv = [join(projectRoot, 'dist/cli.cjs'), 'run', join(out, example)];
  const { status, stderr } = spawnSync(process.execPath, argv, { encoding: 'utf8' });
  expect(stderr).not.toMatch(/Error/);
  expect(status).toBe(0);
  expect(readFileSync(path, 'utf8')).toBe(readFileSync(join(out, results), 'utf8'));
  const circuit = 'indirectObject.results.circuit.json';
  expect(readFileSync(join(workbench.folder, circuit), 'utf8')).toBe(
    readFileSync(join(out, circuit), 'utf8'),
  );
});

test('Compare shows which numbers differ from those of another run', async () => {
  const other = readFileSync(join(workbench.folder, results), 'utf8').replace(
    /"clean": [\d.]+/,
    '"clean": 1',
  );
  writeFileSync(join(workbench.folder, 'earlier.results.json'), other);
  await workbench.openFile(example);
  await toTop(example);
  await clickLens(example, 'Compare…');
  await workbench.pick('earlier.results.json');
  const changed = workbench.page.locator('.diff-editor .line-insert, .monaco-diff-editor .line-insert');
  await changed.first().waitFor(slow);
  await workbench.screenshot('experiments-compare');
});

test('a script opens unsaved, or says why there is none', async () => {
  await workbench.openFile(example);
  await toTop(example);
  await clickLens(example, 'Script');
  const script = workbench.editor('indirectObject.py').locator('.view-lines');
  await script.waitFor(slow);
  await expect.poll(async () => (await script.textContent()) ?? '', slow).toContain('TransformerBridge');
  await workbench.screenshot('experiments-script');
  await workbench.openFile('trial.fovea.json');
  await workbench.runCommand('Fovea: Export Experiment as TransformerLens Script');
  await workbench.waitForNotification(/Johnathan" is not one token/, 100_000);
  await workbench.clearNotifications();
});

test('a new experiment is about the task at hand', async () => {
  await workbench.runCommand('Fovea: New Experiment…');
  await workbench.pick('indirectObject.task.jsonl');
  const file = 'indirectObject-2.fovea.json';
  await workbench.editor(file).locator('.view-lines').waitFor(slow);
  await expect
    .poll(async () => (await workbench.editor(file).locator('.view-lines').textContent()) ?? '', slow)
    .toContain('indirectObject.task.jsonl');
  await workbench.screenshot('experiments-new');
});

test('a run that was cancelled goes on after a reload, with the numbers of one that was not', async () => {
  const file = 'long.fovea.json';
  const path = join(workbench.folder, 'long.results.json');
  const methods = [
    { kind: 'ablate', sweep: 'attn_head_out_all_pos', value: 'zero' },
    { kind: 'attributeEdges', gradients: 'eap', keep: { top: 50 } },
    { kind: 'patch', sweep: 'attn_head_by_pos_every', roles: ['S1', 'S2', 'END'] },
  ];
  const pairs = { kind: 'generator', name: 'ioi', count: 40 };
  writeFileSync(
    join(workbench.folder, file),
    JSON.stringify({ model: 'embedded', pairs, method: methods }, null, 2),
  );
  await workbench.openFile(file);
  await toTop(file);
  await clickLens(file, 'Run');
  await expect.poll(() => lenses(file), { ...slow, interval: 50 }).toMatch(/Cancel \|\s+3\/3 · Patching/);
  await workbench.screenshot('experiments-running');
  await clickLens(file, 'Cancel');
  const goesOn = /Go On \| Start Over \| .*2 of 3 methods done, one under way/;
  await expect.poll(() => lenses(file), slow).toMatch(goesOn);
  expect(existsSync(path)).toBe(false);
  await workbench.reload();
  await workbench.openFile(file);
  await toTop(file);
  await expect.poll(() => lenses(file), slow).toMatch(goesOn);
  await workbench.screenshot('experiments-goesOn');
  await clickLens(file, 'Go On');
  await expect.poll(() => existsSync(path), slow).toBe(true);
  await expect.poll(() => lenses(file), slow).toMatch(/^\s*Run \| Results/);
  const out = join(scratch, 'long');
  const argv = [join(projectRoot, 'dist/cli.cjs'), 'run', join(workbench.folder, file), '--out', out];
  expect(spawnSync(process.execPath, argv, { encoding: 'utf8' }).status).toBe(0);
  for (const name of ['long.results.json', 'long.results.circuit.json']) {
    expect(readFileSync(join(workbench.folder, name), 'utf8')).toBe(readFileSync(join(out, name), 'utf8'));
  }
}, 240_000);
