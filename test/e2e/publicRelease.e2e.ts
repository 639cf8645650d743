/**
 * From a public release to features in the window: the index is the real one and names a small model's SAEs; the hub on
 * this machine serves files under the names that the real repositories have, made for a tiny stand-in of that model.
 */
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { projectRoot } from '../../scripts/vscodeServer.mjs';
import { writeTorch } from '../../src/engine/files/torchWriter.ts';
import { type FloatValue, floatValue } from '../../src/engine/graph/value.ts';
import { writeSaeLens } from '../../src/engine/sae/formats/saelens.ts';
import { tinyModelConfig, tinySaeConfig, writeTinyModel } from '../fixtures/tinyModel.ts';
import { type HubServer, startHubServer } from '../unit/engine/hub/hubServer.ts';
import { keepFailures } from '../vscode/keepFailures.ts';
import { ModelsView } from '../vscode/modelsView.ts';
import { openPage } from '../vscode/openPage.ts';
import { TokensView } from '../vscode/tokensView.ts';
import type { Workbench } from '../vscode/workbench.ts';

const slow = { timeout: 60_000 };
const scratch = mkdtempSync(join(tmpdir(), 'fovea-release-'));
const commit = '0123456789abcdef0123456789abcdef01234567';
const prompt = 'capitals.prompt.txt';
const { dModel } = tinyModelConfig;

const residual = {
  release: 'gpt2-small-res-jb',
  id: 'blocks.1.hook_resid_pre',
  repo: 'jbloom/GPT2-Small-SAEs-Reformatted',
  files: ['cfg.json', 'sae_weights.safetensors'].map((name) => `blocks.1.hook_resid_pre/${name}`),
};
const checkpoint =
  'gpt2-small_L1_Hcat_z_lr1.20e-03_l18.00e-01_ds24576_bs4096_dc1.00e-06_rsanthropic_rie25000_nr4_v5';
const heads = {
  release: 'gpt2-small-hook-z-kk',
  id: 'blocks.1.hook_z',
  repo: 'ckkissane/attn-saes-gpt2-small-all-layers',
  files: [`${checkpoint}.pt`, `${checkpoint}_cfg.json`],
};

let workbench: Workbench;
let hub: HubServer;
let models: ModelsView;
let tokens: TokensView;

beforeAll(async () => {
  const model = join(scratch, 'gpt2');
  const tiny = await writeTinyModel(3);
  for (const name of ['config.json', 'model.safetensors', 'tokenizer.json', 'tokenizer_config.json'])
    cpSync(join(tiny.folder, name), join(model, name));
  await tiny.remove();
  await writeRepositories();
  hub = await startHubServer(residual.repo, { commit, files: served(residual) });
  hub.repos.set(heads.repo, { commit, files: served(heads) });
  const workspace = join(scratch, 'workspace');
  cpSync(join(projectRoot, 'examples'), workspace, { recursive: true });
  mkdirSync(join(workspace, '.vscode'));
  writeFileSync(join(workspace, '.vscode/settings.json'), JSON.stringify({ 'fovea.model.path': model }));
  const env = { HF_HOME: join(scratch, 'hf'), HF_ENDPOINT: hub.endpoint };
  workbench = await openPage({ workspace, env });
  models = new ModelsView(workbench);
  tokens = new TokensView(workbench);
  await workbench.openFile(prompt);
  await workbench.runCommand('Fovea: Inspect Document');
  await tokens.frame();
  await models.focus();
});
beforeEach(() => keepFailures('publicRelease', () => workbench));
afterAll(async () => {
  await workbench?.close('publicRelease');
  await hub?.close();
  rmSync(scratch, { recursive: true, force: true });
});

/** SAEs with a feature for each direction and sign of the input, so that they reconstruct whatever they read. */
async function writeRepositories(): Promise<void> {
  const dSae = 2 * dModel;
  const at = (row: number, column: number): number =>
    Number(column === row) - Number(column === row + dModel);
  const matrix = (rows: number, columns: number, value: typeof at): FloatValue =>
    floatValue(
      Float32Array.from({ length: rows * columns }, (_, i) => value(Math.floor(i / columns), i % columns)),
      [rows, columns],
    );
  const tensors = {
    W_enc: matrix(dModel, dSae, at),
    b_enc: floatValue(new Float32Array(dSae), [dSae]),
    W_dec: matrix(dSae, dModel, (row, column) => at(column, row)),
    b_dec: floatValue(new Float32Array(dModel), [dModel]),
  };
  const folder = join(scratch, residual.repo, residual.id);
  mkdirSync(folder, { recursive: true });
  await writeSaeLens(folder, { ...tinySaeConfig(residual.id), dSae }, tensors);
  mkdirSync(join(scratch, heads.repo), { recursive: true });
  await writeTorch(join(scratch, heads.repo, `${checkpoint}.pt`), tensors);
  const config = { act_size: dModel, dict_size: dSae, act_name: 'blocks.1.attn.hook_z' };
  writeFileSync(join(scratch, heads.repo, `${checkpoint}_cfg.json`), JSON.stringify(config));
}

/** The repository's files, with others that nobody asked for. */
function served({ repo, files }: typeof residual): Readonly<Record<string, Uint8Array>> {
  const asked = files.map((file) => [file, readFileSync(join(scratch, repo, file))] as const);
  return { 'README.md': new Uint8Array(10), ...Object.fromEntries(asked) };
}

/** Walks from the command to the SAE of the release. */
async function choose({ release, id }: typeof residual): Promise<void> {
  await workbench.runCommand('Fovea: Choose SAE…');
  await models.pick('Public Releases for gpt2…');
  await workbench.quickRows().filter({ hasText: 'gpt2-small' }).first().waitFor(slow);
  await models.pick(release);
  await workbench.quickRows().filter({ hasText: id }).first().waitFor(slow);
  await models.pick(id);
}

/** Says yes by keyboard: the pointer still lies where the last choice was made, under its tooltip. */
async function confirm(): Promise<void> {
  await workbench.quickRows().filter({ hasText: 'Do Not Download' }).waitFor(slow);
  await workbench.page.keyboard.press('Enter');
}

function requested(): readonly string[] {
  const paths = hub.seen.map(({ url }) => /\/resolve\/\w+\/(.+)$/.exec(decodeURIComponent(url))?.[1]);
  return [...new Set(paths.filter((path) => path !== undefined))].sort();
}

test('an SAE that is a folder of its repository is fetched after a question, and its features are shown', async () => {
  expect(await tokens.features()).toEqual([]);
  await choose(residual);
  await workbench.quickRows().filter({ hasText: 'Do Not Download' }).waitFor(slow);
  await workbench.page.mouse.move(700, 700);
  await workbench.screenshot('publicRelease-question');
  expect(requested()).toEqual([]);
  await confirm();
  await models.row(`${residual.release}/${residual.id}`).waitFor(slow);
  await expect.poll(() => tokens.features(), slow).not.toEqual([]);
  expect(requested()).toEqual(residual.files);
  await workbench.screenshot('publicRelease-folder');
});

test('an SAE that is a checkpoint among others comes with the config beside it', async () => {
  const before = await tokens.features();
  hub.seen.length = 0;
  await choose(heads);
  await confirm();
  await models.row(`${heads.release}/${heads.id}`).waitFor(slow);
  const isChosen = expect.stringMatching(/^SAE gpt2-small-hook-z-kk.* layer 1, .*, chosen$/);
  await expect.poll(() => models.spoken(), slow).toContainEqual(isChosen);
  await expect.poll(() => tokens.features(), slow).not.toEqual(before);
  expect(await tokens.features()).not.toEqual([]);
  expect(requested()).toEqual(heads.files);
  await workbench.screenshot('publicRelease-checkpoint');
});

test('what is in the cache is shown without a question or a request', async () => {
  hub.seen.length = 0;
  await choose(residual);
  const isChosen = expect.stringMatching(/^SAE gpt2-small-res-jb.* layer 1, .*, chosen$/);
  await expect.poll(() => models.spoken(), slow).toContainEqual(isChosen);
  expect(hub.seen).toEqual([]);
});
