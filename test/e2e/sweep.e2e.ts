/** Sweep Patches: estimate, a heat map that fills, cancel, reload, resume, and the way from a cell to its token. */
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { seriousViolations } from '../vscode/accessibility.ts';
import { findProcess } from '../vscode/findProcess.ts';
import { InterventionsView } from '../vscode/interventionsView.ts';
import { keepFailures } from '../vscode/keepFailures.ts';
import { openPage } from '../vscode/openPage.ts';
import { PromptEditor } from '../vscode/promptEditor.ts';
import { SweepView } from '../vscode/sweepView.ts';
import { TokensView } from '../vscode/tokensView.ts';
import { type Theme, themes, type Workbench } from '../vscode/workbench.ts';

const task = 'indirectObject.task.jsonl';
const slow = { timeout: 90_000 };
/** Tells the engine of this window from those of others. */
const mark = `FOVEA_SWEEP_TEST=${process.pid}`;

let workbench: Workbench;
let sweep: SweepView;
let editor: PromptEditor;

beforeAll(async () => {
  const [name, value] = mark.split('=') as [string, string];
  workbench = await openPage({ env: { [name]: value } });
  sweep = new SweepView(workbench);
  editor = new PromptEditor(workbench, task);
});
beforeEach(() => keepFailures('sweep', () => workbench));
afterAll(() => workbench?.close('sweep'));

/** Puts the cursor on a line of the task file, counted from 1. */
async function toLine(line: number): Promise<void> {
  await workbench.runCommand('View: Focus First Editor Group');
  await workbench.openFile(task);
  await workbench.page.keyboard.press('Control+Home');
  await workbench.runCommand('Go to Line/Column...');
  await workbench.answer(`:${line}`);
}

/** Chooses in the pick that is open, once it has the text. */
async function choose(text: string | RegExp): Promise<void> {
  const row = workbench.quickRows().filter({ hasText: text }).first();
  await row.waitFor(slow);
  await row.click();
}

/** Where the editor's selection is, as the status bar tells it; it tells nothing while a panel has the keyboard. */
async function cursor(): Promise<string> {
  await workbench.runCommand('View: Focus First Editor Group');
  return editor.cursor();
}

/** Asks for a sweep of the pair on a line of the task. */
async function sweepPair(line: number, name: string, direction = /^Denoising/): Promise<void> {
  await toLine(line);
  await workbench.runCommand('Fovea: Sweep Patches…');
  await choose(/The pair on line/);
  await workbench.quickInput().waitFor(slow);
  await workbench.quickInput().fill(name);
  await choose(name);
  await choose(direction);
  await expect.poll(() => sweep.offers('Start'), slow).toBe(true);
}

function pairOf(line: number): { readonly clean: string; readonly corrupted: string } {
  return JSON.parse(readFileSync(join(workbench.folder, task), 'utf8').split('\n')[line - 1] ?? '');
}

test('the palette asks what to patch, grouped, and which way', async () => {
  await toLine(2);
  await workbench.runCommand('Fovea: Sweep Patches…');
  await choose(/The pair on line 2/);
  await expect.poll(() => workbench.quickRows().count(), slow).toBeGreaterThan(5);
  await workbench.screenshot('sweep-pick');
  await choose(/^Residual stream before every layer/);
  await choose(/^Noising/);
  await expect.poll(() => sweep.statusLine(), slow).toMatch(/Cells \d+.*Interventions \d+.*MB.*s/);
  const title = (await sweep.frame()).locator('.sweep-select option:checked');
  expect(await title.textContent()).toBe('resid_pre · noising');
  await workbench.screenshot('sweep-estimate');
});

test('a large sweep tells before it starts what it takes, and stops at once', async () => {
  await sweepPair(5, 'attn_head_pattern_dest_src_pos');
  await expect.poll(() => sweep.statusLine(), slow).toMatch(/Cells [\d,]{5,}.*Start/);
  await sweep.press('Start');
  await expect.poll(async () => (await sweep.progress())?.done ?? 0, slow).toBeGreaterThan(0);
  await workbench.screenshot('sweep-running');
  await sweep.press('Cancel');
  await expect.poll(() => sweep.offers('Resume'), slow).toBe(true);
  const stopped = await sweep.progress();
  expect(stopped?.done).toBeGreaterThan(0);
  expect(stopped?.done).toBeLessThan(stopped?.total ?? 0);
  await workbench.screenshot('sweep-cancelled');
});

test('what is known comes back with the window, and the sweep goes on from there', async () => {
  const before = await sweep.progress();
  const strongest = await (await sweep.strongest()).first().textContent();
  await workbench.reload();
  await expect.poll(() => sweep.progress(), slow).toEqual(before);
  expect(await (await sweep.strongest()).first().textContent()).toBe(strongest);
  await workbench.screenshot('sweep-reloaded');
  await sweep.press('Resume');
  await expect.poll(() => sweep.offers('Run Again'), slow).toBe(true);
  const unknown = (await sweep.cellLabels()).filter((label) => /not known/.test(label));
  expect(unknown).toEqual([]);
  await workbench.screenshot('sweep-done');
});

describe('a cell', () => {
  test('selects its token in the editor when clicked, in the clean and in the corrupted prompt', async () => {
    await sweepPair(2, 'resid_pre');
    await sweep.press('Start');
    await expect.poll(() => sweep.offers('Run Again'), slow).toBe(true);
    const frame = await sweep.frame();
    const { clean, corrupted } = pairOf(2);
    const name = / (Louis|Victor)/.exec(clean)?.[0] ?? '';
    const cell = frame.locator(`.heat-cell[aria-label*="at '${name}'"]`).first();
    const position = Number(/position (\d+)/.exec((await cell.getAttribute('aria-label')) ?? '')?.[1]);
    await cell.click();
    await expect.poll(() => sweep.detail(), slow).toMatch(/resid_pre \d.*Value.*Go to Token/);
    await expect.poll(cursor, slow).toContain(`Ln 2, Col`);
    await expect.poll(cursor, slow).toContain(`(${name.length} selected)`);
    const line = readFileSync(join(workbench.folder, task), 'utf8').split('\n')[1] ?? '';
    const column = line.indexOf(clean) + clean.indexOf(name) + name.length + 1;
    expect(await cursor()).toContain(`Col ${column} `);
    await workbench.screenshot('sweep-cell');
    await sweep.press('Go to Corrupted');
    const other = corrupted.split(/(?= )|(?=[.,])/)[position] ?? '';
    await expect
      .poll(cursor, slow)
      .toContain(`Col ${line.indexOf(corrupted) + corrupted.indexOf(other) + other.length + 1} `);
  });

  test('is walked to by arrow keys and opened by Enter', async () => {
    const frame = await sweep.frame();
    await frame.locator('.heat-cell[tabindex="0"]').focus();
    const from = await frame.locator('.heat-cell:focus').getAttribute('data-column');
    await workbench.page.keyboard.press('ArrowRight');
    await expect
      .poll(() => frame.locator('.heat-cell:focus').getAttribute('data-column'), slow)
      .toBe(String(Number(from) + 1));
    const spoken = (await frame.locator('.heat-cell:focus').getAttribute('aria-label')) ?? '';
    await workbench.page.keyboard.press('Enter');
    const token = /at '(.+)', position/.exec(spoken)?.[1] ?? '';
    await expect.poll(cursor, slow).toContain(`(${token.length} selected)`);
  });

  test('of a head shows its attention, and is patched from the corrupted prompt while one types', async () => {
    await sweepPair(2, 'attn_head_out_all_pos');
    await sweep.press('Start');
    await expect.poll(() => sweep.offers('Run Again'), slow).toBe(true);
    await (await sweep.strongest()).first().click();
    await expect.poll(() => sweep.detail(), slow).toMatch(/head \d\.\d.*all positions.*Attention of/);
    const head = /head (\d\.\d)/.exec(await sweep.detail())?.[1];
    await workbench.screenshot('sweep-heads');
    await sweep.press('Patch From Corrupted');
    const stack = new InterventionsView(workbench);
    await stack.focus();
    await expect.poll(() => stack.edits(), slow).toHaveLength(1);
    expect((await stack.edits())[0]).toMatch(/^Patch head/);
    await workbench.runCommand('Fovea: Undo Intervention');
    await sweep.press(`Attention of ${head}`);
    const tokens = new TokensView(workbench);
    const frame = await tokens.frame();
    await expect.poll(() => frame.getByRole('tab', { selected: true }).textContent(), slow).toBe('Attention');
    await expect.poll(() => frame.locator('.head[aria-pressed="true"]').textContent(), slow).toBe(head);
    await workbench.screenshot('sweep-attention');
  });
});

test('features, ablations and paths are swept too', async () => {
  await sweepPair(2, 'features that differ most, by position');
  await sweep.press('Start');
  await expect.poll(() => sweep.offers('Run Again'), slow).toBe(true);
  await (await sweep.strongest())
    .filter({ hasText: /^feature/ })
    .first()
    .click();
  await expect.poll(() => sweep.detail(), slow).toMatch(/feature \d+.*Show Feature.*Ablate/);
  await workbench.screenshot('sweep-features');
  const plan = async (name: string, next?: RegExp): Promise<void> => {
    await toLine(2);
    await workbench.runCommand('Fovea: Sweep Patches…');
    await choose(/The pair on line/);
    await workbench.quickInput().fill(name);
    await choose(name);
    if (next) await choose(next);
    await expect.poll(() => sweep.offers('Start'), slow).toBe(true);
    await sweep.press('Start');
    await expect.poll(() => sweep.offers('Run Again'), slow).toBe(true);
  };
  await plan('Ablate every head', /^Zero/);
  expect(await (await sweep.cells()).count()).toBe(32);
  await plan('Paths from every head and MLP to the logits');
  // Heads and the MLP of each of four layers.
  expect(await (await sweep.cells()).count()).toBe(36);
  await workbench.screenshot('sweep-paths');
  await sweepPair(2, 'attn_head_out_all_pos', /^Noising/);
  await sweep.press('Start');
  await expect.poll(() => sweep.offers('Run Again'), slow).toBe(true);
});

test('two sweeps of the same cells are subtracted', async () => {
  const frame = await sweep.frame();
  const choice = frame.locator('.sweep-compare select');
  const before = await sweep.cellLabels();
  // An ablation of the same cells is on another scale.
  expect(await choice.textContent()).not.toContain('zero ablation');
  const denoising = choice.locator('option').filter({ hasText: 'denoising' }).first();
  await choice.selectOption(await denoising.getAttribute('value'));
  await expect.poll(() => sweep.cellLabels(), slow).not.toEqual(before);
  await (await sweep.strongest()).first().click();
  await expect.poll(() => sweep.detail(), slow).toMatch(/Value .*Other .*Difference [+−]/);
  await workbench.screenshot('sweep-compared');
  await choice.selectOption('');
  await expect.poll(() => sweep.cellLabels(), slow).toEqual(before);
});

test('is saved as a table, as JSON that says how it was made, and as a picture', async () => {
  for (const [kind, expected] of [
    ['CSV', /^layer,head,component,value,logitDifference,pairs\n/],
    ['JSON', /"provenance"/],
    ['SVG', /^<svg [^>]*>\n<title>/],
  ] as const) {
    const file = join(workbench.folder, `exported.${kind.toLowerCase()}`);
    await sweep.press(`Export ${kind}…`);
    await workbench.quickInput().waitFor(slow);
    await workbench.answer(file);
    await expect.poll(() => existsSync(file), slow).toBe(true);
    const text = readFileSync(file, 'utf8');
    expect(text).toMatch(expected);
    expect(text).not.toMatch(/<script/);
    await workbench.clearNotifications();
  }
});

test('two prompts that are compared are swept as a pair, up to 100 tokens long', async () => {
  const sentence = 'When Mary and John went to the store, John gave a drink to her. ';
  const clean = `${sentence.repeat(5)}When Mary and John went to the store, John gave a drink to`;
  writeFileSync(join(workbench.folder, 'long.prompt.txt'), clean);
  writeFileSync(
    join(workbench.folder, 'longOther.prompt.txt'),
    `${clean.slice(0, clean.lastIndexOf('John'))}Mary gave a drink to`,
  );
  await workbench.runCommand('View: Focus First Editor Group');
  await workbench.openFile('long.prompt.txt');
  await workbench.runCommand('Fovea: Sweep Patches…');
  await workbench.quickInput().waitFor(slow);
  await choose('This prompt and another one');
  await choose('longOther');
  for (const [asked, answer] of [
    [/right/, 'Mary'],
    [/wrong/, 'John'],
  ] as const) {
    await expect.poll(() => workbench.quickInput().getAttribute('placeholder'), slow).toMatch(asked);
    await workbench.quickInput().fill(answer);
    await workbench.pick(`" ${answer}"`);
  }
  await workbench.quickInput().fill('block_every');
  await choose('block_every');
  await choose(/^Denoising/);
  await expect.poll(() => sweep.offers('Start'), slow).toBe(true);
  await sweep.press('Start');
  await expect.poll(() => sweep.offers('Run Again'), slow).toBe(true);
  const frame = await sweep.frame();
  expect(await frame.locator('.sweep-facet').count()).toBe(3);
  await (await sweep.strongest()).first().click();
  await workbench.screenshot('sweep-long');
});

test('a task is swept by its roles, all pairs at once', async () => {
  await toLine(2);
  await workbench.runCommand('Fovea: Sweep Patches…');
  await choose(/All 12 pairs/);
  await workbench.quickInput().fill('resid_pre');
  await choose('resid_pre');
  await choose(/^Denoising/);
  await expect.poll(() => sweep.offers('Start'), slow).toBe(true);
  await sweep.press('Start');
  await expect.poll(() => sweep.offers('Run Again'), slow).toBe(true);
  const frame = await sweep.frame();
  expect(await frame.locator('.heat tfoot th').allTextContents()).toEqual(['IO', 'S1', 'S1+1', 'S2', 'END']);
  await frame.locator('.heat-cell[aria-label*="role S2"]').first().click();
  await expect.poll(cursor, slow).toMatch(/Ln 2.*\(\d+ selected\)/);
  await workbench.screenshot('sweep-roles');
});

test('an engine that dies leaves what is known, and says what to do', async () => {
  await sweepPair(5, 'attn_head_pattern_dest_src_pos');
  await sweep.press('Start');
  await expect.poll(async () => (await sweep.progress())?.done ?? 0, slow).toBeGreaterThan(0);
  const engine = findProcess({ argument: 'engine.cjs', environment: mark });
  if (engine === undefined) throw new Error('The window has no engine.');
  process.kill(engine, 'SIGKILL');
  await expect.poll(() => sweep.offers('Resume'), slow).toBe(true);
  expect(await (await sweep.frame()).getByRole('alert').textContent()).toMatch(/engine stopped/);
  await workbench.screenshot('sweep-failed');
  await workbench.runCommand('Fovea: Restart Engine');
  await expect.poll(() => sweep.offers('Resume'), slow).toBe(true);
  await sweep.press('Resume');
  await expect.poll(() => sweep.offers('Run Again'), slow).toBe(true);
}, 240_000);

for (const theme of Object.keys(themes) as Theme[]) {
  test(`has no serious violation in the theme ${themes[theme]}`, async () => {
    await workbench.setTheme(theme);
    const frame = await sweep.frame();
    await frame.locator('.heat-cell').first().waitFor();
    expect(await seriousViolations(frame)).toEqual([]);
    await workbench.screenshot(`sweep-theme-${theme}`);
  });
}

test('an emptied list says how to begin', async () => {
  const frame = await sweep.frame();
  while ((await frame.locator('.sweep-select').count()) > 0) {
    const shown = await frame.locator('.sweep-select').inputValue();
    await sweep.press('Delete This Sweep');
    if (await sweep.offers('Keep')) await sweep.press('Delete');
    await expect
      .poll(
        async () =>
          (await frame.locator('.sweep-select').count()) === 0 ||
          (await frame.locator('.sweep-select').inputValue()) !== shown,
        slow,
      )
      .toBe(true);
  }
  await expect.poll(() => frame.locator('.message').textContent(), slow).toMatch(/Sweep Patches…/);
  await workbench.screenshot('sweep-empty');
  expect(workbench.policyViolations).toEqual([]);
});
