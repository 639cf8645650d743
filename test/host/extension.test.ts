/** The extension in a real VS Code: commands, surfaces, bad input, and an engine that is killed. */

import assert from 'node:assert/strict';
import { join } from 'node:path';
import * as vscode from 'vscode';
import { commands, settings } from '../../src/host/names.ts';
import type { Look } from '../../src/host/prompt.ts';
import type { TestApi } from '../../src/host/testApi.ts';

const extensionId = 'fovea.fovea';
const promptFile = 'indirectObject.prompt.txt';

async function activated(): Promise<TestApi> {
  const extension = vscode.extensions.getExtension<TestApi>(extensionId);
  assert.ok(extension, 'the extension is installed');
  return extension.activate();
}

/** Waits until `read` gives something; the editor tells the extension of changes only after a while. */
async function eventually<T>(what: string, read: () => Promise<T | undefined | false>): Promise<T> {
  for (let turn = 0; turn < 400; turn++) {
    const value = await read();
    if (value) return value;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  throw new Error(`It did not happen: ${what}.`);
}

async function open(uri: vscode.Uri): Promise<vscode.TextEditor> {
  return vscode.window.showTextDocument(await vscode.workspace.openTextDocument(uri));
}

async function openPrompt(): Promise<vscode.TextEditor> {
  const folder = vscode.workspace.workspaceFolders?.[0]?.uri;
  assert.ok(folder, 'a folder is open');
  return open(vscode.Uri.joinPath(folder, promptFile));
}

/** The look at this very text. */
function lookAt(api: TestApi, document: vscode.TextDocument): Promise<Look> {
  return eventually(`a look at ${document.uri.path}`, async () => {
    const look = await api.settled();
    return look?.prompt.uri === document.uri.toString() && look.prompt.text === document.getText() && look;
  });
}

async function hoverText(document: vscode.TextDocument, position: vscode.Position): Promise<string> {
  const hovers = await vscode.commands.executeCommand<vscode.Hover[]>(
    'vscode.executeHoverProvider',
    document.uri,
    position,
  );
  const parts = hovers.flatMap((hover) => hover.contents);
  return parts.map((part) => (typeof part === 'string' ? part : part.value)).join('\n');
}

async function replaceAll(editor: vscode.TextEditor, text: string): Promise<void> {
  const { document } = editor;
  const end = document.lineAt(document.lineCount - 1).range.end;
  await editor.edit((edit) => edit.replace(new vscode.Range(new vscode.Position(0, 0), end), text));
}

describe('The extension', () => {
  it('registers every command of the manifest, and no other of its own', async () => {
    await activated();
    const registered = (await vscode.commands.getCommands(true)).filter((id) => id.startsWith('fovea.'));
    // VS Code adds some of its own for every view.
    const own = registered.filter((id) => !/^fovea\.(interventions|model|results)\.\w+/.test(id));
    assert.deepEqual(own.sort(), Object.values(commands).sort());
  });

  it('has a default for every setting', async () => {
    const configuration = vscode.workspace.getConfiguration();
    const missing = Object.values(settings).filter(
      (id) => configuration.inspect(id)?.defaultValue === undefined,
    );
    assert.deepEqual(missing, []);
  });
});

describe('The prompt', () => {
  let api: TestApi;
  let editor: vscode.TextEditor;

  beforeEach(async () => {
    api = await activated();
    editor = await openPrompt();
    await lookAt(api, editor.document);
  });

  it('is looked at as soon as its file is open', async () => {
    const { analysis } = await lookAt(api, editor.document);
    assert.ok(analysis.strip.tokens.length > 8);
    assert.equal(analysis.predictions.length, analysis.strip.tokens.length);
  });

  it('tells in a hover what is computed at the token', async () => {
    const { analysis } = await lookAt(api, editor.document);
    const offset = editor.document.getText().indexOf('John');
    const token = analysis.strip.tokens.find(({ start, end }) => start <= offset && offset < end);
    assert.ok(token);
    const text = await eventually('a hover', () =>
      hoverText(editor.document, editor.document.positionAt(offset)),
    );
    assert.match(text, new RegExp(`token ${token.id} `));
    assert.match(text, /\*\*Next\*\*/);
    assert.match(text, /command:fovea\.pinFeature\?/);
  });

  it('has model, SAE and token count above it, and the next token after it', async () => {
    const look = await lookAt(api, editor.document);
    const lenses = await vscode.commands.executeCommand<vscode.CodeLens[]>(
      'vscode.executeCodeLensProvider',
      editor.document.uri,
      10,
    );
    const titles = lenses.map((lens) => lens.command?.title ?? '');
    // What can be done comes first, since VS Code cuts the line off where the editor ends.
    assert.equal(titles[0], 'Find Circuit');
    assert.ok(titles.includes('Compare'));
    const summary = new RegExp(`${look.model.name}.*${look.analysis.strip.tokens.length} tokens`);
    assert.match(titles.join(' | '), summary);

    const whole = new vscode.Range(0, 0, editor.document.lineCount, 0);
    const hints = await vscode.commands.executeCommand<vscode.InlayHint[]>(
      'vscode.executeInlayHintProvider',
      editor.document.uri,
      whole,
    );
    assert.match(String(hints[0]?.label), /^\s→ ".+" .+ %$/);
  });

  it('is computed again as it is typed', async () => {
    const before = await lookAt(api, editor.document);
    const end = editor.document.lineAt(editor.document.lineCount - 1).range.end;
    await editor.edit((edit) => edit.insert(end, ' the'));
    const after = await lookAt(api, editor.document);
    assert.equal(after.analysis.strip.tokens.length, before.analysis.strip.tokens.length + 1);
    await vscode.commands.executeCommand('workbench.action.files.revert');
  });

  it('can be ablated, with an effect, and the ablation undone and done again', async () => {
    const { analysis } = await lookAt(api, editor.document);
    const features = analysis.features[0];
    assert.ok(features);
    const feature = { sae: features.sae, index: features.indices[features.k] };
    await vscode.commands.executeCommand(commands.ablateFeature, feature);
    assert.equal(api.edits().length, 1);
    assert.ok((await api.settled())?.analysis.effect);
    await vscode.commands.executeCommand(commands.undoIntervention);
    assert.equal(api.edits().length, 0);
    assert.equal((await api.settled())?.analysis.effect, undefined);
    await vscode.commands.executeCommand(commands.redoIntervention);
    assert.equal(api.edits().length, 1);
    await vscode.commands.executeCommand(commands.clearInterventions);
    assert.equal(api.edits().length, 0);
  });

  it('does not take a feature of another shape from a link', async () => {
    const asking = vscode.commands.executeCommand(commands.ablateFeature, { sae: 1, index: 'x' });
    await new Promise((resolve) => setTimeout(resolve, 500));
    await vscode.commands.executeCommand('workbench.action.closeQuickOpen');
    await asking;
    assert.equal(api.edits().length, 0);
  });
});

describe('Bad input', () => {
  it('an empty document says that it is empty', async () => {
    const api = await activated();
    const document = await vscode.workspace.openTextDocument({ content: '' });
    await vscode.window.showTextDocument(document);
    await vscode.commands.executeCommand(commands.inspectDocument);
    await eventually('the message', async () => {
      await api.settled();
      return (api.error() as { code?: string } | undefined)?.code === 'prompt.empty';
    });
    const lenses = await vscode.commands.executeCommand<vscode.CodeLens[]>(
      'vscode.executeCodeLensProvider',
      document.uri,
      10,
    );
    assert.match(lenses[0]?.command?.title ?? '', /empty/);
  });

  it('hostile text is shown as text in a hover', async () => {
    const api = await activated();
    const hostile =
      '[x](command:workbench.action.quit) <img src=x> `a` $(trash) **b** \u202eabc \ud800 \u0007 z';
    const document = await vscode.workspace.openTextDocument({ content: hostile });
    await vscode.window.showTextDocument(document);
    await vscode.commands.executeCommand(commands.inspectDocument);
    await lookAt(api, document);
    for (const { index } of hostile.matchAll(/\S+/g)) {
      const text = await hoverText(document, document.positionAt(index));
      // What stands in a code span is inert.
      const outsideCode = text.replace(/(`+)(?!`).*?(?<!`)\1(?!`)/g, '');
      const links = [...outsideCode.matchAll(/\]\((.*?)\)/g)].map((match) => match[1] ?? '');
      assert.ok(
        links.every((link) => link.startsWith('command:fovea.')),
        text,
      );
      assert.ok(!outsideCode.includes('<img'), text);
      assert.ok(!['\u202e', '\ud800', '\u0007'].some((character) => text.includes(character)), text);
    }
  });

  it('a model folder that is not there says so, and the embedded model comes back', async () => {
    const api = await activated();
    const editor = await openPrompt();
    await lookAt(api, editor.document);
    const configuration = vscode.workspace.getConfiguration();
    const { Global } = vscode.ConfigurationTarget;
    await configuration.update(settings.modelPath, join('/nowhere', 'missing'), Global);
    const end = editor.document.lineAt(editor.document.lineCount - 1).range.end;
    await editor.edit((edit) => edit.insert(end, ' a'));
    await eventually('the failure', async () => {
      await api.settled();
      return /^(file|model|tokenizer)\./.test((api.error() as { code?: string } | undefined)?.code ?? '');
    });
    await configuration.update(settings.modelPath, undefined, Global);
    await vscode.commands.executeCommand('workbench.action.files.revert');
    await eventually('the look', async () => {
      await api.settled();
      return api.error() === undefined;
    });
    await vscode.commands.executeCommand('notifications.clearAll');
  });
});

describe('The engine', () => {
  it('killed, it fails clearly, and the next keystroke starts it again with what was loaded', async () => {
    const api = await activated();
    const editor = await openPrompt();
    await lookAt(api, editor.document);
    const pid = await api.enginePid();
    process.kill(pid, 'SIGKILL');
    await eventually('the stop', async () => api.engineState() === 'stopped');
    await replaceAll(editor, 'When Mary and John went to the store, Mary gave a drink to');
    const { analysis } = await lookAt(api, editor.document);
    assert.equal(api.error(), undefined);
    assert.ok(analysis.features.length > 0);
    assert.notEqual(await api.enginePid(), pid);
    await vscode.commands.executeCommand('workbench.action.files.revert');
  });

  it('killed while it works, it fails that work and recovers', async () => {
    const api = await activated();
    const editor = await openPrompt();
    await lookAt(api, editor.document);
    const pid = await api.enginePid();
    await replaceAll(editor, 'After Tom and Anna walked to the park, Tom handed a book to');
    process.kill(pid, 'SIGKILL');
    await eventually('another process', async () => (await api.enginePid().catch(() => pid)) !== pid);
    await replaceAll(editor, 'After Tom and Anna walked to the park, Anna handed a book to');
    await lookAt(api, editor.document);
    assert.equal(api.error(), undefined);
    await vscode.commands.executeCommand('workbench.action.files.revert');
  });

  it('restarts by command', async () => {
    const api = await activated();
    const editor = await openPrompt();
    await lookAt(api, editor.document);
    const pid = await api.enginePid();
    await vscode.commands.executeCommand(commands.restartEngine);
    await lookAt(api, editor.document);
    assert.notEqual(await api.enginePid(), pid);
  });
});
