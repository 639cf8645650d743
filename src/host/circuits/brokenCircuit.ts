/** A `*.circuit.json` file that cannot be read, such as one with a merge conflict: its editor says where, and leads to the text. */

import { basename } from 'node:path';
import * as vscode from 'vscode';
import { Disposable } from '../disposable.ts';
import type { Services } from '../services.ts';
import { showPage } from '../webviews/page.ts';
import { Surface } from '../webviews/surface.ts';
import { wordError } from '../wordError.ts';
import { readCircuitFile } from './circuitFile.ts';
import { CircuitServer } from './circuitServer.ts';

/** Stands for the file in editors until it can be read. */
export class BrokenCircuit extends Disposable implements vscode.CustomDocument {
  constructor(
    readonly uri: vscode.Uri,
    readonly error: unknown,
  ) {
    super();
  }
}

/** Shows what is wrong in the editor of the file. Once the file can be read, `open` shows the circuit instead. */
export function showBroken(
  services: Services,
  { error, uri }: BrokenCircuit,
  { panel, open }: { readonly panel: vscode.WebviewPanel; readonly open: () => void },
): void {
  const action = { title: vscode.l10n.t('Reopen as Text'), command: 'reopenAsText' as const };
  const server = new CircuitServer(services, {
    circuit: () => undefined,
    isFile: true,
    message: () => ({ kind: 'error', text: wordError(error), action }),
    undo: () => undefined,
    redo: () => undefined,
    save: async () => undefined,
    tell: () => undefined,
  });
  const surface = new Surface(panel.webview, server.api);
  const watcher = watch(uri, open);
  panel.onDidDispose(() => {
    watcher.dispose();
    server.dispose();
    surface.dispose();
  });
  const { extensionUri } = services.context;
  showPage({ webview: panel.webview, extensionUri, app: 'circuit', title: basename(uri.path) });
}

/** Calls once the file has been mended. */
function watch(uri: vscode.Uri, mended: () => void): vscode.Disposable {
  const pattern = new vscode.RelativePattern(vscode.Uri.joinPath(uri, '..'), basename(uri.path));
  const watcher = vscode.workspace.createFileSystemWatcher(pattern);
  const look = async (): Promise<void> => {
    try {
      await readCircuitFile(uri, uri);
    } catch {
      // Not yet: the editor goes on saying what was wrong when it was opened.
      return;
    }
    mended();
  };
  watcher.onDidChange(look);
  watcher.onDidCreate(look);
  return watcher;
}
