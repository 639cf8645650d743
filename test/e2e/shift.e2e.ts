/** SHIFT on the embedded model: find the features of a classifier, judge them, ablate them, and find them again after a reload. */
import { cpSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Frame } from 'playwright-core';
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { projectRoot } from '../../scripts/vscodeServer.mjs';
import { seriousViolations } from '../vscode/accessibility.ts';
import { findProcess } from '../vscode/findProcess.ts';
import { keepFailures } from '../vscode/keepFailures.ts';
import { openPage } from '../vscode/openPage.ts';
import { type Theme, themes, type Workbench } from '../vscode/workbench.ts';

const slow = { timeout: 120_000 };
const scratch = mkdtempSync(join(tmpdir(), 'fovea-shift-'));
/** By this its engine is told from those of other windows. */
const mark = `FOVEA_SHIFT_TEST=${process.pid}`;

let workbench: Workbench;

beforeAll(async () => {
  writeTwin(join(scratch, 'models/twin'));
  const [name, value] = mark.split('=') as [string, string];
  const settings = { 'fovea.model.folders': [join(scratch, 'models')] };
  workbench = await openPage({ settings, env: { [name]: value } });
});
beforeEach(() => keepFailures('shift', () => workbench));
afterAll(async () => {
  await workbench?.close('shift');
  rmSync(scratch, { recursive: true, force: true });
});

/** The embedded model without its SAEs. */
function writeTwin(to: string): void {
  mkdirSync(to, { recursive: true });
  for (const file of ['config.json', 'model.safetensors', 'tokenizer.json', 'tokenizer_config.json']) {
    cpSync(join(projectRoot, 'models/mini', file), join(to, file));
  }
}

function panel(): Promise<Frame> {
  return workbench.webview('shift', 60_000);
}

/** The numbers of a row of the table: worst group, profession and gender, in percent. */
async function accuracy(frame: Frame, row: string | RegExp): Promise<readonly number[]> {
  const cells = frame.getByRole('row', { name: row }).locator('.shift-share .shift-number');
  return (await cells.allTextContents()).map(Number.parseFloat);
}

/** Answers the questions of the command, and begins. */
async function begin(): Promise<void> {
  await workbench.runCommand('Fovea: Run SHIFT…');
  await workbench.pick('professor or nurse');
  await workbench.page.getByText('Run SHIFT (2/3)').waitFor(slow);
  await workbench.pick('Quick Look');
  await workbench.page.getByText('Run SHIFT (3/3)').first().waitFor(slow);
  const start = workbench.quickRows().filter({ hasText: 'Start' });
  await start.waitFor(slow);
  expect(await start.innerText()).toMatch(/(About|Less than) [\d.,]+ (s|min) and at most \d+ MB/);
  await workbench.page.getByPlaceholder(/retraining takes (about|less than) [\d.,]+ (s|min) more/).waitFor();
  await workbench.screenshot('shift-estimate');
  await start.click();
}

test('asks two questions, says what it will take, and says what it is for when it was cancelled', async () => {
  await begin();
  const frame = await panel();
  await frame.getByRole('progressbar').waitFor(slow);
  await workbench.screenshot('shift-finding');
  await frame.getByRole('button', { name: 'Cancel' }).click();
  await frame.getByRole('button', { name: 'Run SHIFT…' }).waitFor(slow);
  expect(await seriousViolations(frame)).toEqual([]);
  await workbench.screenshot('shift-empty');
}, 240_000);

test('shows the features that the classifier uses', async () => {
  await begin();
  const frame = await panel();
  await frame.locator('.shift-feature').first().waitFor(slow);
  expect(await frame.locator('.shift-feature').count()).toBe(300);
  const [worst, , gender] = await accuracy(frame, /Original/);
  expect(gender).toBeGreaterThan(80);
  expect(worst).toBeLessThan(40);
  expect(await frame.getByRole('button', { name: 'Ablate and Retrain' }).isDisabled()).toBe(true);
  await workbench.screenshot('shift-features');
}, 240_000);

test('is judged with the keyboard, and shows examples', async () => {
  const frame = await panel();
  const boxes = frame.locator('.shift-feature input');
  await boxes.first().focus();
  await workbench.page.keyboard.press('Space');
  await workbench.page.keyboard.press('ArrowDown');
  await workbench.page.keyboard.press('Space');
  await expect.poll(() => frame.locator('.shift-feature-marked').count()).toBe(2);
  await frame.getByRole('button', { name: 'Ablate 2 and Retrain' }).waitFor();
  await frame.locator('.shift-open').nth(1).focus();
  await workbench.page.keyboard.press('Enter');
  await frame.locator('.shift-card .example').first().waitFor();
  await workbench.screenshot('shift-card');
  await frame.getByRole('button', { name: 'Unmark All' }).click();
  await expect.poll(() => frame.locator('.shift-feature-marked').count()).toBe(0);
});

test('shows a label as it was written, however long, and narrows the list to it', async () => {
  const frame = await panel();
  const label = `<img src=x onerror="document.title='run'"> \u202e${'a label that goes on '.repeat(7)}end`;
  await frame.getByRole('button', { name: 'Label…' }).click();
  await workbench.answer(label);
  await expect.poll(() => frame.locator('.shift-label').nth(1).innerText(), slow).toContain('<img src=x');
  expect(await frame.locator('.shift-label img').count()).toBe(0);
  const filter = frame.getByRole('searchbox');
  await filter.fill('goes on');
  await expect.poll(() => frame.locator('.shift-feature').count()).toBe(1);
  await frame.getByRole('button', { name: 'Mark 1 Shown' }).click();
  await workbench.screenshot('shift-filter');
  await filter.fill('matches nothing');
  await frame.getByText('No feature matches the filter.').waitFor();
  await filter.fill('');
  await frame.getByRole('button', { name: 'Unmark All' }).click();
  await workbench.screenshot('shift-label');
}, 120_000);

test('ablates what the generator knows to be gender, and the worst group gains 30 points', async () => {
  const frame = await panel();
  await frame.getByLabel('Show which are gender (benchmark)').check();
  await frame.getByRole('button', { name: 'Mark Those of Gender' }).click();
  await frame.getByRole('button', { name: /^Ablate \d+ and Retrain$/ }).click();
  await frame.getByRole('row', { name: /trained again/ }).waitFor(slow);
  await expect.poll(() => frame.getByRole('progressbar').count(), slow).toBe(0);
  const [before] = await accuracy(frame, /Original/);
  const [after] = await accuracy(frame, /trained again/);
  expect(after! - before!).toBeGreaterThanOrEqual(30);
  const names = await frame.locator('.shift-row-name').allInnerTexts();
  expect(names).toEqual([
    'Original',
    'SHIFT',
    'SHIFT + retrain',
    'Concept bottleneck',
    'Random features',
    'Neuron skyline',
    'Feature skyline',
    'Oracle',
  ]);
  expect(await frame.getByRole('row', { name: 'Random features' }).innerText()).toMatch(/[\d.]+–[\d.]+/);
  await workbench.screenshot('shift-outcome');
}, 240_000);

test('fits into a narrow panel', async () => {
  const { page } = workbench;
  const size = page.viewportSize()!;
  await workbench.runCommand('View: Toggle Primary Side Bar Visibility');
  await page.setViewportSize({ width: 460, height: size.height });
  const frame = await panel();
  await expect.poll(() => frame.evaluate(() => document.documentElement.clientWidth)).toBeLessThan(480);
  const wider = await frame.evaluate(
    () => document.documentElement.scrollWidth - document.documentElement.clientWidth,
  );
  expect(wider).toBe(0);
  await workbench.screenshot('shift-narrow');
  await frame.locator('.shift-list').scrollIntoViewIfNeeded();
  await frame.locator('.shift-feature').nth(6).scrollIntoViewIfNeeded();
  await workbench.screenshot('shift-narrow-list');
  await page.setViewportSize(size);
  await workbench.runCommand('View: Toggle Primary Side Bar Visibility');
}, 120_000);

for (const theme of Object.keys(themes) as Theme[]) {
  test(`has no serious violation in the theme ${themes[theme]}`, async () => {
    await workbench.setTheme(theme);
    const frame = await panel();
    expect(await seriousViolations(frame)).toEqual([]);
    await workbench.screenshot(`theme-${theme}-shift`);
  });
}

test('keeps findings, marks and outcome over a reload', async () => {
  const marked = await (await panel()).locator('.shift-feature-marked').count();
  expect(marked).toBeGreaterThan(2);
  await workbench.reload();
  const frame = await panel();
  await expect.poll(() => frame.locator('.shift-feature-marked').count(), slow).toBe(marked);
  await frame.getByRole('row', { name: /trained again/ }).waitFor(slow);
}, 120_000);

test('can be cancelled, and what was there stays', async () => {
  const frame = await panel();
  await frame.getByRole('button', { name: /^Ablate \d+ and Retrain$/ }).click();
  await frame.getByRole('button', { name: 'Cancel' }).click();
  await expect.poll(() => frame.getByRole('progressbar').count(), slow).toBe(0);
  await frame.getByRole('row', { name: /trained again/ }).waitFor(slow);
}, 120_000);

test('says why it stopped when the engine is killed, and what was there stays', async () => {
  const frame = await panel();
  await frame.getByRole('button', { name: /^Ablate \d+ and Retrain$/ }).click();
  await frame.getByRole('progressbar').waitFor(slow);
  const engine = findProcess({ argument: 'engine.cjs', environment: mark });
  if (engine === undefined) throw new Error('The window has no engine.');
  process.kill(engine, 'SIGKILL');
  await frame.getByRole('alert').filter({ hasText: 'engine stopped' }).waitFor(slow);
  expect(await frame.getByRole('progressbar').count()).toBe(0);
  await frame.getByRole('row', { name: /trained again/ }).waitFor(slow);
  expect(await seriousViolations(frame)).toEqual([]);
  await workbench.screenshot('shift-failure');
}, 120_000);

test('says when another model is open, and ablates nothing under it', async () => {
  await workbench.runCommand('Fovea: Choose Model…');
  await workbench.pick('twin');
  const frame = await panel();
  await frame.getByText(/Found with an SAE .* twin now/).waitFor(slow);
  expect(await seriousViolations(frame)).toEqual([]);
  await workbench.clearNotifications();
  await workbench.screenshot('shift-elsewhere');
  await frame.getByRole('button', { name: /^Ablate \d+ and Retrain$/ }).click();
  await workbench.waitForNotification(/The classifier/);
  await workbench.screenshot('shift-elsewhere-refused');
}, 120_000);
