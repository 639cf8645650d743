/** Labels: imported into the local index, searched as one types, written by the user, and where each comes from. */
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { keepFailures } from '../vscode/keepFailures.ts';
import { openPage } from '../vscode/openPage.ts';
import { TokensView } from '../vscode/tokensView.ts';
import type { Workbench } from '../vscode/workbench.ts';

const prompt = 'indirectObject.prompt.txt';
const slow = { timeout: 60_000 };

let workbench: Workbench;
let tokens: TokensView;

beforeAll(async () => {
  workbench = await openPage();
  tokens = new TokensView(workbench);
  await workbench.openFile(prompt);
  await workbench.runCommand('Fovea: Inspect Document');
  await tokens.frame();
});
beforeEach(() => keepFailures('labels', () => workbench));
afterAll(() => workbench?.close('labels'));

/** The first row of the quick pick that is open, in one line. */
async function firstRow(): Promise<string> {
  const text = (await workbench.quickRows().first().textContent()) ?? '';
  return text.replaceAll('\u00a0', ' ').replace(/\s+/g, ' ').trim();
}

test('features are searched by what their labels say, and the one that is chosen is shown', async () => {
  await workbench.runCommand('Fovea: Search Features…');
  await workbench.quickInput().fill('features about capitals');
  await expect.poll(firstRow, slow).toMatch(/capital.*#\d+ · Layer \d/i);
  await workbench.screenshot('labels-search');
  const row = await firstRow();
  const index = /#(\d+)/.exec(row)![1]!;
  await workbench.quickRows().first().click();
  await expect
    .poll(async () => (await (await tokens.frame()).locator('body').textContent()) ?? '', slow)
    .toContain(`#${index}`);
});

test('a search that finds nothing says so', async () => {
  await workbench.runCommand('Fovea: Search Features…');
  await workbench.quickInput().fill('zygomorphic quaternions');
  await expect.poll(firstRow, slow).toMatch(/No label speaks of/);
  await workbench.page.keyboard.press('Escape');
});

test('a label of one’s own is kept in a file of the workspace, shown with its source, and found', async () => {
  await (await tokens.chip(' Mary')).click();
  await expect.poll(async () => (await tokens.features()).length, slow).toBeGreaterThan(0);
  await workbench.runCommand('Fovea: Label Feature…');
  const feature = await firstRow();
  await workbench.quickRows().first().click();
  await workbench.answer('<b>the protagonist</b>');
  const file = join(workbench.folder, 'fovea.labels.json');
  await expect.poll(() => existsSync(file), slow).toBe(true);
  const { labels } = JSON.parse(readFileSync(file, 'utf8'));
  expect(labels).toEqual([
    { source: expect.any(String), index: expect.any(Number), text: '<b>the protagonist</b>' },
  ]);
  expect(feature).toBeTruthy();
  await expect
    .poll(async () => (await tokens.features()).join('\n'), slow)
    .toContain('<b>the protagonist</b>');
  await workbench.runCommand('Fovea: Search Features…');
  await workbench.quickInput().fill('protagonist');
  await expect.poll(firstRow, slow).toMatch(/the protagonist.*label from yours/);
  await workbench.page.keyboard.press('Escape');
  // The file is the user's: what they change there counts at once.
  labels[0].text = 'hero of the story';
  writeFileSync(file, JSON.stringify({ version: 1, labels }));
  await expect.poll(async () => (await tokens.features()).join('\n'), slow).toContain('hero of the story');
});

test('an export of Neuronpedia is imported, and its labels say where they come from', async () => {
  const file = join(workbench.folder, 'fovea.labels.json');
  const { labels } = JSON.parse(readFileSync(file, 'utf8'));
  const [modelId, layer] = ['gpt2-small', '8-res-jb'];
  const rows = [0, 1].map((index) => ({
    modelId,
    layer,
    index: String(index),
    description: 'imported label',
    explanationModelName: 'gpt-4o-mini',
  }));
  const path = join(workbench.folder, 'batch-0.jsonl.gz');
  writeFileSync(path, gzipSync(rows.map((row) => JSON.stringify(row)).join('\n')));
  await workbench.runCommand('Fovea: Import Labels…');
  await workbench.answer(path);
  await workbench.waitForNotification(/2 labels of gpt2-small\/8-res-jb.*No SAE of this model is listed/s);
  expect(labels).toHaveLength(1);
});

test('a file without labels is refused with what to do', async () => {
  const path = join(workbench.folder, 'nothing.jsonl');
  writeFileSync(path, '{"tokens":["a"]}\n');
  await workbench.runCommand('Fovea: Import Labels…');
  await workbench.answer(path);
  await workbench.waitForNotification(/no label of a feature was found.*Neuronpedia export/s);
});

test('asking Neuronpedia is not offered for features that it does not have', async () => {
  await workbench.clearNotifications();
  await workbench.runCommand('Fovea: Fetch Labels From Neuronpedia…');
  await workbench.waitForNotification(/Neuronpedia is not known to have the features of this SAE/);
});
