/** Commands about labels of features: import, search, fetch, and writing one's own. */

import * as vscode from 'vscode';
import type { FeatureRef, SaeInfo } from '../../shared/domain.ts';
import { isEngineError } from '../../shared/errors.ts';
import { formatText } from '../../shared/format.ts';
import type { FoundLabel, LabelImport } from '../../shared/labelApi.ts';
import { labelSourceOf } from '../../shared/labelSource.ts';
import { siteName } from '../describeSae.ts';
import { maxLabelCharacters } from '../labelFile.ts';
import { describeForLog } from '../log.ts';
import { plainMessage } from '../plainTitle.ts';
import type { CommandServices, Services } from '../services.ts';
import { asFeature } from './interventionCommands.ts';
import { pickFeature } from './pickComponent.ts';

/** Labels that one search shows. */
const shownLabels = 100;

/** Milliseconds of silence before a search begins. */
const searchPause = 150;

/** Reads files of labels into the local index. */
export async function importLabels(services: CommandServices): Promise<void> {
  const files = await vscode.window.showOpenDialog({
    title: vscode.l10n.t('Import Labels'),
    openLabel: vscode.l10n.t('Import'),
    canSelectMany: true,
    canSelectFolders: false,
    filters: { [vscode.l10n.t('Neuronpedia exports')]: ['gz', 'jsonl', 'json'] },
  });
  if (!files || files.length === 0) return;
  const imports = await withProgress(vscode.l10n.t('Importing labels'), (options) =>
    services.engine.importLabels({ paths: files.map((file) => file.fsPath) }, options),
  );
  await labelsChanged(services);
  tellImports(services, imports);
}

/** Searches labels as one types; what is chosen is shown, and its heat with it. */
export async function searchFeatures(services: CommandServices): Promise<void> {
  const model = await services.models.ensure();
  const saes = services.models.saes.map(({ id }) => id);
  const found = await pickLabel(services, model.id, saes);
  if (!found) return;
  if (!found.feature) {
    const text = vscode.l10n.t(
      'Feature {0} of {1} belongs to an SAE that is not listed. Choose or download that SAE to see it.',
      found.index,
      found.source,
    );
    void vscode.window.showInformationMessage(plainMessage(text));
    return;
  }
  await showFeature(services, found.feature);
}

/** Asks Neuronpedia for the labels of the features that are active on this prompt. */
export async function fetchLabels(services: CommandServices): Promise<void> {
  const { session, models } = services;
  await models.ensure();
  const { sae } = models;
  const source = sae?.neuronpediaId;
  if (!sae || !source) {
    const text = vscode.l10n.t(
      'Neuronpedia is not known to have the features of this SAE. Choose an SAE of a public release, or import an export of labels.',
    );
    void vscode.window.showInformationMessage(text);
    return;
  }
  const indices = unlabelled(services, sae);
  if (indices.length === 0) {
    void vscode.window.showInformationMessage(vscode.l10n.t('All features of this prompt have labels.'));
    return;
  }
  const ask = vscode.l10n.t('Ask Neuronpedia');
  const question = vscode.l10n.t(
    'Ask neuronpedia.org for the labels of {0} features of {1}? The numbers of the features are sent, the prompt is not.',
    indices.length,
    source,
  );
  if ((await vscode.window.showInformationMessage(question, { modal: true }, ask)) !== ask) return;
  const asking = withProgress(vscode.l10n.t('Asking Neuronpedia'), (options) =>
    services.engine.fetchLabels({ source, indices }, options),
  );
  // What came before a refusal stays.
  const imported = await asking.finally(async () => {
    await labelsChanged(services);
    session.refresh();
  });
  tellImports(services, imported && [imported]);
}

/** Writes the user's own label of a feature. */
export async function labelFeature(services: CommandServices, given: unknown): Promise<void> {
  const { models, labels, session } = services;
  await models.ensure();
  const feature = asFeature(given) ?? (await pickFeature(services, vscode.l10n.t('Label Feature')));
  const sae = models.saes.find(({ id }) => id === feature?.sae);
  if (!feature || !sae) return;
  await labels.load();
  const source = labelSourceOf(sae);
  const own = labels.get(source, feature.index);
  const text = await vscode.window.showInputBox({
    title: vscode.l10n.t('Label Feature #{0}', feature.index),
    prompt: vscode.l10n.t(
      'Your label is kept in {0} and stands before imported ones. An empty one takes yours away.',
      vscode.workspace.asRelativePath(labels.uri),
    ),
    value: own ?? '',
    placeHolder: own === undefined ? session.catalog.get(feature).label : undefined,
    validateInput: (value) =>
      value.length > maxLabelCharacters
        ? vscode.l10n.t('At most {0} characters.', maxLabelCharacters)
        : undefined,
  });
  if (text === undefined || text.trim() === (own ?? '')) return;
  await labels.set({ source, index: feature.index }, text.trim());
}

/** Tells the engine the user's labels once a model is there, and shows them wherever they change. */
export function followLabels(services: Services): vscode.Disposable {
  const { models, labels, log } = services;
  const load = (): void => {
    if (models.status === 'ready') void labels.load();
  };
  load();
  return vscode.Disposable.from(
    models.onDidChange(load),
    labels.onDidChange(() => {
      labelsChanged(services).catch((error: unknown) => log.warn(describeForLog(error)));
    }),
  );
}

/** Labels are other ones than before: what was remembered of features is asked for anew. */
export async function labelsChanged({
  session,
  models,
}: Pick<CommandServices, 'session' | 'models'>): Promise<void> {
  session.catalog.clear();
  await models.refreshSaes();
  session.refresh();
}

function unlabelled({ session }: CommandServices, sae: SaeInfo): number[] {
  const active = session.look?.analysis.features.find((top) => top.sae === sae.id);
  const indices = new Set(Array.from(active?.indices ?? []).filter((index) => index >= 0));
  return [...indices].filter((index) => !session.catalog.get({ sae: sae.id, index }).label);
}

async function showFeature(
  { models, session, tokensPanel }: CommandServices,
  feature: FeatureRef,
): Promise<void> {
  models.chooseSae(feature.sae);
  await session.settled();
  session.pin(feature, true);
  session.selectFeature(feature);
  tokensPanel.show();
}

interface LabelItem extends vscode.QuickPickItem {
  readonly found?: FoundLabel;
}

/** A quick pick whose rows are the engine's answer to what is typed. */
function pickLabel(
  services: CommandServices,
  model: string,
  saes: readonly string[],
): Promise<FoundLabel | undefined> {
  const pick = vscode.window.createQuickPick<LabelItem>();
  pick.title = vscode.l10n.t('Search Features');
  pick.placeholder = vscode.l10n.t('What a feature is about, such as: months');
  pick.matchOnDescription = true;
  let current: AbortController | undefined;
  let timer: NodeJS.Timeout | undefined;
  const search = async (text: string): Promise<void> => {
    current?.abort();
    const stop = new AbortController();
    current = stop;
    pick.busy = true;
    try {
      const request = { text, model, saes, limit: shownLabels };
      const found = await services.engine.searchLabels(request, { signal: stop.signal });
      if (!stop.signal.aborted) pick.items = labelItems(services, text, found);
    } catch (error) {
      if (isEngineError(error, 'cancelled') || stop.signal.aborted) return;
      services.log.warn(`Labels could not be searched: ${describeForLog(error)}`);
      pick.items = [{ label: vscode.l10n.t('Labels could not be searched.'), alwaysShow: true }];
    } finally {
      if (current === stop) pick.busy = false;
    }
  };
  pick.onDidChangeValue((text) => {
    clearTimeout(timer);
    timer = setTimeout(() => void search(text), searchPause);
  });
  return new Promise((resolve) => {
    pick.onDidAccept(() => {
      const [chosen] = pick.selectedItems;
      if (!chosen?.found) return;
      resolve(chosen.found);
      pick.hide();
    });
    pick.onDidHide(() => {
      clearTimeout(timer);
      current?.abort();
      pick.dispose();
      resolve(undefined);
    });
    pick.show();
  });
}

function labelItems({ models }: CommandServices, text: string, found: readonly FoundLabel[]): LabelItem[] {
  if (text.trim() === '') return [];
  if (found.length === 0) {
    return [{ label: vscode.l10n.t('No label speaks of “{0}”.', formatText(text)), alwaysShow: true }];
  }
  return found.map((label) => {
    const sae = models.saes.find(({ id }) => id === label.feature?.sae);
    const place = sae ? vscode.l10n.t('Layer {0} · {1}', sae.layer, siteName(sae)) : formatText(label.source);
    return {
      label: formatText(label.text),
      description: `#${label.index} · ${place}`,
      detail: vscode.l10n.t('label from {0}', formatText(label.origin)),
      // The engine matches stems and accents, which the list's own filter would throw out.
      alwaysShow: true,
      found: label,
    };
  });
}

function tellImports(services: CommandServices, imports: readonly LabelImport[] | undefined): void {
  if (!imports) return;
  const labels = imports.reduce((sum, it) => sum + it.labels, 0);
  const skipped = imports.reduce((sum, it) => sum + it.skipped, 0);
  const sources = imports.map(({ source }) => formatText(source)).join(', ');
  const told = vscode.l10n.t('{0} labels of {1}.', labels.toLocaleString('en-US'), sources || '–');
  const rest = skipped > 0 ? ` ${vscode.l10n.t('{0} damaged lines were left out.', skipped)}` : '';
  const known = new Set(services.models.saes.map(labelSourceOf));
  const strange = imports.every(({ source }) => !known.has(source));
  const hint =
    strange && labels > 0 ? ` ${vscode.l10n.t('No SAE of this model is listed under that name yet.')}` : '';
  void vscode.window.showInformationMessage(plainMessage(`${told}${rest}${hint}`));
}

async function withProgress<T>(
  title: string,
  work: (options: {
    readonly signal: AbortSignal;
    readonly report: (progress: {
      readonly done: number;
      readonly total: number;
      readonly what: string;
    }) => void;
  }) => Promise<T>,
): Promise<T | undefined> {
  const options = { location: vscode.ProgressLocation.Notification, title, cancellable: true };
  return vscode.window.withProgress(options, async (progress, token) => {
    const stop = new AbortController();
    token.onCancellationRequested(() => stop.abort());
    let shown = 0;
    try {
      return await work({
        signal: stop.signal,
        report: ({ done, total, what }) => {
          const percent = total > 0 ? (100 * done) / total : shown;
          progress.report({ message: what, increment: percent - shown });
          shown = percent;
        },
      });
    } catch (error) {
      if (isEngineError(error, 'cancelled')) return undefined;
      throw error;
    }
  });
}
