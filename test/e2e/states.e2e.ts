/** What is shown when there is nothing to show, too much, or something hostile; and models that cannot be loaded. */
import { copyFileSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { projectRoot } from '../../scripts/vscodeServer.mjs';
import { InterventionsView } from '../vscode/interventionsView.ts';
import { keepFailures } from '../vscode/keepFailures.ts';
import { openPage } from '../vscode/openPage.ts';
import { PromptEditor } from '../vscode/promptEditor.ts';
import { TokensView } from '../vscode/tokensView.ts';
import type { Workbench } from '../vscode/workbench.ts';

const slow = { timeout: 60_000 };

let workbench: Workbench;
let tokens: TokensView;

beforeAll(async () => {
  workbench = await openPage();
  tokens = new TokensView(workbench);
});
beforeEach(() => keepFailures('states', () => workbench));
afterAll(() => workbench?.close('states'));

/** Opens a new file of the workspace as a prompt. */
async function openText(name: string, text: string): Promise<PromptEditor> {
  writeFileSync(join(workbench.folder, name), text);
  // A file opens in the group that has the keyboard, which may be the panel's.
  await workbench.runCommand('View: Focus First Editor Group');
  await workbench.openFile(name);
  await workbench.runCommand('Fovea: Inspect Document');
  await workbench.focusEditor(name);
  return new PromptEditor(workbench, name);
}

/** The message that stands in the token panel instead of tokens. */
async function message(): Promise<string> {
  const frame = await workbench.webview('tokens', 60_000);
  return (
    (await frame
      .locator('.message')
      .textContent({ timeout: 1000 })
      .catch(() => '')) ?? ''
  );
}

describe('a window without a prompt', () => {
  test('says in its views how to begin', async () => {
    const stack = new InterventionsView(workbench);
    await stack.focus();
    await expect.poll(() => stack.pane().textContent(), slow).toMatch(/Look at a prompt first/);
    expect(await stack.pane().getByRole('button', { name: 'Inspect Document' }).count()).toBe(1);
    const model = workbench.page.locator('.pane').filter({ hasText: 'No model is loaded yet' });
    await model.getByRole('button', { name: 'Open a Sample Prompt' }).waitFor();
    await workbench.screenshot('states-welcome');
  });

  test('answers Inspect Document with what to do, and opens the sample', async () => {
    await workbench.runCommand('Fovea: Inspect Document');
    const notification = await workbench.waitForNotification(/There is no text to inspect/);
    await notification.getByRole('button', { name: 'Open a Sample Prompt' }).click();
    await expect.poll(() => tokens.tokens(), slow).toContain(' Mary');
  });
});

describe('an untitled document', () => {
  test('is a prompt like any other', async () => {
    await workbench.type(' the');
    await expect.poll(() => tokens.selected(), slow).toBe(' the');
    await workbench.screenshot('states-untitled');
  });

  test('leaves an empty panel that says what to do when it is closed', async () => {
    await workbench.runCommand('View: Focus First Editor Group');
    await workbench.runCommand('View: Revert and Close Editor');
    await expect.poll(message, slow).toMatch(/Open a text and inspect it.+Inspect Document/s);
    await workbench.screenshot('states-closed');
  });
});

describe('an empty prompt', () => {
  test('asks for text, and shows it as soon as it comes, with the panel beside it', async () => {
    await openText('empty.prompt.txt', '');
    await expect.poll(message, slow).toMatch(/The prompt is empty\. Type some text/);
    await workbench.screenshot('states-empty');
    await workbench.type('Hello');
    await expect.poll(async () => (await tokens.tokens()).join(''), slow).toBe('Hello');
    for (let i = 0; i < 5; i++) await workbench.page.keyboard.press('Backspace');
    await expect.poll(message, slow).toMatch(/The prompt is empty/);
  });
});

describe('a prompt of 100,000 characters', () => {
  test('is read as far as the context goes, and says which part that is', async () => {
    const sentence = 'When Mary and John went to the store, John gave a drink to Mary.';
    const text = `${sentence}\n`.repeat(Math.ceil(100_000 / (sentence.length + 1))).slice(0, 100_000);
    const editor = await openText('long.prompt.txt', text);
    await workbench.page.keyboard.press('Control+Home');
    await expect
      .poll(() => editor.codeLens(), slow)
      .toMatch(/context full: [\d,]+ of 100,?000 characters used/);
    const frame = await tokens.frame();
    await expect
      .poll(() => frame.locator('.notice').textContent(), slow)
      .toMatch(/longer than the model’s context\. It reads characters [\d,]+ to 100,000/);
    await workbench.screenshot('states-long');
    await workbench.focusEditor('long.prompt.txt');
    await workbench.type(' Then');
    await expect.poll(() => tokens.selected(), slow).toBe(' Then');
  });
});

describe('hostile text', () => {
  /** Each fits into the context of the embedded model, which reads such text almost letter by letter. */
  const attacks = {
    html: '<img src=x onerror="document.body.dataset.hacked=1"><script>1</script>',
    markdown: '**bold** [link](command:workbench.action.closeAllEditors) `code` $(warning) &lt;',
    control: 'control \u0001\u0007\u001b[31m right \u202Eevil\u202C \u2066x\u2069 👩‍👧 é 漢字',
  } as const;

  for (const [name, attack] of Object.entries(attacks)) {
    test(`of ${name} is shown letter by letter, and nothing of it runs`, async () => {
      await openText(`${name}.prompt.txt`, attack);
      const start = attack.slice(0, 8);
      await expect.poll(async () => (await tokens.tokens()).join(''), slow).toContain(start);
      const frame = await tokens.frame();
      const foreign = frame.locator('main :is(img, script, iframe, a)');
      for (const tab of ['Next Token', 'Logit Lens', 'Attention', 'Attribution', 'Features'] as const) {
        const panel = await tokens.openTab(tab);
        await expect.poll(() => panel.textContent(), slow).not.toMatch(/Computing/);
        expect(await foreign.count()).toBe(0);
        expect(await frame.locator('main').textContent()).not.toMatch(/\p{Cc}|\p{Bidi_Control}/u);
      }
      await workbench.screenshot(`states-hostile-${name}`);
      expect(await frame.locator('body[data-hacked]').count()).toBe(0);
      expect(await workbench.page.locator('body[data-hacked]').count()).toBe(0);
    });
  }

  test('is plain text in the hover, without its own links and pictures', async () => {
    for (const [file, word] of [
      ['html', 'img'],
      ['markdown', 'link'],
      ['markdown', 'warning'],
    ] as const) {
      await workbench.runCommand('View: Focus First Editor Group');
      await workbench.openFile(`${file}.prompt.txt`);
      await expect.poll(async () => (await tokens.tokens()).join(''), slow).toContain(word);
      const hover = await new PromptEditor(workbench, `${file}.prompt.txt`).hover(word, /position \d+/);
      expect(await hover.locator('img, script, iframe').count()).toBe(0);
      const links = await hover.locator('a').allTextContents();
      for (const link of links) expect(link).toMatch(/^(Pin|Unpin|Ablate|Steer)$/);
      await workbench.screenshot(`states-hostileHover-${word}`);
      await workbench.page.mouse.move(700, 800);
    }
  });

  test('with half a character is computed all the same', async () => {
    await openText('half.prompt.txt', 'Mary ');
    await expect.poll(async () => (await tokens.tokens()).join(''), slow).toBe('Mary ');
    await workbench.focusEditor('half.prompt.txt');
    await workbench.page.evaluate(() => {
      const clipboardData = new DataTransfer();
      clipboardData.setData('text/plain', `a${String.fromCharCode(0xd83d)}b`);
      const paste = new ClipboardEvent('paste', { clipboardData, bubbles: true, cancelable: true });
      document.activeElement?.dispatchEvent(paste);
    });
    await expect.poll(async () => (await tokens.tokens()).join(''), slow).toMatch(/^Mary a.*b$/);
    expect(await message()).toBe('');
  });
});

describe('a model that cannot be loaded', () => {
  test('is told in panel, view and status bar: the folder is missing', async () => {
    await workbench.openFile('capitals.prompt.txt');
    await expect.poll(() => tokens.tokens(), slow).toContain(' France');
    workbench.changeSettings({ 'fovea.model.path': '/nowhere/model' });
    await expect
      .poll(message, slow)
      .toMatch(/There is no file at \/nowhere\/model.+Check the path.+Choose Model…/s);
    await workbench.statusBarItem(/model · not loaded/).waitFor();
    const stack = new InterventionsView(workbench);
    await stack.focus();
    const model = workbench.page.locator('.pane').filter({ hasText: 'There is no file at /nowhere/model' });
    await model.first().waitFor();
    await workbench.screenshot('states-modelMissing');
  });

  test('is told: the folder is broken', async () => {
    const folder = join(workbench.folder, 'broken');
    mkdirSync(folder);
    const tokenizer = join(projectRoot, 'models/mini/tokenizer.json');
    copyFileSync(tokenizer, join(folder, 'tokenizer.json'));
    writeFileSync(join(folder, 'config.json'), '{"model_type": "gpt2", "n_layer": "many');
    workbench.changeSettings({ 'fovea.model.path': folder });
    await expect
      .poll(message, slow)
      .toMatch(/config\.json is damaged or not of the expected format.+Choose Model…/s);
    await workbench.screenshot('states-modelBroken');
  });

  test('gives way to the next one', async () => {
    workbench.changeSettings({ 'fovea.model.path': '' });
    await expect.poll(() => tokens.tokens().catch(() => []), slow).toContain(' France');
    await workbench.statusBarItem(/mini$/).waitFor();
  });
});

test('the walkthrough opens with its steps', async () => {
  await workbench.runCommand('Fovea: Open Walkthrough');
  const walkthrough = workbench.page.locator('.gettingStartedContainer');
  await walkthrough.getByText('See what a language model computes').first().waitFor(slow);
  for (const step of [
    'Look at a prompt',
    'See the features of a token',
    'Change what the model computes',
    'Find the circuit',
    'Bring your own model',
  ]) {
    await walkthrough.getByText(step, { exact: true }).first().waitFor(slow);
  }
  await workbench.screenshot('states-walkthrough');
  expect(workbench.policyViolations).toEqual([]);
});
