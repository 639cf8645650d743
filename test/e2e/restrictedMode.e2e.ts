/** An untrusted workspace: its settings cannot name a model, the embedded one works, and trust lifts the limit. */
import { cpSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { projectRoot } from '../../scripts/vscodeServer.mjs';
import { keepFailures } from '../vscode/keepFailures.ts';
import { openPage } from '../vscode/openPage.ts';
import { TokensView } from '../vscode/tokensView.ts';
import type { Workbench } from '../vscode/workbench.ts';

const slow = { timeout: 60_000 };
const scratch = mkdtempSync(join(tmpdir(), 'fovea-restricted-'));

let workbench: Workbench;
let tokens: TokensView;

beforeAll(async () => {
  const workspace = join(scratch, 'workspace');
  cpSync(join(projectRoot, 'examples'), workspace, { recursive: true });
  mkdirSync(join(workspace, '.vscode'));
  const settings = { 'fovea.model.path': '/nowhere/model' };
  writeFileSync(join(workspace, '.vscode/settings.json'), JSON.stringify(settings));
  workbench = await openPage({ workspace, trusted: false });
  tokens = new TokensView(workbench);
});
beforeEach(() => keepFailures('restrictedMode', () => workbench));
afterAll(async () => {
  await workbench?.close('restrictedMode');
  rmSync(scratch, { recursive: true, force: true });
});

test('restricted mode ignores the model that the workspace names and uses the embedded one', async () => {
  await workbench.statusBarItem('Restricted Mode').waitFor(slow);
  await workbench.openFile('capitals.prompt.txt');
  await workbench.runCommand('Fovea: Inspect Document');
  await expect.poll(() => tokens.tokens(), slow).toContain(' France');
  await workbench.statusBarItem(/mini$/).waitFor(slow);
  await workbench.screenshot('restrictedMode');
});

test('trusting the workspace lets its settings count', async () => {
  await workbench.trustWorkspace();
  await workbench.openFile('capitals.prompt.txt');
  const frame = await workbench.webview('tokens', 60_000);
  await expect
    .poll(() => frame.locator('.message').textContent(), slow)
    .toMatch(/There is no file at \/nowhere\/model/);
});
