/** Bringing models and SAEs: the picker, what cannot be opened, whether SAEs are read right, and what stays in its place. */
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { projectRoot } from '../../scripts/vscodeServer.mjs';
import { seriousViolations } from '../vscode/accessibility.ts';
import { InterventionsView } from '../vscode/interventionsView.ts';
import { keepFailures } from '../vscode/keepFailures.ts';
import { ModelsView } from '../vscode/modelsView.ts';
import { openPage } from '../vscode/openPage.ts';
import { PromptEditor } from '../vscode/promptEditor.ts';
import { TokensView } from '../vscode/tokensView.ts';
import { type Theme, themes, type Workbench } from '../vscode/workbench.ts';

const prompt = 'indirectObject.prompt.txt';
const slow = { timeout: 60_000 };
const mini = join(projectRoot, 'models/mini');
const scratch = mkdtempSync(join(tmpdir(), 'fovea-models-'));
/** VS Code draws label and description without a blank between them, so that no name can contain both. */
const textMismatch = 'label-content-name-mismatch';
const commit = '607a30d783dfa663caf39e06633721c8d4cfcd7e';

let workbench: Workbench;
let editor: PromptEditor;
let tokens: TokensView;
let models: ModelsView;
/** Rules of axe that VS Code's own trees break. */
let ofEditor: readonly string[];

beforeAll(async () => {
  const workspace = join(scratch, 'workspace');
  cpSync(join(projectRoot, 'examples'), workspace, { recursive: true });
  const folders = join(scratch, 'models');
  copyModel(join(folders, 'twin'));
  writeModel(join(folders, 'falcon'), { model_type: 'falcon' });
  const cached = join(scratch, 'hub/models--someone--tiny');
  copyModel(join(cached, 'snapshots', commit));
  mkdirSync(join(cached, 'refs'));
  writeFileSync(join(cached, 'refs/main'), commit);
  copySae('blocks.0.hook_attn_out', 'declaredWrongly', { apply_b_dec_to_input: false });
  copySae('blocks.1.hook_mlp_out', 'scrambled', {});
  scrambleDecoder(join(scratch, 'saes/scrambled/sae_weights.safetensors'));
  mkdirSync(join(workspace, '.vscode'));
  const settings = { 'fovea.model.folders': [folders], 'fovea.sae.folders': [join(scratch, 'saes')] };
  writeFileSync(join(workspace, '.vscode/settings.json'), JSON.stringify(settings));
  const env = { HF_HUB_CACHE: join(scratch, 'hub'), HF_HUB_OFFLINE: '1' };
  workbench = await openPage({ workspace, env });
  editor = new PromptEditor(workbench, prompt);
  tokens = new TokensView(workbench);
  models = new ModelsView(workbench);
  await workbench.openFile(prompt);
  await workbench.runCommand('Fovea: Inspect Document');
  await tokens.frame();
  // VS Code's own lists break rules of axe; ours can be no better than they are.
  ofEditor = [...(await violations('.explorer-folders-view')).map(ruleOf), textMismatch];
  await models.focus();
});
beforeEach(() => keepFailures('models', () => workbench));
afterAll(async () => {
  await workbench?.close('models');
  rmSync(scratch, { recursive: true, force: true });
});

/** The embedded model without its SAEs. */
function copyModel(to: string): void {
  mkdirSync(to, { recursive: true });
  for (const file of ['config.json', 'model.safetensors', 'tokenizer.json', 'tokenizer_config.json']) {
    cpSync(join(mini, file), join(to, file));
  }
}

function writeModel(to: string, config: object): void {
  copyModel(to);
  writeFileSync(join(to, 'config.json'), JSON.stringify(config));
}

/** An SAE of the embedded model whose config says something else than it was trained with. */
function copySae(from: string, name: string, change: Readonly<Record<string, unknown>>): void {
  const to = join(scratch, 'saes', name);
  cpSync(join(mini, 'saes', from), to, { recursive: true });
  const config = JSON.parse(readFileSync(join(to, 'cfg.json'), 'utf8'));
  const metadata = { ...config.metadata, ...(change.metadata ?? {}) };
  writeFileSync(join(to, 'cfg.json'), JSON.stringify({ ...config, ...change, metadata }));
}

/** Gives every feature of an SAE the decoder row of another one. */
function scrambleDecoder(path: string): void {
  const bytes = readFileSync(path);
  const start = 8 + Number(bytes.readBigUInt64LE(0));
  const header = JSON.parse(bytes.subarray(8, start).toString('utf8'));
  const [from, to] = header.W_dec.data_offsets as [number, number];
  const decoder = bytes.subarray(start + from, start + to);
  const half = decoder.length / 2;
  writeFileSync(
    path,
    Buffer.concat([
      bytes.subarray(0, start + from),
      decoder.subarray(half),
      decoder.subarray(0, half),
      bytes.subarray(start + to),
    ]),
  );
}

/** What axe has against a part of the window. */
function violations(selector: string): Promise<readonly string[]> {
  return seriousViolations(workbench.page.mainFrame(), selector);
}

function ruleOf(violation: string): string {
  return violation.split(':')[0] ?? '';
}

/** The prompt and the place in it: tokens, cursor, selected token. */
async function place(): Promise<readonly string[]> {
  return [(await tokens.tokens()).join(''), await editor.cursor(), await tokens.selected()];
}

describe('the model', () => {
  test('is told with family, precision, parity and what stands before prompts', async () => {
    await expect.poll(() => models.texts(), slow).toContain('BOS none · as the tokenizer says');
    const [model] = await models.texts();
    expect(model).toMatch(/^mini GPT-2 · float32 · (checked|family checked|not compared)$/);
    expect((await models.texts()).find((text) => text.startsWith('Parity'))).toMatch(
      /checked against transformers [\d.]+.*: worst logit difference [\d.e-]+$/,
    );
  });

  test('has layers and hooks, and a hook’s name can be copied', async () => {
    await models.row('Other Hooks').waitFor();
    await models.act('blocks.2.hook_mlp_out', 'Copy Hook Name');
    await workbench.focusEditor(prompt);
    await workbench.page.keyboard.press('Control+V');
    await expect.poll(() => editor.text(), slow).toContain('blocks.2.hook_mlp_out');
    await workbench.page.keyboard.press('Control+Z');
    await expect.poll(() => editor.text(), slow).not.toContain('blocks.2');
    await models.focus();
  });
});

describe('the chosen SAE', () => {
  test('is checked without being asked, the others are not', async () => {
    await expect
      .poll(() => models.spoken(), slow)
      .toContainEqual(
        expect.stringMatching(
          /^SAE TopK \d+, [\d,]+ features, Residual stream, layer 2, reconstructs: 9\d % of variance, L0 [\d.]+, chosen/,
        ),
      );
    expect((await models.spoken()).filter((text) => /reconstructs/.test(text))).toHaveLength(1);
    await workbench.screenshot('models-checked');
  });
});

describe('an SAE that is declared wrongly', () => {
  let declared: readonly string[];

  test('gets the verdict which convention reads it better', async () => {
    await workbench.runCommand('Fovea: Choose SAE…');
    await expect.poll(() => workbench.quickRows().count(), slow).toBeGreaterThan(5);
    await models.pick('declaredWrongly');
    const notification = await workbench.waitForNotification(
      /explains \d+ % of the variance as its files declare it, and 95 % with: decoder bias subtracted/,
      60_000,
    );
    await models.row('reads better with: decoder bias subtracted (95 %)').waitFor(slow);
    declared = await tokens.features();
    await workbench.screenshot('models-readsBetter');
    await notification.getByRole('button', { name: 'Use It' }).click();
  });

  test('is read so once that is accepted, and its numbers change', async () => {
    await expect
      .poll(() => models.spoken(), slow)
      .toContainEqual(expect.stringMatching(/layer 0, reconstructs: 95 % of variance, L0 [\d.]+, chosen/));
    await expect.poll(() => tokens.features(), slow).not.toEqual(declared);
    await workbench.screenshot('models-readBetter');
  });

  test('is read so after a reload too, without being checked again', async () => {
    const before = await tokens.features();
    await workbench.reload();
    await expect.poll(() => tokens.features(), slow).toEqual(before);
    await models.focus();
    await expect
      .poll(() => models.spoken(), slow)
      .toContainEqual(expect.stringMatching(/layer 0, reconstructs: 95 % of variance, L0 [\d.]+, chosen/));
    expect(await workbench.notifications()).toEqual([]);
  });

  test('is read as declared again', async () => {
    await models.act('declaredWrongly', 'Read as Declared');
    await expect.poll(() => tokens.features(), slow).toEqual(declared);
    await models.row('reads better with: decoder bias subtracted (95 %)').waitFor(slow);
  });
});

describe('an SAE that reconstructs nothing', () => {
  test('is warned of', async () => {
    await workbench.runCommand('Fovea: Choose SAE…');
    await expect.poll(() => workbench.quickRows().count(), slow).toBeGreaterThan(5);
    await models.pick('scrambled');
    const notification = await workbench.waitForNotification(
      /explains only .+ no other convention helps/,
      60_000,
    );
    await models.row(/does not reconstruct \(.+ %\)/).waitFor(slow);
    await workbench.screenshot('models-poor');
    await notification.getByRole('button', { name: 'Details' }).click();
    await expect.poll(async () => (await models.offers())[0], slow).toMatch(/^as declared ?in use/);
    await workbench.page.keyboard.press('Escape');
    await workbench.clearNotifications();
  });
});

describe('the model picker', () => {
  test('lists what is embedded, cached and in the folders, and says why something cannot be opened', async () => {
    await workbench.runCommand('Fovea: Choose Model…');
    const isListed = expect.stringMatching(/^someone\/tiny ?GPT-2 · [\d.]+ MB In the Hugging Face Cache/);
    await expect.poll(() => models.offers(), slow).toContainEqual(isListed);
    const texts = await models.offers();
    expect(texts[0]).toMatch(/^Embedded Model.*shown now Embedded$/);
    expect(texts).toContainEqual(expect.stringMatching(/^twin ?GPT-2/));
    expect(texts).toContainEqual(expect.stringMatching(/^falcon.*"falcon"/));
    for (const more of ['Download From the Hub…', 'Open Folder…', 'Open GGUF File…']) {
      expect(texts.some((text) => text.includes(more))).toBe(true);
    }
    await workbench.screenshot('models-picker');
    await workbench.quickRows().filter({ hasText: 'falcon' }).first().click();
    await workbench.waitForNotification(/falcon cannot be opened/);
    await workbench.page.keyboard.press('Escape');
    await workbench.clearNotifications();
  });

  test('opens another model and leaves the prompt, the cursor and the interventions at their place', async () => {
    await editor.moveCursor('When Mary and John'.length);
    await workbench.runCommand('Fovea: Ablate MLP…');
    await workbench.quickRows().first().click();
    await expect.poll(() => tokens.contrastLine(), slow).toMatch(/1 intervention/);
    const before = await place();
    await workbench.runCommand('Fovea: Choose Model…');
    await models.pick('someone/tiny');
    await workbench.statusBarItem('someone/tiny').waitFor(slow);
    await expect.poll(async () => (await place())[2], slow).toBe(' John');
    expect(await place()).toEqual(before);
    const stack = new InterventionsView(workbench);
    await stack.focus();
    await expect.poll(() => stack.edits(), slow).toHaveLength(1);
    await workbench.screenshot('models-switched');
  });
});

describe('the beginning-of-sequence token', () => {
  test('comes as soon as it is chosen, and the selection stays with its text', async () => {
    await workbench.runCommand('Fovea: Choose BOS Policy…');
    await models.pick('Always');
    await expect.poll(async () => (await tokens.tokens())[0], slow).toBe('<|endoftext|>');
    expect(await tokens.selected()).toBe(' John');
    await models.focus();
    await models.row(/BOS.*<\|endoftext\|> · always/).waitFor(slow);
    await workbench.screenshot('models-bos');
    workbench.changeSettings({ 'fovea.model.bos': 'never' });
    await expect.poll(async () => (await tokens.tokens())[0], slow).toBe('When');
    await models.row(/BOS.*none · never/).waitFor(slow);
  });
});

describe('a model that cannot be loaded', () => {
  test('is told in the view, which offers another one', async () => {
    workbench.changeSettings({ 'fovea.model.path': '/nowhere/model' });
    await models.pane().getByText('There is no file at /nowhere/model').waitFor(slow);
    await expect
      .poll(() => models.texts(), slow)
      .toEqual([
        'model not loaded',
        'Back to someone/tiny',
        'Choose Model…',
        'Use the Embedded Model',
        'Show Log',
      ]);
    await workbench.screenshot('models-failed');
    await models.row('Choose Model…').click();
    await models.pick('twin');
    await workbench.statusBarItem('twin').waitFor(slow);
    await expect.poll(() => tokens.selected(), slow).toBe(' John');
    await models.row(/^twin/).waitFor(slow);
  });
});

describe('the view', () => {
  test('says aloud all that its rows show', async () => {
    await workbench.runCommand('Fovea: Choose Model…');
    await models.pick('Embedded Model');
    await models.row(/reconstruct/).waitFor(slow);
    const rows = await models.rows().evaluateAll((elements) =>
      elements.map((row) => ({
        shown: [...row.querySelectorAll('.label-name, .label-description')].map((part) => part.textContent),
        spoken: row.getAttribute('aria-label'),
      })),
    );
    expect(rows.length).toBeGreaterThan(8);
    for (const { shown, spoken } of rows) for (const text of shown) expect(spoken).toContain(text);
  });

  for (const theme of Object.keys(themes) as Theme[]) {
    test(`has no serious violation in the theme ${themes[theme]}`, async () => {
      await workbench.setTheme(theme);
      await models.focus();
      const id = 'fovea-models-under-test';
      await models.tree().evaluate((tree, name) => tree.setAttribute('id', name), id);
      const ours = (await violations(`#${id}`)).filter((one) => !ofEditor.includes(ruleOf(one)));
      expect(ours).toEqual([]);
      await workbench.screenshot(`theme-${theme}-models`);
    });
  }
});
