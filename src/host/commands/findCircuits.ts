/** Commands that find circuits: of a prompt's contrast, of features on a task, of edges, and attribution graphs. */

import * as vscode from 'vscode';
import type { CircuitDocument } from '../../shared/circuit.ts';
import type { SaeInfo } from '../../shared/domain.ts';
import type { CallOptions } from '../../shared/engineApi.ts';
import { EngineError } from '../../shared/errors.ts';
import { formatNumber } from '../../shared/format.ts';
import { methodDefaults } from '../../shared/methodDefaults.ts';
import { circuitName } from '../circuits/circuitName.ts';
import type { CircuitQuestion } from '../circuits/circuitPlace.ts';
import { firstShown, type MeasureNodes } from '../circuits/firstShown.ts';
import { portable } from '../circuits/localCircuit.ts';
import type { OpenCircuit } from '../circuits/openCircuit.ts';
import { wordFound } from '../circuits/wordFound.ts';
import { settings } from '../names.ts';
import type { CommandServices } from '../services.ts';
import { wordDone } from '../wordProgress.ts';
import { confirmSearch } from './confirmSearch.ts';
import { askAmount, askThresholds, pickAggregation, pickEdgeMethod, pickMethod } from './pickMethod.ts';
import { askLimit, pickPairs } from './pickPairs.ts';
import { requirePrompt, setContrast } from './promptCommands.ts';
import { promptTitle } from './promptTitle.ts';
import { showCircuit } from './resultCommands.ts';
import { tellFinished } from './tellFinished.ts';

/** Strongest nodes that the circuit of a prompt is made of. */
const maxNodes = 150;

/** Pairs of a task that are used unless the user says otherwise. */
const usualPairs = methodDefaults.searchPairs;

/** Finds the circuit for the prompt and its contrast, asking for a contrast first when there is none. */
export async function findCircuit(services: CommandServices): Promise<void> {
  const { engine, session, models } = services;
  await requirePrompt(services);
  if (!session.contrast && !(await setContrast(services, vscode.l10n.t('Find Circuit')))) return;
  const { contrast, prompt, other, look } = session;
  if (!contrast || !prompt) return;
  const { id: model } = await models.ensure();
  const counterfactual = look?.comparison?.equalLength ? other?.text : undefined;
  if (other && counterfactual === undefined) tellOtherLength();
  const request = {
    model,
    text: prompt.text,
    contrast,
    counterfactual,
    saes: saesOfOneSite(services),
    maxNodes,
  };
  const name = circuitName(prompt.name, 'gradient');
  await findAndShow(services, { name, promptUri: prompt.uri }, async (call) => ({
    // A file of it must say what was measured.
    circuit: { ...(await engine.findCircuit(request, call)), contrast },
  }));
}

/** Patching needs a corrupted prompt of as many tokens. The circuit's head says what it was held against. */
function tellOtherLength(): void {
  const message = vscode.l10n.t(
    'The compared prompt has another number of tokens. The circuit is found against activations of zero instead.',
  );
  void vscode.window.showWarningMessage(message);
}

/** Finds the features that carry a task's metric (Marks et al. 2024). */
export async function findFeatureCircuit(services: CommandServices, given?: unknown): Promise<void> {
  const { engine, models } = services;
  const command = vscode.l10n.t('Find Feature Circuit');
  const chosen = await pickPairs(services, command, given instanceof vscode.Uri ? given : undefined);
  if (!chosen) return;
  const title = vscode.l10n.t('{0}: {1}', command, chosen.name);
  const { id: model } = await models.ensure();
  const saes = saesOfAllSites(models.saes);
  if (saes.length === 0) throw missingSaes(command);
  const method = await pickMethod(title, saes.length);
  if (!method) return;
  const aggregation = await pickAggregation(title);
  if (!aggregation) return;
  const limited = await askLimit(chosen, title, usualPairs);
  const thresholds = limited && (await askThresholds(title));
  if (!limited || !thresholds) return;
  const { pairs, name, uri } = limited;
  const [nodeThreshold, edgeThreshold] = thresholds;
  const request = {
    model,
    pairs,
    basis: 'features',
    saes,
    method,
    aggregation,
    nodeThreshold,
    edgeThreshold,
  } as const;
  if (!(await confirmSearch(title, (call) => engine.estimateSparseCircuit(request, call)))) return;
  await findAndShow(
    services,
    { name: circuitName(name, 'features'), promptUri: undefinedFor(pairs.kind, uri) },
    async (call) => {
      const { circuit, evaluation } = await engine.findSparseCircuit(request, call);
      const words = vscode.l10n.t(
        '{0}, tested on {1}: faithfulness {2}, completeness {3}',
        wordFound(circuit),
        wordPairs(evaluation.pairs),
        formatNumber(evaluation.faithfulness),
        formatNumber(evaluation.completeness),
      );
      return { circuit, words };
    },
  );
}

/** Traces what makes the features and logits of the prompt, over transcoders (Ameisen et al. 2025). */
export async function attributionGraph(services: CommandServices): Promise<void> {
  const { engine, session, models } = services;
  await requirePrompt(services);
  const { prompt } = session;
  if (!prompt) return;
  const { id: model } = await models.ensure();
  const transcoders = transcoderSet(models.saes);
  if (transcoders.length === 0) return tellMissingTranscoders();
  const question = { name: circuitName(prompt.name, 'attributionGraph'), promptUri: prompt.uri };
  const request = { model, text: prompt.text, transcoders };
  const title = promptTitle(vscode.l10n.t('Attribution Graph'), prompt);
  if (!(await confirmSearch(title, (call) => engine.estimateAttributionGraph(request, call)))) return;
  await findAndShow(services, question, async (call) => {
    const found = await engine.attributionGraph(request, call);
    const words = vscode.l10n.t(
      '{0}. Before pruning: replacement score {1}, completeness score {2}',
      wordFound(found.circuit),
      formatNumber(found.replacementScore),
      formatNumber(found.completenessScore),
    );
    return { circuit: found.circuit, words };
  });
}

/** Scores the edges between heads and MLPs, and keeps those that matter. */
export async function attributeEdges(services: CommandServices, given?: unknown): Promise<void> {
  const { engine, models } = services;
  const command = vscode.l10n.t('Attribute Edges');
  const chosen = await pickPairs(services, command, given instanceof vscode.Uri ? given : undefined);
  if (!chosen) return;
  const title = vscode.l10n.t('{0}: {1}', command, chosen.name);
  const method = await pickEdgeMethod(title);
  const amount = method && (await askAmount(title, method));
  const limited = amount === undefined ? undefined : await askLimit(chosen, title, usualPairs);
  if (!method || amount === undefined || !limited) return;
  const { id: model } = await models.ensure();
  const { pairs, name, uri } = limited;
  const ask = { model, pairs, method };
  if (!(await confirmSearch(title, (call) => engine.estimateEdges(ask, call)))) return;
  const question = { name: circuitName(name, method), promptUri: undefinedFor(pairs.kind, uri) };
  await findAndShow(services, question, async (call) => {
    const found =
      method === 'acdc'
        ? await engine.runAcdc({ model, pairs, threshold: amount }, call)
        : await engine.attributeEdges({ model, pairs, method, edges: { kind: 'top', count: amount } }, call);
    const words = vscode.l10n.t(
      '{0} of {1} edges on {2}: faithfulness {3}',
      formatNumber(found.edges.length),
      formatNumber(found.total),
      wordPairs(found.pairCount),
      formatNumber(found.faithfulness),
    );
    return { circuit: { ...found.circuit, pairs, taskMetric: found.metric, isAggregated: true }, words };
  });
}

function wordPairs(count: number): string {
  return count === 1 ? vscode.l10n.t('1 pair') : vscode.l10n.t('{0} pairs', formatNumber(count));
}

/** What a search comes back with. */
interface Found {
  readonly circuit: CircuitDocument;
  /** Told once the circuit is shown. */
  readonly words?: string;
}

/** Runs a search with its progress in the status bar and in the panel, which is open meanwhile. */
async function findAndShow(
  services: CommandServices,
  question: CircuitQuestion,
  work: (call: CallOptions) => Promise<Found>,
): Promise<OpenCircuit | undefined> {
  const { circuits, circuitPanel, models } = services;
  circuitPanel.show();
  let words: string | undefined;
  const shown = await vscode.window.withProgress(
    { location: vscode.ProgressLocation.Window, title: vscode.l10n.t('Finding the circuit') },
    (progress) =>
      circuits.find(
        question,
        async (call) => {
          const found = await work(call);
          words = found.words;
          const circuit = await firstShown(found.circuit, measureIn(services, found.circuit, call), call);
          return portable(circuit, models.saes);
        },
        (done) => progress.report({ message: wordDone(done) }),
      ),
  );
  // A search that was overtaken has nothing to tell: the panel shows another one's circuit.
  if (shown) tellFound(services, shown, words);
  return shown;
}

/** Measures nodes of a circuit that was just found, which still has the open SAEs' own names. */
function measureIn(
  { engine, models }: CommandServices,
  graph: CircuitDocument,
  call: CallOptions,
): MeasureNodes {
  const hooks = new Set(graph.provenance.saes.map(({ hook }) => hook));
  const saes = models.saes.filter(({ hook }) => hooks.has(hook)).map(({ id }) => id);
  return async (kept) => {
    const { id: model } = await models.ensure();
    return engine.evaluateCircuit({ graph, model, kept, saes }, { signal: call.signal });
  };
}

/** A circuit of a pair belongs to its prompt and grows stale with it; a task's does not. */
function undefinedFor(kind: 'pair' | 'task', uri: string | undefined): string | undefined {
  return kind === 'pair' ? uri : undefined;
}

/** A panel in sight shows it: then only the words that it was found with are told, where they cover nothing. */
function tellFound(services: CommandServices, circuit: OpenCircuit, words: string | undefined): void {
  const { circuits, circuitPanel } = services;
  const isSeen = circuitPanel.isVisible && circuits.shown === circuit;
  if (isSeen && words === undefined) return;
  const told = words ?? vscode.l10n.t('The circuit is there.');
  tellFinished(isSeen ? told : `${circuit.title} · ${told}`, {
    isSeen,
    show: () => showCircuit(services, circuit),
  });
}

/**
 * SAEs at the site of the chosen one, in every layer: other sites would count the same computation again. Transcoders are
 * not for circuits of one prompt's gradients; with one chosen, there are no features.
 */
function saesOfOneSite({ models }: CommandServices): string[] {
  const site = models.sae && siteOf(models.sae.hook);
  return models.saes
    .filter(({ hook, kind, problem }) => kind === 'sae' && problem === undefined && siteOf(hook) === site)
    .map(({ id }) => id);
}

/** One SAE for each attention output, MLP output and residual stream. */
function saesOfAllSites(saes: readonly SaeInfo[]): string[] {
  const sites = new Set(['hook_attn_out', 'hook_mlp_out', 'hook_resid_post']);
  const usable = saes.filter(
    ({ hook, kind, problem }) => kind === 'sae' && problem === undefined && sites.has(siteOf(hook)),
  );
  return usable
    .filter((sae, i) => usable.findIndex(({ hook }) => hook === sae.hook) === i)
    .map(({ id }) => id);
}

/** The files of a cross-layer set, or one transcoder for each layer. */
function transcoderSet(saes: readonly SaeInfo[]): string[] {
  const usable = saes.filter(({ kind, problem }) => kind !== 'sae' && problem === undefined);
  const [crossLayer] = usable.filter(({ kind }) => kind === 'crossLayer');
  if (crossLayer) return usable.filter(({ path }) => path === crossLayer.path).map(({ id }) => id);
  return usable
    .filter((sae, i) => usable.findIndex(({ layer }) => layer === sae.layer) === i)
    .map(({ id }) => id);
}

function siteOf(hook: string): string {
  return hook.replace(/^blocks\.\d+\./, '');
}

async function tellMissingTranscoders(): Promise<void> {
  const open = vscode.l10n.t('Open Settings');
  const message = vscode.l10n.t(
    'An attribution graph needs a transcoder for the MLP of every layer, and none is loaded. Add the folder of a set to the setting fovea.sae.folders, or train one: fovea train transcoder.',
  );
  const chosen = await vscode.window.showInformationMessage(message, open);
  if (chosen === open) {
    await vscode.commands.executeCommand('workbench.action.openSettings', settings.saeFolders);
  }
}

function missingSaes(title: string): EngineError {
  const reason = vscode.l10n.t(
    'it needs SAEs on attention outputs, MLP outputs or residual streams; add their folder in the setting fovea.sae.folders',
  );
  return new EngineError('request.invalid', { what: title, reason });
}
