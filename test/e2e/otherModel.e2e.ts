/** Sweeps, studies and the token panel while another model is open: what was found stays, says where, and nothing acts on the wrong model. */
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Frame } from 'playwright-core';
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { projectRoot } from '../../scripts/vscodeServer.mjs';
import { seriousViolations } from '../vscode/accessibility.ts';
import { keepFailures } from '../vscode/keepFailures.ts';
import { openPage } from '../vscode/openPage.ts';
import { SweepView } from '../vscode/sweepView.ts';
import { TokensView } from '../vscode/tokensView.ts';
import type { Workbench } from '../vscode/workbench.ts';

const slow = { timeout: 120_000 };
const task = 'indirectObject.task.jsonl';
const prompt = 'indirectObject.prompt.txt';
const scratch = mkdtempSync(join(tmpdir(), 'fovea-other-model-'));

let workbench: Workbench;
let sweep: SweepView;
let tokens: TokensView;

beforeAll(async () => {
  const workspace = join(scratch, 'workspace');
  cpSync(join(projectRoot, 'examples'), workspace, { recursive: true });
  writeTwin(join(scratch, 'models/twin'));
  mkdirSync(join(workspace, '.vscode'));
  const settings = { 'fovea.model.folders': [join(scratch, 'models')] };
  writeFileSync(join(workspace, '.vscode/settings.json'), JSON.stringify(settings));
  workbench = await openPage({ workspace });
  sweep = new SweepView(workbench);
  tokens = new TokensView(workbench);
});
beforeEach(() => keepFailures('otherModel', () => workbench));
afterAll(async () => {
  await workbench?.close('otherModel');
  rmSync(scratch, { recursive: true, force: true });
});

/** The embedded model in another folder, without its SAEs, and with a config that makes it another model. */
function writeTwin(to: string): void {
  const from = join(projectRoot, 'models/mini');
  mkdirSync(to, { recursive: true });
  for (const file of ['model.safetensors', 'tokenizer.json', 'tokenizer_config.json'])
    cpSync(join(from, file), join(to, file));
  const config = JSON.parse(readFileSync(join(from, 'config.json'), 'utf8'));
  writeFileSync(join(to, 'config.json'), JSON.stringify({ ...config, _name_or_path: 'twin' }));
}

async function choose(text: string | RegExp): Promise<void> {
  const row = workbench.quickRows().filter({ hasText: text }).first();
  await row.waitFor(slow);
  await row.click();
}

async function openModel(name: string, shown: string): Promise<void> {
  await workbench.runCommand('Fovea: Choose Model…');
  await choose(name);
  await workbench.statusBarItem(shown).waitFor(slow);
}

function study(): Promise<Frame> {
  return workbench.webview('study', 60_000);
}

/** Brings a panel to the front by its tab. */
async function show(tab: RegExp): Promise<void> {
  await workbench.page.getByRole('tab', { name: tab }).first().click();
}

test('a sweep and a study stop half way, beside the tokens of a prompt', async () => {
  await workbench.openFile(prompt);
  await workbench.runCommand('Fovea: Inspect Document');
  await tokens.frame();
  await workbench.runCommand('View: Focus First Editor Group');
  await workbench.openFile(task);
  // The longest pair, so that there is time to stop it.
  await workbench.page.keyboard.press('Control+Home');
  await workbench.runCommand('Go to Line/Column...');
  await workbench.answer(':5');
  await workbench.runCommand('Fovea: Sweep Patches…');
  await choose(/The pair on line/);
  await workbench.quickInput().waitFor(slow);
  await workbench.quickInput().fill('attn_head_pattern_dest_src_pos');
  await choose('attn_head_pattern_dest_src_pos');
  await choose(/^Denoising/);
  await expect.poll(() => sweep.offers('Start'), slow).toBe(true);
  await sweep.press('Start');
  await expect.poll(async () => (await sweep.progress())?.done ?? 0, slow).toBeGreaterThan(0);
  await sweep.press('Cancel');
  await expect.poll(() => sweep.offers('Resume'), slow).toBe(true);
  await workbench.runCommand('Fovea: Study Indirect Objects…');
  await expect.poll(() => workbench.quickRows().count(), slow).toBe(2);
  await choose('Another Number of Pairs');
  await expect.poll(() => workbench.quickInput().inputValue(), slow).toBe('200');
  await workbench.answer('320');
  await choose('Quick');
  await expect
    .poll(async () => (await study()).locator('section > h2').allTextContents(), slow)
    .toContain('Path patching');
  await (await study()).getByRole('button', { name: 'Cancel' }).click();
  await (await study()).getByRole('button', { name: 'Go On' }).waitFor(slow);
}, 300_000);

test('with another model the study says where it was found, and does not go on', async () => {
  await openModel('twin', 'twin');
  const frame = await study();
  await frame.getByText('Found in mini; twin is open.').waitFor(slow);
  expect(await frame.getByRole('button', { name: 'Go On' }).count()).toBe(0);
  await frame.locator('.head-cell').first().click();
  const card = frame.getByRole('complementary');
  await card.waitFor();
  expect(await card.getByRole('button', { name: 'Show Attention' }).isDisabled()).toBe(true);
  expect(await card.getByRole('button', { name: /^Ablate/ }).isDisabled()).toBe(true);
  expect(await seriousViolations(frame)).toEqual([]);
  await workbench.screenshot('otherModel-study');
}, 240_000);

test('and so does the sweep, whose cells can still be read', async () => {
  await show(/^Sweep/);
  const frame = await sweep.frame();
  await frame.getByText('Found in mini; twin is open.').waitFor(slow);
  expect(await sweep.offers('Resume')).toBe(false);
  expect(await sweep.offers('Start Anew')).toBe(true);
  const known = frame.locator('.heat-cell:not(.heat-unknown)');
  await known.first().click();
  await expect.poll(() => sweep.detail(), slow).toMatch(/Value/);
  for (const name of ['Go to Token', 'Go to Corrupted']) {
    expect(await frame.getByRole('button', { name, exact: true }).isDisabled()).toBe(true);
  }
  expect(await frame.getByRole('button', { name: 'Copy Value' }).isEnabled()).toBe(true);
  expect(await workbench.notifications()).toEqual([]);
  expect(await seriousViolations(frame)).toEqual([]);
  await workbench.screenshot('otherModel-sweep');
}, 240_000);

test('the token panel shows the model that is open, and no SAE of the other', async () => {
  await show(/^Tokens/);
  const frame = await tokens.frame();
  await expect.poll(() => frame.locator('.model-name').textContent(), slow).toBe('twin');
  await workbench.screenshot('otherModel-tokens');
}, 240_000);

test('with the first model again both go on', async () => {
  await openModel('Embedded Model', 'mini');
  await show(/^Sweep/);
  await expect.poll(() => sweep.offers('Resume'), slow).toBe(true);
  await sweep.press('Resume');
  await expect.poll(() => sweep.offers('Run Again'), slow).toBe(true);
  await show(/^Indirect Objects/);
  await (await study()).getByRole('button', { name: 'Go On' }).click();
  await expect
    .poll(async () => (await study()).locator('.study-progress .banner').innerText(), slow)
    .toMatch(/^Step \d+ of/);
  await (await study()).getByRole('button', { name: 'Cancel' }).click();
  expect(workbench.policyViolations).toEqual([]);
}, 240_000);
