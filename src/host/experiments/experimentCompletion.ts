/** Completion in experiments, beside what VS Code completes from the schema. */

import { dirname, relative } from 'node:path';
import * as vscode from 'vscode';
import { describeForLog } from '../log.ts';
import type { Services } from '../services.ts';
import { experimentFiles } from './experimentCodeLens.ts';
import { suggestionsAt } from './experimentSuggestions.ts';
import { textAt } from './jsonPlaces.ts';

/** Files that are offered at most. */
const mostFiles = 100;

/** Registers the completion. */
export function registerExperimentCompletion(
  services: Pick<Services, 'engine' | 'models' | 'log'>,
): vscode.Disposable {
  const provider: vscode.CompletionItemProvider = {
    provideCompletionItems: (document, position) => itemsAt(services, document, position),
  };
  return vscode.languages.registerCompletionItemProvider(experimentFiles, provider, '"', '.', '/');
}

async function itemsAt(
  { engine, models, log }: Pick<Services, 'engine' | 'models' | 'log'>,
  document: vscode.TextDocument,
  position: vscode.Position,
): Promise<vscode.CompletionItem[]> {
  const place = textAt(document.getText(), document.offsetAt(position));
  if (!place) return [];
  const isModel = place.path[0] === 'model';
  const local = isModel
    ? await engine.listLocalModels({ folders: [] }).catch((error: unknown) => {
        log.warn(describeForLog(error));
        return [];
      })
    : [];
  const suggestions = suggestionsAt(place.path, {
    model: models.model,
    saes: models.saes,
    tasks: place.path[1] === 'path' ? await tasksFor(document.uri) : [],
    models: local.filter(({ source }) => source === 'cache').map(({ name }) => name),
  });
  const range = new vscode.Range(document.positionAt(place.start), document.positionAt(place.end));
  return suggestions.map(({ text, detail }, i) => {
    const item = new vscode.CompletionItem(text, vscode.CompletionItemKind.Value);
    item.range = range;
    item.insertText = JSON.stringify(text);
    item.filterText = item.insertText;
    item.sortText = String(i).padStart(5, '0');
    if (detail !== '') item.detail = detail;
    return item;
  });
}

async function tasksFor(uri: vscode.Uri): Promise<string[]> {
  const files = await vscode.workspace.findFiles('**/*.task.jsonl', '**/node_modules/**', mostFiles);
  const folder = dirname(uri.fsPath);
  return files.map(({ fsPath }) => relative(folder, fsPath).replaceAll('\\', '/')).sort();
}
