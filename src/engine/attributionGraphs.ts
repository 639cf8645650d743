/** What the engine answers about attribution graphs: requests read, graphs made, circuits handed back. */
import type { AttributionGraph, AttributionGraphRequest } from '../shared/attributionGraphApi.ts';
import type { CallOptions } from '../shared/callOptions.ts';
import { EngineError } from '../shared/errors.ts';
import type { SearchEstimate } from '../shared/searchEstimate.ts';
import type { LoadedModel } from './loadedModel.ts';
import type { LoadedSaes } from './loadedSaes.ts';
import {
  attributionGraph,
  type FoundGraph,
  type GraphSettings,
} from './method/attributionGraph/attributionGraph.ts';
import { circuitOfGraph } from './method/attributionGraph/circuitOfGraph.ts';
import { estimateGraph } from './method/attributionGraph/estimateGraph.ts';
import { placeTranscoders, type TranscoderSet } from './method/attributionGraph/transcoderSet.ts';
import { requireOneToken } from './model/tokenizer.ts';
import type { PatchingContext } from './patchingRequest.ts';
import { requireCount } from './requestChecks.ts';

/** What a request is read with. */
export interface AttributionGraphContext extends PatchingContext {
  readonly saes: LoadedSaes;
}

/** What is taken where a request leaves it out: circuit-tracer's defaults. */
export const attributionGraphDefaults = {
  maxLogits: 10,
  desiredProbability: 0.95,
  maxFeatureNodes: 7500,
  nodeThreshold: 0.8,
  edgeThreshold: 0.98,
} as const;

/** Numbers of gradients, `[row, position, d_model]`, that a batch of targets holds about at once. */
const gradientNumbers = 4e6;
const mostRows = 64;

/** See `AttributionGraphApi.attributionGraph`. */
export async function requestedAttributionGraph(
  context: AttributionGraphContext,
  request: AttributionGraphRequest,
  call: CallOptions,
): Promise<AttributionGraph> {
  const { model } = context;
  const { ids, strip } = model.window(request.text);
  const settings = readSettings(model, ids, request);
  const set = await openSet(context, request);
  const found = await attributionGraph(model.transformer, ids, set, settings, call);
  const untranscoded = [...set.byLayer.keys()].filter((layer) => !isWritten(set, layer));
  const { nLayers } = model.info;
  const { tokenText } = model.tokenizer;
  return {
    circuit: {
      version: 1,
      prompt: request.text,
      tokens: strip.tokens,
      nLayers,
      method: { name: 'attribution graph', parameters: parametersOf(found, settings, request) },
      metric: {
        name: 'probability of the explained tokens',
        clean: found.logits.reduce((sum, { probability }) => sum + probability, 0),
        baseline: 0,
      },
      ...circuitOfGraph(found, { tokens: strip.tokens, nLayers, set, tokenText: (id) => tokenText(id) }),
      provenance: await context.provenance(request.transcoders),
    },
    replacementScore: found.scores.replacement,
    completenessScore: found.scores.completeness,
    allNodes: found.traced.rows.nodes,
    allEdges: found.traced.rows.weights.reduce((count, weight) => count + (weight === 0 ? 0 : 1), 0),
    ...(untranscoded.length > 0 && { untranscoded }),
  };
}

/** See `AttributionGraphApi.estimateAttributionGraph`. */
export async function requestedGraphEstimate(
  context: AttributionGraphContext,
  request: AttributionGraphRequest,
  call: CallOptions,
): Promise<SearchEstimate> {
  const { model } = context;
  const { ids } = model.window(request.text);
  const settings = readSettings(model, ids, request);
  return estimateGraph(model.transformer, ids, await openSet(context, request), settings, call);
}

/** Whether a transcoder, or one of an earlier layer, writes what the MLP of `layer` gives. */
function isWritten({ byLayer }: TranscoderSet, layer: number): boolean {
  return byLayer.some((placed) => placed?.writes.some((write) => write.layer === layer));
}

async function openSet(
  { model, saes }: AttributionGraphContext,
  { transcoders }: AttributionGraphRequest,
): Promise<TranscoderSet> {
  const opened: Parameters<typeof placeTranscoders>[0][number][] = [];
  for (const id of new Set(transcoders)) opened.push({ id, sae: await saes.open(id, model.info) });
  return placeTranscoders(opened, model.info.nLayers, (feature) => saes.labelOf(feature));
}

function readSettings(model: LoadedModel, ids: Int32Array, request: AttributionGraphRequest): GraphSettings {
  const settings = { ...attributionGraphDefaults, ...definedOf(request) };
  requireCount('The number of logits', settings.maxLogits, 1);
  requireCount('The number of features', settings.maxFeatureNodes, 1);
  requireShare('The desired probability', settings.desiredProbability);
  requireShare('The share of influence that nodes keep', settings.nodeThreshold);
  requireShare('The share of influence that edges keep', settings.edgeThreshold);
  const perRow = ids.length * model.info.dModel;
  return {
    ...(request.answers && { answers: readAnswers(model, request.answers) }),
    maxLogits: settings.maxLogits,
    desiredProbability: settings.desiredProbability,
    maxFeatures: settings.maxFeatureNodes,
    thresholds: { node: settings.nodeThreshold, edge: settings.edgeThreshold },
    leaveFirst: request.leaveFirst ?? ids[0] === model.tokenizer.bosId,
    batch: Math.min(mostRows, Math.max(1, Math.floor(gradientNumbers / perRow))),
  };
}

function definedOf(request: AttributionGraphRequest): Partial<AttributionGraphRequest> {
  return Object.fromEntries(Object.entries(request).filter(([, value]) => value !== undefined));
}

/** @throws answer.notOneToken; request.invalid for none, and for one that is named twice. */
function readAnswers({ tokenizer }: LoadedModel, answers: readonly string[]): number[] {
  const tokens = answers.map((text) => requireOneToken(tokenizer, text));
  if (tokens.length === 0)
    throw invalid('The list of answers', 'it is empty; name one at least, or leave it out');
  if (new Set(tokens).size === tokens.length) return tokens;
  throw invalid('The list of answers', 'two of them are the same token');
}

function requireShare(what: string, value: number): void {
  if (value >= 0 && value <= 1) return;
  throw invalid(what, `it must be a number from 0 to 1, not ${value}`);
}

function parametersOf(
  { sources, traced, scores }: FoundGraph,
  { thresholds, leaveFirst }: GraphSettings,
  { answers, maxLogits, desiredProbability }: AttributionGraphRequest,
): Readonly<Record<string, string | number | boolean>> {
  return {
    ...(answers
      ? { answers: answers.join(' · ') }
      : {
          maxLogits: maxLogits ?? attributionGraphDefaults.maxLogits,
          desiredProbability: desiredProbability ?? attributionGraphDefaults.desiredProbability,
        }),
    nodeThreshold: thresholds.node,
    edgeThreshold: thresholds.edge,
    activeFeatures: sources.features.length,
    tracedFeatures: traced.features.length,
    activeNodes: traced.ranges.features + traced.ranges.errors,
    firstPosition: leaveFirst ? 'left out' : 'kept',
    replacementScore: scores.replacement,
    completenessScore: scores.completeness,
  };
}

function invalid(what: string, reason: string): EngineError {
  return new EngineError('request.invalid', { what, reason });
}
