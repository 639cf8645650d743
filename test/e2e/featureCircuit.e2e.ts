/** A feature circuit on generated agreement pairs, from the question to its file: found, pruned, named, saved, opened again, held against a second one. */
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { CircuitView } from '../vscode/circuitView.ts';
import { InterventionsView } from '../vscode/interventionsView.ts';
import { keepFailures } from '../vscode/keepFailures.ts';
import { openPage } from '../vscode/openPage.ts';
import type { Workbench } from '../vscode/workbench.ts';

const file = 'agreement.circuit.json';
const slow = { timeout: 90_000 };

let workbench: Workbench;
let circuit: CircuitView;

beforeAll(async () => {
  workbench = await openPage();
  circuit = new CircuitView(workbench);
});
beforeEach(() => keepFailures('featureCircuit', () => workbench));
afterAll(() => workbench?.close('featureCircuit'));

const saved = () => JSON.parse(readFileSync(join(workbench.folder, file), 'utf8'));
const tab = () => workbench.page.locator(`.tab[data-resource-name="${file}"]`);
const panelTab = () => workbench.page.locator('.tab').filter({ hasText: 'Circuit: ' });

/** Waits for the next question and chooses a row. */
async function choose(row: string | RegExp): Promise<void> {
  await workbench.quickRows().filter({ hasText: row }).first().click(slow);
}

/** Goes through the questions for a few pairs of one structure, to the end of the search. */
async function find(structure: string): Promise<void> {
  await workbench.runCommand('Fovea: Find Feature Circuit…');
  await choose('Generated Pairs…');
  await choose('The keys near the cabinet');
  await choose(structure);
  await workbench.answer('8');
  await choose('Attribution Patching');
  await choose('All Positions Together');
  await workbench.answer('0.3 0.1');
  await choose('Start');
  const told = workbench.statusBarItem(/nodes of .+ active ones.*, tested on \d+ pairs: faithfulness/);
  await told.waitFor({ timeout: 240_000 });
}

async function keptNodes(): Promise<number> {
  return Number(/^([\d,]+) of/.exec(await circuit.kept())?.[1]?.replace(',', ''));
}

test('is found on agreement pairs that are written for it', async () => {
  await find('simple');
  await panelTab().filter({ hasText: 'agreement simple: features' }).first().waitFor(slow);
  await expect.poll(() => keptNodes(), slow).toBeGreaterThan(10);
  await workbench.screenshot('featureCircuit-found');
});

describe('a handful of it', () => {
  test('is left by the slider, and measured', async () => {
    const frame = await circuit.frame();
    const all = await circuit.measure('Faithfulness');
    const slider = frame.getByRole('slider');
    await slider.focus();
    await workbench.page.keyboard.press('Home');
    const total = Number(/of (\d+)/.exec(await circuit.kept())?.[1]);
    for (let i = 0; i < (100 * 8) / total; i++) await workbench.page.keyboard.press('ArrowRight');
    await expect.poll(keptNodes, slow).toBeGreaterThan(6);
    expect(await keptNodes()).toBeLessThanOrEqual(10);
    await expect.poll(() => circuit.measure('Faithfulness'), slow).not.toBe(all);
    await workbench.screenshot('featureCircuit-pruned');
  });

  test('has a node with a name of its own', async () => {
    const node = await circuit.node(/^Feature/);
    await node.click();
    await (await circuit.card()).getByRole('button', { name: 'Rename' }).click();
    const field = (await circuit.frame()).getByRole('textbox', { name: /^Name of/ });
    await field.fill('plural subject');
    await field.press('Enter');
    await (await circuit.node(/plural subject/)).waitFor();
    await workbench.screenshot('featureCircuit-named');
  });

  test('is saved as a file in the workspace, which opens', async () => {
    await (await circuit.frame()).getByRole('button', { name: /^Save/ }).click();
    await workbench.quickInput().waitFor(slow);
    await expect
      .poll(() => workbench.quickInput().inputValue(), slow)
      .toMatch(/agreement-simple-features\.circuit\.json$/);
    await workbench.screenshot('featureCircuit-saveAs');
    await workbench.answer(join(workbench.folder, file));
    await expect.poll(() => existsSync(join(workbench.folder, file)), slow).toBe(true);
    await tab().waitFor(slow);
    await workbench.screenshot('featureCircuit-saved');
    expect(Object.values(saved().annotations.labels)).toEqual(['plural subject']);
    expect(saved().annotations.keep).toBeLessThan(0.5);
  });

  test('is there again when the file is opened from the explorer', async () => {
    const before = await circuit.kept();
    await tab().click();
    await workbench.runCommand('View: Close All Editors');
    await tab().waitFor({ state: 'detached', ...slow });
    await workbench.page.locator('.explorer-folders-view').getByText(file).dblclick();
    await tab().waitFor(slow);
    await (await circuit.node(/plural subject/)).waitFor(slow);
    expect(await circuit.kept()).toBe(before);
    expect(await keptNodes()).toBeLessThanOrEqual(10);
    await workbench.screenshot('featureCircuit-reopened');
  });
});

describe('a feature of it', () => {
  const stack = () => new InterventionsView(workbench);

  /** Opens the card of the named feature. */
  async function card() {
    await (await circuit.node(/plural subject/)).click();
    return circuit.card();
  }

  test('is ablated from its card', async () => {
    await workbench.openFile('agreement.prompt.txt');
    await workbench.runCommand('Fovea: Inspect Document');
    await workbench.webview('tokens');
    await tab().click();
    await (await card()).getByRole('button', { name: 'Ablate' }).click();
    await stack().focus();
    await expect.poll(() => stack().edits(), slow).toEqual([expect.stringMatching(/^Ablate /)]);
    await workbench.runCommand('Fovea: Undo Intervention');
    await expect.poll(() => stack().edits(), slow).toHaveLength(0);
  });

  test('is steered from its card', async () => {
    await (await circuit.card()).getByRole('button', { name: /^Steer/ }).click();
    await workbench.quickInput().waitFor(slow);
    await workbench.screenshot('featureCircuit-steer');
    await workbench.answer('5');
    await stack().focus();
    await expect.poll(() => stack().edits(), slow).toEqual([expect.stringMatching(/^Steer /)]);
    await workbench.screenshot('featureCircuit-steered');
    await workbench.runCommand('Fovea: Undo Intervention');
    await expect.poll(() => stack().edits(), slow).toHaveLength(0);
  });
});

test('is held against that of another structure', async () => {
  await find('nounpp');
  await panelTab().filter({ hasText: 'agreement nounpp: features' }).first().waitFor(slow);
  await workbench.screenshot('featureCircuit-second');
  await workbench.runCommand('Fovea: Compare Circuits…');
  await workbench.screenshot('featureCircuit-compareWith');
  // The found one is its file's now, and not offered twice.
  await expect.poll(() => workbench.quickRows().count(), slow).toBe(2);
  await choose('agreement');
  await choose('Differences');
  const frame = await workbench.webviewFrame('.compare-bar');
  await expect
    .poll(() => frame.locator('.compare-summary').textContent(), slow)
    .toMatch(/\d+ added.*\d+ removed.*\d+ changed/);
  await workbench.screenshot('featureCircuit-compared');
});
