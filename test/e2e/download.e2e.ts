/** A model from a hub to the prompt: asked for by name, confirmed, cancelled, resumed after a failure, and opened. */
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { projectRoot } from '../../scripts/vscodeServer.mjs';
import { type TinyModel, writeTinyModel } from '../fixtures/tinyModel.ts';
import { type HubServer, startHubServer, tokens } from '../unit/engine/hub/hubServer.ts';
import { keepFailures } from '../vscode/keepFailures.ts';
import { openPage } from '../vscode/openPage.ts';
import type { Workbench } from '../vscode/workbench.ts';

const slow = { timeout: 60_000 };
const scratch = mkdtempSync(join(tmpdir(), 'fovea-download-'));
const repo = 'acme/tiny-model';
const commit = '0123456789abcdef0123456789abcdef01234567';
const weights = 'model.safetensors';

let workbench: Workbench;
let hub: HubServer;
let tiny: TinyModel;

beforeAll(async () => {
  tiny = await writeTinyModel(3);
  const names = ['config.json', 'tokenizer.json', weights];
  const files = Object.fromEntries(names.map((name) => [name, readFileSync(join(tiny.folder, name))]));
  hub = await startHubServer(repo, { commit, files, access: 'gated' });
  const workspace = join(scratch, 'workspace');
  cpSync(join(projectRoot, 'examples'), workspace, { recursive: true });
  mkdirSync(join(workspace, '.vscode'));
  // A workspace must not be able to name the hub.
  const stolen = { 'fovea.hub.endpoint': 'http://127.0.0.1:9' };
  writeFileSync(join(workspace, '.vscode/settings.json'), JSON.stringify(stolen));
  const env = { HF_HOME: join(scratch, 'hf'), HF_ENDPOINT: hub.endpoint };
  workbench = await openPage({ workspace, env });
});
beforeEach(() => keepFailures('download', () => workbench));
afterAll(async () => {
  await workbench?.close('download');
  await hub?.close();
  await tiny?.remove();
  rmSync(scratch, { recursive: true, force: true });
});

const contentRequests = () => hub.seen.filter(({ host }) => host === 'content');

/** Runs the command, names the repository, and waits for the question. */
async function askFor(name: string): Promise<void> {
  await workbench.runCommand('Fovea: Download Model…');
  await workbench.answer(name);
  await workbench.quickRows().filter({ hasText: 'Do Not Download' }).waitFor(slow);
}

test('a name is checked while it is typed, and nothing is asked of the network meanwhile', async () => {
  await workbench.runCommand('Fovea: Download Model…');
  await workbench.quickInput().fill('../etc');
  const hint = workbench.page.locator('.quick-input-widget:visible .quick-input-message');
  await expect.poll(() => hint.textContent(), slow).toContain('Type owner/name');
  await workbench.screenshot('download-name');
  await workbench.page.keyboard.press('Escape');
  expect(hub.seen).toEqual([]);
});

test('the question says what, how much, from where and to where; no ends it', async () => {
  await askFor(repo);
  const widget = workbench.page.locator('.quick-input-widget:visible');
  const words = (await widget.textContent()) ?? '';
  expect(words).toMatch(/Download [\d.]+ kB \(3 files\)/);
  expect(words).toContain(`from ${new URL(hub.endpoint).host}`);
  expect(words).toContain(`into ${join(scratch, 'hf', 'hub')}`);
  await workbench.screenshot('download-question');
  await workbench.pick('Do Not Download');
  expect(contentRequests()).toEqual([]);
});

test('a gated model asks for a token, which is kept, and the download can be cancelled', async () => {
  hub.trouble.stalled.set(weights, 2000);
  await askFor(repo);
  await workbench.pick('Download ');
  const refused = await workbench.waitForNotification(/does not hand out acme\/tiny-model/);
  await workbench.screenshot('download-refused');
  await refused.getByRole('button', { name: 'Set Hub Token…' }).click();
  await workbench.answer(tokens.granted);
  const progress = await workbench.waitForNotification(/Downloading acme\/tiny-model/);
  await expect.poll(() => progress.textContent(), slow).toMatch(/B of [\d.]+ kB/);
  await workbench.screenshot('download-progress');
  await progress.getByRole('button', { name: 'Cancel' }).click();
  await expect.poll(async () => (await workbench.notifications()).join(), slow).not.toContain('Downloading');
  expect(new Set(contentRequests().map(({ authorization }) => authorization))).toEqual(new Set([undefined]));
});

test('a failure offers to try again, goes on where it stopped, and opens the model', async () => {
  hub.trouble.stalled.clear();
  hub.trouble.cut.set(weights, [1000, 0, 0, 0, 0]);
  await workbench.clearNotifications();
  await askFor(repo);
  await workbench.pick('Download ');
  const failed = await workbench.waitForNotification(/cannot be reached: the connection was cut/);
  await workbench.screenshot('download-failed');
  hub.trouble.cut.clear();
  hub.seen.length = 0;
  await failed.getByRole('button', { name: 'Retry' }).click();
  await workbench.openFile('capitals.prompt.txt');
  await workbench.runCommand('Fovea: Inspect Document');
  await workbench.statusBarItem(/tiny-model/).waitFor(slow);
  await workbench.screenshot('download-opened');
  const asked = contentRequests().filter(({ url }) => url.includes(weights));
  expect(asked.map(({ range }) => range)).toEqual([expect.stringMatching(/^bytes=[1-9]\d*-$/)]);
});

test('what is in the cache is opened without a question or a request', async () => {
  hub.seen.length = 0;
  await workbench.runCommand('Fovea: Download Model…');
  await workbench.answer(repo);
  await expect.poll(() => workbench.quickInput().count(), slow).toBe(0);
  await workbench.statusBarItem(/tiny-model/).waitFor(slow);
  expect(hub.seen).toEqual([]);
});
