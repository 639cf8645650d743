/** Commands that find circuits: of a prompt's contrast, of features on a task, of edges, and attribution graphs. */

import * as vscode from 'vscode';
import type { CircuitDocument } from '../../shared/circuit.ts';
import type { SaeInfo } from '../../shared/domain.ts';
import type { CallOptions } from '../../shared/engineApi.ts';
import { EngineError } from '../../shared/errors.ts';
import { formatNumber } from '../../shared/format.ts';
import { methodDefaults } from '../../shared/methodDefaults.ts';
import { circuitName } from '../circuits/circuitName.ts';
import { portable } from '../circuits/localCircuit.ts';
import type { OpenCircuit } from '../circuits/openCircuit.ts';
import type { CircuitQuestion } from '../circuits/openCircuits.ts';
import { settings } from '../names.ts';
import { plainMessage } from '../plainTitle.ts';
import type { CommandServices } from '../services.ts';
import { confirmSearch } from './confirmSearch.ts';
import { askAmount, askThresholds, pickAggregation, pickEdgeMethod, pickMethod } from './pickMethod.ts';
import { askLimit, pickPairs } from './pickPairs.ts';
import { requirePrompt, setContrast } from './promptCommands.ts';

/** Strongest nodes that the circuit of a prompt is made of. */
const maxNodes = 150;

/** Pairs of a task that are used unless the user says otherwise. */
const usualPairs = methodDefaults.searchPairs;

/** Finds the circuit for the prompt and its contrast, asking for a contrast first when there is none. */
export async function findCircuit(services: CommandServices): Promise<void> {
  const { engine, session, models } = services;
  await requirePrompt(services);
  if (!session.contrast && !(await setContrast(services))) return;
  const { contrast, prompt, other, look } = session;
  if (!contrast || !prompt) return;
  const { id: model } = await models.ensure();
  const counterfactual = look?.comparison?.equalLength ? other?.text : undefined;
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

/** Finds the features that carry a task's metric (Marks et al. 2024). */
export async function findFeatureCircuit(services: CommandServices, given?: unknown): Promise<void> {
  const { engine, models } = services;
  const title = vscode.l10n.t('Find Feature Circuit');
  const chosen = await pickPairs(services, title, given instanceof vscode.Uri ? given : undefined);
  if (!chosen) return;
  const { id: model } = await models.ensure();
  const saes = saesOfAllSites(models.saes);
  if (saes.length === 0) throw missingSaes(title);
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
        '{0} nodes of {1} active ones, tested on {2} pairs: faithfulness {3}, completeness {4}',
        formatNumber(evaluation.nodes),
        formatNumber(evaluation.active),
        formatNumber(evaluation.pairs),
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
  const title = vscode.l10n.t('Attribution Graph');
  if (!(await confirmSearch(title, (call) => engine.estimateAttributionGraph(request, call)))) return;
  await findAndShow(services, question, async (call) => {
    const found = await engine.attributionGraph(request, call);
    const words = vscode.l10n.t(
      '{0} of {1} nodes: replacement score {2}, completeness score {3}',
      formatNumber(found.circuit.nodes.length),
      formatNumber(found.allNodes),
      formatNumber(found.replacementScore),
      formatNumber(found.completenessScore),
    );
    return { circuit: found.circuit, words };
  });
}

/** Scores the edges between heads and MLPs, and keeps those that matter. */
export async function attributeEdges(services: CommandServices, given?: unknown): Promise<void> {
  const { engine, models } = services;
  const title = vscode.l10n.t('Attribute Edges');
  const chosen = await pickPairs(services, title, given instanceof vscode.Uri ? given : undefined);
  if (!chosen) return;
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
      '{0} of {1} edges on {2} pairs: faithfulness {3}',
      formatNumber(found.edges.length),
      formatNumber(found.total),
      formatNumber(found.pairCount),
      formatNumber(found.faithfulness),
    );
    return { circuit: { ...found.circuit, pairs, taskMetric: found.metric, isAggregated: true }, words };
  });
}

/** What a search comes back with. */
interface Found {
  readonly circuit: CircuitDocument;
  /** Told once the circuit is shown. */
  readonly words?: string;
}

/** Runs a search with its progress in the status bar and in the panel, which is open meanwhile. */
async function findAndShow(
  { circuits, circuitPanel, models }: CommandServices,
  question: CircuitQuestion,
  work: (call: CallOptions) => Promise<Found>,
): Promise<OpenCircuit | undefined> {
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
          return portable(found.circuit, models.saes);
        },
        ({ done, total, what }) =>
          progress.report({ message: total > 0 ? `${what} ${done}/${total}` : what }),
      ),
  );
  // A search that was overtaken has nothing to tell: the panel shows another one's circuit.
  if (shown && words !== undefined) tellFound(words);
  return shown;
}

/** A circuit of a pair belongs to its prompt and grows stale with it; a task's does not. */
function undefinedFor(kind: 'pair' | 'task', uri: string | undefined): string | undefined {
  return kind === 'pair' ? uri : undefined;
}

function tellFound(message: string): void {
  void vscode.window.showInformationMessage(plainMessage(message));
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
