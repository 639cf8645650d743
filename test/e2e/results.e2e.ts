/** What was found stays: an earlier circuit is shown again, a closed panel comes back, and a result is deleted. */
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { CircuitView } from '../vscode/circuitView.ts';
import { keepFailures } from '../vscode/keepFailures.ts';
import { openPage } from '../vscode/openPage.ts';
import { PromptEditor } from '../vscode/promptEditor.ts';
import { ResultsView } from '../vscode/resultsView.ts';
import type { Workbench } from '../vscode/workbench.ts';

const prompt = 'indirectObject.prompt.txt';
const slow = { timeout: 90_000 };
const first = 'indirectObject: gradient attribution';
const second = `${first} (2)`;

let workbench: Workbench;
let editor: PromptEditor;
let circuit: CircuitView;
let results: ResultsView;

beforeAll(async () => {
  workbench = await openPage();
  editor = new PromptEditor(workbench, prompt);
  circuit = new CircuitView(workbench);
  results = new ResultsView(workbench);
  await workbench.openFile(prompt);
});
beforeEach(() => keepFailures('results', () => workbench));
afterAll(() => workbench?.close('results'));

const tab = () => workbench.page.locator('.tab').filter({ hasText: 'Circuit: ' });

async function answer(word: string): Promise<void> {
  await workbench.quickInput().fill(word);
  await workbench.pick(`" ${word}"`);
}

/** VS Code draws lenses only over an editor that has the keyboard. */
async function findCircuit(): Promise<void> {
  await workbench.focusEditor(prompt);
  await expect.poll(() => editor.codeLens(), slow).toMatch(/Find Circuit/);
  await editor.clickCodeLens('Find Circuit');
}

test('the view says what makes results before there are any', async () => {
  await results.focus();
  await expect.poll(() => results.pane().innerText(), slow).toMatch(/sweep patches.+run SHIFT/s);
  await workbench.screenshot('results-empty');
});

test('the questions of a command name it and the prompt', async () => {
  await findCircuit();
  await workbench.quickInput().waitFor(slow);
  const title = workbench.page.locator('.quick-input-widget:visible .quick-input-title');
  await expect.poll(() => title.innerText(), slow).toMatch(/^Find Circuit: .*indirectObject.+drink to”/);
  await workbench.screenshot('results-question');
  await answer('Mary');
  await expect.poll(() => workbench.quickInput().getAttribute('placeholder'), slow).toMatch(/wrong/i);
  await answer('John');
  await expect.poll(async () => (await circuit.nodes()).length, slow).toBeGreaterThan(5);
});

test('two circuits are listed, the newer one first', async () => {
  await findCircuit();
  await tab().filter({ hasText: second }).waitFor(slow);
  await expect
    .poll(async () => (await results.texts()).map((text) => text.replace(/ \d.* mini.*$/, '')), slow)
    .toEqual([second, first]);
  await workbench.screenshot('results-two');
});

test('a closed panel comes back with the older circuit', async () => {
  await tab().click();
  await workbench.runCommand('View: Close Editor');
  await expect.poll(() => tab().count(), slow).toBe(0);
  await results.row(/attribution(?! \(2\))/).click();
  await tab().waitFor(slow);
  await expect.poll(() => tab().innerText(), slow).not.toContain('(2)');
  expect((await circuit.nodes()).length).toBeGreaterThan(5);
  // Looking at a result does not reorder the list under the pointer.
  expect((await results.texts())[0]).toContain('(2)');
  await results.row(second).click();
  await expect.poll(() => tab().innerText(), slow).toContain('(2)');
});

test('a result is chosen by the keyboard and deleted', async () => {
  await workbench.runCommand('Fovea: Show Result…');
  await workbench.pick('attribution');
  await expect.poll(() => tab().innerText(), slow).toContain('Circuit: ');
  await results.act(second, 'Delete Result');
  await expect.poll(() => results.texts(), slow).toHaveLength(1);
  await expect.poll(() => tab().innerText(), slow).not.toContain('(2)');
});
