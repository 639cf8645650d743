/** Study Indirect Objects on the embedded model: the report fills, stops, goes on after a reload, and is saved. */
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Frame } from 'playwright-core';
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { seriousViolations } from '../vscode/accessibility.ts';
import { keepFailures } from '../vscode/keepFailures.ts';
import { openPage } from '../vscode/openPage.ts';
import { TokensView } from '../vscode/tokensView.ts';
import { type Theme, themes, type Workbench } from '../vscode/workbench.ts';

const prompt = 'indirectObject.prompt.txt';
const slow = { timeout: 120_000 };

let workbench: Workbench;

beforeAll(async () => {
  workbench = await openPage();
  await workbench.openFile(prompt);
});
beforeEach(() => keepFailures('study', () => workbench));
afterAll(() => workbench?.close('study'));

function panel(): Promise<Frame> {
  return workbench.webview('study', 60_000);
}

/** The titles of the sections that are there. */
async function sections(): Promise<readonly string[]> {
  return (await panel()).locator('section > h2').allTextContents();
}

async function bannerText(): Promise<string> {
  return (
    (await (
      await panel()
    )
      .locator('.banner')
      .first()
      .textContent({ timeout: 1000 })
      .catch(() => '')) ?? ''
  );
}

test('asks on which pairs and how thoroughly, and says what that takes', async () => {
  await workbench.runCommand('Fovea: Study Indirect Objects…');
  await expect.poll(() => workbench.quickRows().count(), slow).toBe(2);
  await workbench.screenshot('study-pairs');
  await workbench.pick('Another Number of Pairs');
  await expect.poll(() => workbench.quickInput().inputValue(), slow).toBe('200');
  await workbench.answer('320');
  await expect
    .poll(async () => (await workbench.quickRows().allTextContents()).join('\n'), slow)
    .toMatch(/Quick\s*about \d+ \w+.*beside the weights[\s\S]*Thorough\s*about \d+ \w+/);
  await workbench.screenshot('study-sizes');
  await workbench.pick('Quick');
});

test('the report fills step by step, and stops at once when it is cancelled', async () => {
  await expect.poll(sections, slow).toContain('Path patching');
  await workbench.screenshot('study-running');
  const frame = await panel();
  await frame.getByRole('button', { name: 'Cancel' }).click();
  await expect.poll(bannerText, slow).toMatch(/Stopped after \d+ of 1[345] steps/);
  expect(await sections()).toContain('Behaviour');
  await workbench.screenshot('study-stopped');
  expect(await seriousViolations(frame)).toEqual([]);
});

test('it goes on after a reload from what was found', async () => {
  await workbench.reload();
  await expect.poll(bannerText, slow).toMatch(/Stopped after \d+ of 1[345] steps/);
  expect(await sections()).toContain('Path patching');
  const frame = await panel();
  await frame.getByRole('button', { name: 'Go On' }).click();
  await frame.getByRole('button', { name: 'Save Report…' }).waitFor({ timeout: 240_000 });
  expect(await sections()).toEqual([
    'Behaviour',
    'Path patching',
    'Heads by class',
    'What S-inhibition heads pass on',
    'Circuit',
    'How it was done',
  ]);
}, 300_000);

test('numbers stand beside those of the paper, and say where they come from', async () => {
  const frame = await panel();
  const behaviour = frame.getByRole('table', { name: 'Behaviour' });
  expect(await behaviour.textContent()).toMatch(/this modelpaper.*IO − S\d+\.\d\d3\.56.*IO above S.*99\.3 %/);
  expect(await frame.locator('.study-provenance').textContent()).toMatch(
    /mini [0-9a-f]{12}, .*seed 1, Fovea/,
  );
  const circuit = frame.getByRole('table', { name: 'Circuit', exact: true });
  expect(await circuit.textContent()).toMatch(/nodes\d+ of 192/);
  const scatter = frame.getByRole('img', { name: /^Scatter plot of \d+ sets/ });
  expect(await scatter.locator('.scatter-circle').count()).toBe(10);
});

test('every theme can be read, and everything has a name', async () => {
  for (const theme of Object.keys(themes) as Theme[]) {
    await workbench.setTheme(theme);
    const frame = await panel();
    await frame.locator('#behaviour').scrollIntoViewIfNeeded();
    await workbench.screenshot(`study-${theme}-heads`);
    await frame.locator('#circuit').scrollIntoViewIfNeeded();
    await frame.locator('.study-scroll').evaluate((element) => {
      element.scrollTop = (document.querySelector('#circuit') as HTMLElement).offsetTop - 20;
    });
    await workbench.screenshot(`study-${theme}-circuit`);
    await frame.locator('.study-scroll').evaluate((element) => {
      element.scrollTop = element.scrollHeight;
    });
    await workbench.screenshot(`study-${theme}-end`);
    expect(await seriousViolations(frame)).toEqual([]);
  }
  await workbench.setTheme('dark');
}, 240_000);

test('a head is reached by keyboard, opens its card, and its attention in the token panel', async () => {
  const frame = await panel();
  const grid = frame.getByRole('table', { name: /^Effects to the logits, layers/ });
  const first = grid.locator('[tabindex="0"]');
  await first.scrollIntoViewIfNeeded();
  await first.focus();
  await workbench.page.keyboard.press('PageDown');
  await workbench.page.keyboard.press('ArrowRight');
  await workbench.page.keyboard.press('Enter');
  const card = frame.getByRole('complementary', { name: 'Head 0.1' });
  await card.waitFor();
  await workbench.screenshot('study-head');
  await card.getByRole('button', { name: 'Show Attention' }).click();
  const tokens = new TokensView(workbench);
  await tokens.frame();
  await workbench.screenshot('study-attention');
});

test('the report is saved as Markdown with its numbers beside it', async () => {
  const file = join(workbench.folder, 'report.md');
  await workbench.page.getByRole('tab', { name: /^Indirect Objects/ }).click();
  await (await panel()).getByRole('button', { name: 'Save Report…' }).click();
  await workbench.quickInput().waitFor();
  await workbench.answer(file);
  const json = join(workbench.folder, 'report.ioi-study.json');
  await expect.poll(() => existsSync(json), slow).toBe(true);
  expect(readFileSync(file, 'utf8')).toContain('# Indirect objects in mini');
  expect(JSON.parse(readFileSync(json, 'utf8'))).toMatchObject({ task: expect.any(String), pairs: 320 });
  await workbench.clearNotifications();
});

test('the circuit opens as a document in the circuit panel', async () => {
  await (await panel()).getByRole('button', { name: 'Open as Circuit…' }).click();
  await workbench.quickInput().waitFor();
  await workbench.answer(join(workbench.folder, 'study.circuit.json'));
  const circuit = await workbench.webviewFrame('.node', 90_000);
  await expect
    .poll(async () => (await circuit.locator('.node .sr-only').allTextContents()).join('\n'), slow)
    .toMatch(/Head 0\.4/);
  await workbench.screenshot('study-asCircuit');
  expect(workbench.policyViolations).toEqual([]);
});
