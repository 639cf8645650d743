/** SHIFT on the embedded model: find the features of a classifier, judge them, ablate them, and find them again after a reload. */
import type { Frame } from 'playwright-core';
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { seriousViolations } from '../vscode/accessibility.ts';
import { keepFailures } from '../vscode/keepFailures.ts';
import { openPage } from '../vscode/openPage.ts';
import { type Theme, themes, type Workbench } from '../vscode/workbench.ts';

const slow = { timeout: 120_000 };

let workbench: Workbench;

beforeAll(async () => {
  workbench = await openPage();
});
beforeEach(() => keepFailures('shift', () => workbench));
afterAll(() => workbench?.close('shift'));

function panel(): Promise<Frame> {
  return workbench.webview('shift', 60_000);
}

/** The numbers of a row of the table: worst group, profession and gender, in percent. */
async function accuracy(frame: Frame, row: string | RegExp): Promise<readonly number[]> {
  const cells = frame.getByRole('row', { name: row }).locator('.shift-share .shift-number');
  return (await cells.allTextContents()).map(Number.parseFloat);
}

test('asks two questions and shows the features that the classifier uses', async () => {
  await workbench.runCommand('Fovea: Run SHIFT…');
  await workbench.pick('professor or nurse');
  await workbench.page.getByText('Run SHIFT (2/2)').waitFor(slow);
  await workbench.pick('Quick Look');
  const frame = await panel();
  await frame.getByRole('progressbar').waitFor(slow);
  await workbench.screenshot('shift-finding');
  await frame.locator('.shift-feature').first().waitFor(slow);
  expect(await frame.locator('.shift-feature').count()).toBe(150);
  const [worst, , gender] = await accuracy(frame, /as trained/);
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

test('ablates what the generator knows to be gender, and the worst group gains 30 points', async () => {
  const frame = await panel();
  await frame.getByLabel('What the generator knows').check();
  await frame.getByRole('button', { name: 'Mark Those of Gender' }).click();
  await frame.getByRole('button', { name: /^Ablate \d+ and Retrain$/ }).click();
  await frame.getByRole('row', { name: /trained again/ }).waitFor(slow);
  await expect.poll(() => frame.getByRole('progressbar').count(), slow).toBe(0);
  const [before] = await accuracy(frame, /as trained/);
  const [after] = await accuracy(frame, /trained again/);
  expect(after! - before!).toBeGreaterThanOrEqual(30);
  await workbench.screenshot('shift-outcome');
}, 240_000);

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
