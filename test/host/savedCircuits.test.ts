/** Circuit files in a real VS Code: their editor, the text that differences show, and files that are none. */

import assert from 'node:assert/strict';
import * as vscode from 'vscode';
import { commands, customEditors } from '../../src/host/names.ts';
import { writeCircuit } from '../../src/shared/circuitDocument.ts';
import { writePublicGraph } from '../../src/shared/publicGraphWriter.ts';
import { tinyCircuit } from '../fixtures/tinyCircuit.ts';

function place(name: string): vscode.Uri {
  const folder = vscode.workspace.workspaceFolders?.[0]?.uri;
  assert.ok(folder, 'a folder is open');
  return vscode.Uri.joinPath(folder, name);
}

async function write(name: string, text: string): Promise<vscode.Uri> {
  const uri = place(name);
  await vscode.workspace.fs.writeFile(uri, new TextEncoder().encode(text));
  return uri;
}

/** Waits until `read` gives something. */
async function eventually<T>(what: string, read: () => T | undefined | false): Promise<T> {
  for (let turn = 0; turn < 400; turn++) {
    const value = read();
    if (value) return value;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  throw new Error(`It did not happen: ${what}.`);
}

const tabs = (): vscode.Tab[] => vscode.window.tabGroups.all.flatMap((group) => group.tabs);

function circuitTab(uri: vscode.Uri): vscode.Tab | undefined {
  return tabs().find(
    ({ input }) =>
      input instanceof vscode.TabInputCustom &&
      input.viewType === customEditors.circuit &&
      input.uri.toString() === uri.toString(),
  );
}

describe('A circuit file', () => {
  after(() => vscode.commands.executeCommand('workbench.action.closeAllEditors'));

  it('opens in the circuit editor, unchanged', async () => {
    const uri = await write('host.circuit.json', writeCircuit(tinyCircuit));
    await vscode.commands.executeCommand('vscode.open', uri);
    const tab = await eventually('the editor', () => circuitTab(uri));
    assert.equal(tab.isDirty, false);
  });

  it('is compared with an older version as text', async () => {
    const one = await write('old.circuit.json', writeCircuit({ ...tinyCircuit, annotations: undefined }));
    await vscode.commands.executeCommand('vscode.diff', one, place('host.circuit.json'), 'difference');
    const tab = await eventually('the difference', () => tabs().find(({ label }) => label === 'difference'));
    assert.ok(tab.input instanceof vscode.TabInputTextDiff, 'it is a difference of texts');
  });

  it('of another tool is imported into the panel', async () => {
    const uri = await write('other.json', writePublicGraph(tinyCircuit).text);
    await vscode.commands.executeCommand(commands.importCircuit, uri);
    await eventually('the panel', () => tabs().find(({ label }) => label === 'Circuit: other.json'));
  });

  it('that is damaged is refused, and the circuit before stays', async () => {
    const uri = await write('bad.circuit.json', '{"version": 1}');
    await vscode.commands.executeCommand(commands.importCircuit, uri);
    assert.ok(tabs().some(({ label }) => label === 'Circuit: other.json'));
    await vscode.commands.executeCommand('notifications.clearAll');
  });
});
