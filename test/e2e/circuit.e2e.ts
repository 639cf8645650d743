/** Find Circuit: the graph beside the prompt, its way to the text and back, pruning, the list twin, interventions and export. */
import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { projectRoot } from '../../scripts/vscodeServer.mjs';
import type { CircuitGraph } from '../../src/shared/circuit.ts';
import { CircuitView } from '../vscode/circuitView.ts';
import { InterventionsView } from '../vscode/interventionsView.ts';
import { keepFailures } from '../vscode/keepFailures.ts';
import { openPage } from '../vscode/openPage.ts';
import { PromptEditor } from '../vscode/promptEditor.ts';
import type { Workbench } from '../vscode/workbench.ts';

const prompt = 'indirectObject.prompt.txt';
/** The prompt as the embedded model splits it. */
const words = 'When| Mary| and| John| went| to| the| store|,| John| gave| a| drink| to'.split('|');
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
beforeEach(() => keepFailures('circuit', () => workbench));
afterAll(() => workbench?.close('circuit'));

/** The part of a number's text that can be computed with. */
function numberOf(text: string): number {
  return Number(text.replace('−', '-').replace('+', ''));
}

describe('finding', () => {
  test('asks for the two answers first, then draws the graph', async () => {
    await expect.poll(() => editor.codeLens(), slow).toMatch(/Find Circuit.+tokens/);
    await editor.clickCodeLens('Find Circuit');
    await workbench.quickInput().waitFor(slow);
    await workbench.quickInput().fill('Mary');
    await workbench.pick('" Mary"');
    await expect.poll(() => workbench.quickInput().getAttribute('placeholder'), slow).toMatch(/wrong/i);
    await workbench.quickInput().fill('John');
    await workbench.pick('" John"');
    await circuit.frame();
    await expect.poll(async () => (await circuit.nodes()).length, slow).toBeGreaterThan(5);
    await workbench.screenshot('circuit-found');
  });

  test('draws tokens, heads and features with an effect each, and edges between them', async () => {
    const names = await circuit.nodes();
    expect(names.some((name) => /^Logit/.test(name))).toBe(true);
    expect(names.some((name) => /^Token/.test(name))).toBe(true);
    expect(names.some((name) => /^(Head|MLP|Feature)/.test(name))).toBe(true);
    for (const name of names) expect(name).toMatch(/, on '.+' at position \d+, effect [+−]?\d/);
    const edges = (await circuit.frame()).locator('svg.edges path');
    expect(await edges.count()).toBeGreaterThan(5);
  });

  test('shows the metric it explains', async () => {
    const frame = await circuit.frame();
    expect(await frame.locator('.metric-value').textContent()).toMatch(/Mary.+John.+[+−]?\d/);
  });
});

describe('a node', () => {
  test('lights up its edges and its tokens in the editor when pointed at', async () => {
    const frame = await circuit.frame();
    const lit = frame.locator('.plane-active');
    expect(await lit.count()).toBe(0);
    await (await circuit.node(/^(Head|MLP|Feature)/)).hover();
    await lit.waitFor();
    await workbench.screenshot('circuit-pointed');
  });

  test('opens its card and selects its token in the text when clicked', async () => {
    const node = await circuit.node(/^(Head|MLP|Feature)/);
    const spoken = (await node.textContent()) ?? '';
    const token = /on '(.+)' at/.exec(spoken)?.[1] ?? '';
    await node.click();
    const card = await circuit.card();
    await card.waitFor();
    expect(await card.textContent()).toMatch(/Effect.*Inputs.*Outputs/);
    await workbench.screenshot('circuit-card');
    await workbench.runCommand('View: Focus First Editor Group');
    await expect.poll(() => editor.cursor(), slow).toMatch(new RegExp(`\\(${token.length} selected\\)`));
  });

  test('is marked when the cursor in the text stands on its token', async () => {
    const name = (await circuit.nodes()).find((node) => !node.includes(`at position ${words.length - 1},`));
    const position = Number(/at position (\d+)/.exec(name ?? '')?.[1]);
    await editor.moveCursor(words.slice(0, position + 1).join('').length);
    const frame = await circuit.frame();
    await expect
      .poll(async () => (await frame.locator('.node-under .sr-only').allTextContents()).join('\n'), slow)
      .toMatch(new RegExp(`at position ${position},`));
    const under = await frame.locator('.node-under .sr-only').allTextContents();
    for (const name of under) expect(name).toContain(`at position ${position},`);
  });

  test('is walked to by arrow keys and closed by Escape', async () => {
    const frame = await circuit.frame();
    const logit = await circuit.node(/^Logit/);
    await logit.focus();
    await workbench.page.keyboard.press('ArrowDown');
    const focused = frame.locator('.node:focus .sr-only');
    await expect.poll(() => focused.textContent(), slow).not.toMatch(/^Logit/);
    const name = (await focused.textContent()) ?? '';
    await workbench.page.keyboard.press('Enter');
    await (await circuit.card()).waitFor();
    await expect
      .poll(() => frame.locator('.node[aria-pressed="true"] .sr-only').textContent(), slow)
      .toContain(name.slice(0, name.indexOf(', effect')));
    await workbench.page.keyboard.press('Escape');
    await (await circuit.card()).waitFor({ state: 'detached' });
  });
});

describe('the slider', () => {
  test('prunes nodes and measures again how faithful the rest is', async () => {
    const frame = await circuit.frame();
    const slider = frame.getByRole('slider');
    const all = await circuit.kept();
    const measures = async (): Promise<string> =>
      `${await circuit.measure('Faithfulness')} ${await circuit.measure('Completeness')}`;
    await expect.poll(measures, slow).toMatch(/\d .*\d/);
    const before = await measures();
    await slider.focus();
    await workbench.page.keyboard.press('Home');
    for (let i = 0; i < 3; i++) await workbench.page.keyboard.press('ArrowRight');
    await expect.poll(() => circuit.kept(), slow).not.toBe(all);
    await expect.poll(measures, slow).not.toBe(before);
    expect(Number.isFinite(numberOf(await circuit.measure('Faithfulness')))).toBe(true);
    expect(Number.isFinite(numberOf(await circuit.measure('Completeness')))).toBe(true);
    const [kept, total] = (/(\d+) of (\d+)/.exec(await circuit.kept()) ?? []).slice(1).map(Number);
    expect(kept).toBeLessThan(total ?? 0);
    const shown = (await circuit.nodes()).filter((name) => !/^(Token|Logit)/.test(name));
    expect(shown.length).toBe(kept);
    await workbench.screenshot('circuit-pruned');
  });
});

describe('what a person adds', () => {
  const spoken = (index: number): Promise<string> =>
    circuit.nodes().then((names) => names.filter((name) => /^(Head|MLP|Feature)/.test(name))[index] ?? '');
  const short = (name: string): string => name.slice(0, name.indexOf(', effect'));

  test('a node is pinned by P and is alone under Pinned', async () => {
    const name = short(await spoken(0));
    const node = await circuit.node(/^(Head|MLP|Feature)/);
    await node.focus();
    await workbench.page.keyboard.press('p');
    const frame = await circuit.frame();
    await expect.poll(() => frame.getByRole('tab', { name: /^Pinned/ }).textContent(), slow).toBe('Pinned 1');
    await circuit.openTab('Pinned');
    await expect.poll(async () => (await circuit.nodes()).map(short), slow).toEqual([name]);
    await workbench.screenshot('circuit-pinned');
    await circuit.openTab('Graph');
  });

  test('two nodes become a group with a name, which undo dissolves and redo brings back', async () => {
    const frame = await circuit.frame();
    const components = frame.locator('.node').filter({ hasText: /^(Head|MLP|Feature)/ });
    const before = await frame.locator('.node').count();
    await components.nth(0).click({ modifiers: ['Shift'] });
    await components.nth(1).focus();
    await workbench.page.keyboard.press('Shift+Enter');
    await expect.poll(() => frame.locator('.chosen').textContent(), slow).toContain('2 selected');
    await workbench.page.keyboard.press('g');
    const field = frame.getByRole('textbox', { name: /^Name of/ });
    await field.waitFor();
    await field.fill('name movers');
    await field.press('Enter');
    const box = frame.locator('.node-group');
    await expect.poll(() => box.textContent(), slow).toContain('name movers');
    expect(await frame.locator('.node').count()).toBe(before - 1);
    await workbench.screenshot('circuit-grouped');
    await frame.getByRole('button', { name: 'Undo' }).click();
    await frame.getByRole('button', { name: 'Undo' }).click();
    await box.waitFor({ state: 'detached' });
    expect(await frame.locator('.node').count()).toBe(before);
    await frame.locator('.node').first().focus();
    await workbench.page.keyboard.press('Control+Shift+z');
    await workbench.page.keyboard.press('Control+Shift+z');
    await expect.poll(() => box.textContent(), slow).toContain('name movers');
    await frame.getByRole('button', { name: 'Expand name movers' }).click();
    await box.waitFor({ state: 'detached' });
    expect(await frame.locator('.node-grouped').count()).toBe(2);
    await frame.getByRole('button', { name: 'Undo' }).click();
    await frame.getByRole('button', { name: 'Undo' }).click();
    await frame.locator('.node-grouped').first().waitFor({ state: 'detached' });
  });

  test('a node gets a name by F2, which Ctrl+Z takes back', async () => {
    const frame = await circuit.frame();
    await (await circuit.node(/^(Head|MLP|Feature)/)).focus();
    await workbench.page.keyboard.press('F2');
    const field = frame.getByRole('textbox', { name: /^Name of/ });
    await field.fill('duplicate token');
    await field.press('Enter');
    await (await circuit.node(/duplicate token/)).waitFor();
    expect(await (await circuit.card()).locator('h2').textContent()).toBe('duplicate token');
    await (await circuit.node(/duplicate token/)).focus();
    await workbench.page.keyboard.press('Control+z');
    await (await circuit.node(/duplicate token/)).waitFor({ state: 'detached' });
    await workbench.page.keyboard.press('Escape');
  });

  test('search finds nodes, marks them and steps through them', async () => {
    const frame = await circuit.frame();
    await frame.locator('.node').first().focus();
    await workbench.page.keyboard.press('Control+f');
    const field = frame.getByRole('textbox', { name: /^Search nodes/ });
    await field.fill('logit');
    await expect.poll(() => frame.locator('.search-result').count(), slow).toBeGreaterThan(0);
    expect(await frame.locator('.node-found .sr-only').first().textContent()).toMatch(/^Logit.*, found/);
    await field.press('Enter');
    await expect.poll(() => frame.locator('.search-count').textContent(), slow).toMatch(/^1 of \d+$/);
    await workbench.screenshot('circuit-search');
    await (await circuit.card()).waitFor();
    await field.press('Escape');
    await field.waitFor({ state: 'detached' });
    await workbench.page.keyboard.press('Escape');
  });
});

describe('the list', () => {
  test('says the same as the graph and is read by keyboard', async () => {
    const drawn = [...(await circuit.nodes())].sort();
    const panel = await circuit.openTab('List');
    const rows = panel.locator('.list-row');
    await rows.first().waitFor();
    expect([...(await circuit.rows())].sort()).toEqual(drawn);
    await workbench.screenshot('circuit-list');
    await rows.first().focus();
    await workbench.page.keyboard.press('ArrowDown');
    const frame = await circuit.frame();
    const focused = frame.locator('tr:focus');
    await expect.poll(() => focused.textContent(), slow).toMatch(/^Layer \d/);
    const all = await rows.count();
    await workbench.page.keyboard.press('ArrowLeft');
    await expect.poll(() => rows.count(), slow).toBeLessThan(all);
    await workbench.page.keyboard.press('ArrowRight');
    await expect.poll(() => rows.count(), slow).toBe(all);
    await workbench.page.keyboard.press('ArrowDown');
    await expect.poll(() => focused.getAttribute('aria-label'), slow).toMatch(/, effect /);
    await workbench.page.keyboard.press('Enter');
    await (await circuit.card()).waitFor();
    await workbench.page.keyboard.press('Escape');
    await (await circuit.card()).waitFor({ state: 'detached' });
  });

  test('a node is ablated from its card, at its own position', async () => {
    const panel = await circuit.openTab('List');
    const row = panel
      .locator('.list-row')
      .filter({ hasText: /^(Head|MLP)/ })
      .first();
    const position = /at position (\d+)/.exec((await row.getAttribute('aria-label')) ?? '')?.[1];
    await row.click();
    await (await circuit.card()).getByRole('button', { name: 'Ablate' }).click();
    const stack = new InterventionsView(workbench);
    await stack.focus();
    await expect.poll(() => stack.edits(), slow).toHaveLength(1);
    expect((await stack.edits())[0]).toMatch(new RegExp(`^Ablate .+ at ".+" \\(${position}\\)$`));
    await expect.poll(() => stack.effect(), slow).toMatch(/Logit difference .+ → .+/);
    await workbench.screenshot('circuit-ablated');
    await workbench.runCommand('Fovea: Undo Intervention');
    await expect.poll(() => stack.edits(), slow).toHaveLength(0);
  });
});

describe('export', () => {
  test('writes the circuit with its annotations where the user says', async () => {
    const file = join(workbench.folder, 'exported.circuit.json');
    await circuit.choose('Export', 'Fovea Circuit…');
    await workbench.quickInput().waitFor();
    await workbench.answer(file);
    await expect.poll(() => existsSync(file), slow).toBe(true);
    await workbench.waitForNotification(/Saved exported\.circuit\.json/);
    const graph = JSON.parse(readFileSync(file, 'utf8'));
    expect(graph).toMatchObject({ version: 1, prompt: expect.stringContaining('When Mary') });
    expect(graph.nodes.length).toBeGreaterThan(5);
    expect(graph.annotations.pinned).toHaveLength(1);
    await workbench.clearNotifications();
  });

  test('writes the picture as SVG without scripts', async () => {
    await circuit.openTab('Graph');
    const file = join(workbench.folder, 'exported.svg');
    await circuit.choose('Export', 'SVG Picture…');
    await workbench.quickInput().waitFor();
    await workbench.answer(file);
    await expect.poll(() => existsSync(file), slow).toBe(true);
    const svg = readFileSync(file, 'utf8');
    expect(svg).toMatch(/^<svg /);
    expect(svg).not.toMatch(/<script|onload=/);
    await workbench.clearNotifications();
  });

  test('writes the picture as PNG', async () => {
    const file = join(workbench.folder, 'exported.png');
    await circuit.choose('Export', 'PNG Picture…');
    await workbench.quickInput().waitFor();
    await workbench.answer(file);
    await expect.poll(() => existsSync(file) && readFileSync(file).length > 1000, slow).toBe(true);
    const png = readFileSync(file);
    expect(png.subarray(1, 4).toString()).toBe('PNG');
    // Twice the pixels of the SVG.
    expect(png.readUInt32BE(16)).toBeGreaterThan(400);
    await workbench.clearNotifications();
  });
});

test('a circuit of an older text says so and offers to look again', async () => {
  await workbench.focusEditor(prompt);
  await workbench.type(' the');
  const banner = (await circuit.frame()).locator('.banner');
  await expect.poll(() => banner.textContent(), slow).toMatch(/prompt has changed.+Find Again/);
  await workbench.screenshot('circuit-stale');
  for (let i = 0; i < 4; i++) await workbench.page.keyboard.press('Backspace');
  await banner.waitFor({ state: 'detached', ...slow });
  expect(workbench.policyViolations).toEqual([]);
});

describe('the menu of formats', () => {
  /** Writes the circuit in a format and reads it back with the command line. */
  async function roundTrip(item: string, name: string): Promise<CircuitGraph> {
    const file = join(workbench.folder, name);
    const back = join(workbench.folder, `${name}.back.circuit.json`);
    await circuit.choose('Export', item);
    await workbench.quickInput().waitFor(slow);
    await workbench.answer(file);
    await expect.poll(() => existsSync(file), slow).toBe(true);
    await workbench.waitForNotification(`Saved ${name}`);
    await workbench.clearNotifications();
    execFileSync(process.execPath, [join(projectRoot, 'dist/cli.cjs'), 'circuit', 'convert', file, back]);
    return JSON.parse(readFileSync(back, 'utf8'));
  }

  const strongest = ({ edges }: CircuitGraph): number =>
    Math.max(...edges.map(({ weight }) => Math.abs(weight)));

  test('writes what the readers of EAP-IG, auto-circuit and public graphs take', async () => {
    await workbench.runCommand('Fovea: Attribute Edges…');
    for (const row of ['Generated Pairs…', 'Indirect Objects']) await workbench.pick(row);
    await workbench.answer('4');
    await workbench.pick('One backward pass');
    await workbench.answer('30');
    await workbench.pick('Start');
    await workbench.statusBarItem(/edges on 4 pairs: faithfulness/).waitFor({ timeout: 110_000 });
    const own = await roundTrip('Fovea Circuit…', 'edges.circuit.json');
    expect(own.edges.length).toBeGreaterThan(10);
    for (const [item, name] of [
      ['EAP-IG JSON…', 'edges.eap.json'],
      ['auto-circuit Scores…', 'edges.pt'],
      ['Public Attribution Graph…', 'edges.graph.json'],
    ] as const) {
      const back = await roundTrip(item, name);
      expect(back.edges.length, name).toBeGreaterThan(10);
      expect(strongest(back), name).toBeCloseTo(strongest(own), 3);
    }
    await workbench.screenshot('circuit-edges');
  });
});
