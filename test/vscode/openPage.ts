/** Opens VS Code in a browser on a copy of a workspace, with the extension under development or packaged, for one e2e file. */
import { cpSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { installExtension, linkExtension, projectRoot, startServer } from '../../scripts/vscodeServer.mjs';
import { launchBrowser, viewport } from './browser.mjs';
import { Workbench } from './workbench.ts';

/** What a test may choose; each has a default. */
export interface OpenOptions {
  /** The extension's folder, used as it is built; the project by default. */
  readonly extension?: string;
  /** A packaged extension, installed instead of the folder. */
  readonly vsix?: string;
  /** The folder that is copied and opened; `examples` by default. */
  readonly workspace?: string;
  /** The user's settings. */
  readonly settings?: Readonly<Record<string, unknown>>;
  /** Whether the workspace is trusted; if not, the window opens in restricted mode without asking. True by default. */
  readonly trusted?: boolean;
  /** More environment for the extension host and the engine. */
  readonly env?: Readonly<Record<string, string>>;
}

/** Settings that make two screenshots of the same thing equal. */
const steadySettings = {
  'editor.cursorBlinking': 'solid',
  'editor.minimap.enabled': false,
  'editor.wordWrap': 'on',
  'workbench.reduceMotion': 'on',
  'workbench.colorTheme': 'Dark Modern',
  'files.autoSave': 'off',
  // Tests change settings through this folder; pictures should not show it.
  'files.exclude': { '**/.vscode': true },
};

/**
 * Starts a server and a browser of its own and opens the window.
 * @throws Error when VS Code's server or Chromium is missing
 */
export async function openPage(options: OpenOptions = {}): Promise<Workbench> {
  const scratch = mkdtempSync(join(tmpdir(), 'fovea-e2e-'));
  const folder = join(scratch, 'workspace');
  const dataFolder = join(scratch, 'server');
  cpSync(options.workspace ?? join(projectRoot, 'examples'), folder, { recursive: true });
  mkdirSync(dataFolder);
  if (options.vsix === undefined) {
    linkExtension(dataFolder, options.extension ?? projectRoot);
  } else {
    installExtension(dataFolder, options.vsix);
  }
  const restricted = options.trusted === false ? { 'security.workspace.trust.startupPrompt': 'never' } : {};
  const settings = { ...steadySettings, ...restricted, ...options.settings };
  const server = await startServer({ dataFolder, settings, trusted: options.trusted, env: options.env });
  const browser = await launchBrowser();
  const page = await browser.newPage({ viewport, reducedMotion: 'reduce' });
  page.setDefaultTimeout(30_000);
  const stop = async (): Promise<void> => {
    await browser.close();
    await server.stop();
    rmSync(scratch, { recursive: true, force: true, maxRetries: 5, retryDelay: 200 });
  };
  const address = server.address({ folder });
  const workbench = new Workbench({ page, address, folder, dataFolder, stop });
  await workbench.open().catch(async (error: unknown) => {
    await workbench.screenshot('windowDidNotOpen');
    await stop();
    throw error;
  });
  return workbench;
}
