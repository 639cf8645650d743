/** Experiments in a real VS Code: the line over one, completion, and a run that writes its results beside the file. */
import assert from 'node:assert/strict';
import * as vscode from 'vscode';
import { commands } from '../../src/host/names.ts';

const file = 'indirectObject.fovea.json';

function place(name: string): vscode.Uri {
  const folder = vscode.workspace.workspaceFolders?.[0]?.uri;
  assert.ok(folder, 'a folder is open');
  return vscode.Uri.joinPath(folder, name);
}

async function openExperiment(): Promise<vscode.TextDocument> {
  await vscode.extensions.getExtension('fovea.fovea')?.activate();
  const document = await vscode.workspace.openTextDocument(place(file));
  await vscode.window.showTextDocument(document);
  return document;
}

async function lensTitles(uri: vscode.Uri): Promise<string[]> {
  const lenses = await vscode.commands.executeCommand<vscode.CodeLens[]>(
    'vscode.executeCodeLensProvider',
    uri,
    10,
  );
  return lenses.map((lens) => lens.command?.title ?? '');
}

describe('An experiment', () => {
  it('can be run from the line over it', async () => {
    const { uri } = await openExperiment();
    assert.ok((await lensTitles(uri)).includes('$(play) Run'));
  });

  it('completes the task files that lie beside it', async () => {
    const document = await openExperiment();
    const at = document.positionAt(document.getText().indexOf('indirectObject.task') + 3);
    const list = await vscode.commands.executeCommand<vscode.CompletionList>(
      'vscode.executeCompletionItemProvider',
      document.uri,
      at,
    );
    const labels = list.items.map(({ label }) => (typeof label === 'string' ? label : label.label));
    assert.ok(labels.includes('indirectObject.task.jsonl'), labels.join());
  });

  it('has its results beside it once it has run', async () => {
    const { uri } = await openExperiment();
    await vscode.commands.executeCommand(commands.runExperiment, uri);
    const bytes = await vscode.workspace.fs.readFile(place('indirectObject.results.json'));
    const { results, provenance } = JSON.parse(new TextDecoder().decode(bytes));
    assert.equal(results.length, 4);
    assert.equal(provenance.model.name, 'mini');
    assert.ok(results[0].values.length === 4 && results[0].values[0].length === 8);
    const circuit = await vscode.workspace.fs.readFile(place('indirectObject.results.circuit.json'));
    assert.equal(JSON.parse(new TextDecoder().decode(circuit)).version, 1);
    assert.ok((await lensTitles(uri)).includes('Results'));
  });
});
