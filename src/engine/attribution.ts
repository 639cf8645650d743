/** What the engine answers about circuits of heads and MLPs: requests read, methods run, circuits handed back. */
import type {
  AttributedCircuit,
  AttributeEdgesRequest,
  EdgeChoice,
  EstimateEdgesRequest,
  EvaluateEdgesRequest,
  RunAcdcRequest,
} from '../shared/attributionApi.ts';
import type { CallOptions } from '../shared/callOptions.ts';
import type { CircuitGraph } from '../shared/circuit.ts';
import type { Token } from '../shared/domain.ts';
import { EngineError } from '../shared/errors.ts';
import type { SearchEstimate } from '../shared/searchEstimate.ts';
import type { TaskMetric } from '../shared/task.ts';
import { malformed } from './files/fileErrors.ts';
import { readBytes, withFile } from './files/regularFile.ts';
import type { LoadedModel } from './loadedModel.ts';
import { acdc } from './method/acdc.ts';
import { evaluateGraph } from './method/circuitMetric.ts';
import { circuitOfGraph, scoreSign } from './method/componentCircuit.ts';
import {
  type ComponentGraph,
  destinationAt,
  destinationName,
  edgeCount,
  edgesOf,
  nodeScores,
  sourceAt,
  sourceName,
} from './method/componentGraph.ts';
import { readEapIg, writeEapIg } from './method/eapIgFile.ts';
import { attributeAllEdges } from './method/edgeAttributionPatching.ts';
import { estimateAcdc, estimateAttribution } from './method/edgeEstimate.ts';
import type { EdgeAttributionRequest } from './method/edgeScoring.ts';
import { selectEdges } from './method/selectEdges.ts';
import type { PatchingContext } from './patchingRequest.ts';
import { readPairs } from './readPairs.ts';
import type { TokenTask } from './task/task.ts';

const usualSteps = 5;

/**
 * ACDC's usual metric (Conmy et al. 2023): it rises whichever way an edge moves the answers. Under a difference everything that
 * holds the answer back is dropped, and the circuit gives more of it than the model.
 */
const acdcMetric: TaskMetric = 'kl';

interface Found {
  readonly graph: ComponentGraph;
  readonly task: TokenTask;
  readonly metric: TaskMetric;
  readonly method: CircuitGraph['method'];
  readonly search?: AttributedCircuit['search'];
}

/** See `AttributionApi.attributeEdges`. */
export async function attributeEdges(
  context: PatchingContext,
  request: AttributeEdgesRequest,
  call: CallOptions,
): Promise<AttributedCircuit> {
  const { transformer: model } = context.model;
  checkChoice(request.edges);
  const { task, metric } = await readPairs(context.model, request.pairs, request.metric, call.signal);
  const { steps, along } = wayOf(request);
  const scored = await attributeAllEdges(model, { pairs: task.pairs, metric, steps, along }, call);
  const graph = selectEdges(scored, request.edges);
  const parameters = { steps, ...request.edges, pairs: task.pairs.length };
  return describe(
    context,
    request.pairs,
    { graph, task, metric, method: { name: request.method, parameters } },
    call,
  );
}

/** See `AttributionApi.estimateEdges`. */
export async function estimateEdges(
  model: LoadedModel,
  request: EstimateEdgesRequest,
  call: CallOptions,
): Promise<SearchEstimate> {
  const usual = request.method === 'acdc' ? acdcMetric : undefined;
  const { task, metric } = await readPairs(model, request.pairs, request.metric ?? usual, call.signal);
  const subject = { pairs: task.pairs, metric };
  if (request.method === 'acdc') return estimateAcdc(model.transformer, subject, call);
  return estimateAttribution(model.transformer, { ...subject, ...wayOf(request) }, call);
}

/** How gradients are integrated. @throws request.invalid for no steps */
function wayOf({ method, steps = usualSteps }: Pick<AttributeEdgesRequest, 'method' | 'steps'>) {
  if (method !== 'eap' && steps < 1) {
    throw new EngineError('request.invalid', { what: `${steps} steps`, reason: 'there is at least one' });
  }
  const along: EdgeAttributionRequest['along'] = method === 'eap-ig-activations' ? 'activations' : 'inputs';
  return { steps: method === 'eap' ? 0 : steps, along };
}

/** See `AttributionApi.evaluateEdges`. */
export async function evaluateEdges(
  context: PatchingContext,
  request: EvaluateEdgesRequest,
  call: CallOptions,
): Promise<AttributedCircuit> {
  const { config } = context.model.transformer;
  const { path } = request;
  const text = await readBoundedText(path);
  const graph = readEapIg(path, text, config);
  const { task, metric } = await readPairs(context.model, request.pairs, request.metric, call.signal);
  const method = { name: 'imported', parameters: { pairs: task.pairs.length } };
  return describe(context, request.pairs, { graph, task, metric, method }, call);
}

/** Graphs of the largest models have some hundred megabytes; beyond that a file is something else. */
const mostBytes = 400 * 2 ** 20;

/** @throws file.missing, file.unreadable, file.malformed */
async function readBoundedText(path: string): Promise<string> {
  const bytes = await withFile(path, (file, size) => {
    if (size > mostBytes) throw malformed(path, 'file size', `at most ${mostBytes} bytes`, `${size} bytes`);
    return readBytes(path, file, 0, size);
  });
  return new TextDecoder().decode(bytes);
}

/** See `AttributionApi.runAcdc`. */
export async function runAcdc(
  context: PatchingContext,
  request: RunAcdcRequest,
  call: CallOptions,
): Promise<AttributedCircuit> {
  const { transformer: model } = context.model;
  const { threshold, budget } = request;
  const { task, metric } = await readPairs(
    context.model,
    request.pairs,
    request.metric ?? acdcMetric,
    call.signal,
  );
  const found = await acdc(model, { pairs: task.pairs, metric, threshold, budget }, call);
  const parameters = { threshold, ...(budget !== undefined && { budget }), pairs: task.pairs.length };
  const search = { tried: found.tried, stopped: found.stopped };
  const { graph } = found;
  const method = { name: 'acdc', parameters };
  return describe(context, request.pairs, { graph, task, metric, method, search }, call);
}

function checkChoice(choice: EdgeChoice): void {
  const isFine =
    choice.kind === 'threshold' ? choice.least >= 0 : Number.isInteger(choice.count) && choice.count >= 1;
  if (isFine) return;
  const reason = 'a circuit has a whole number of edges of at least 1, or a threshold of at least 0';
  throw new EngineError('request.invalid', { what: 'The number of edges', reason });
}

async function describe(
  context: PatchingContext,
  pairs: AttributeEdgesRequest['pairs'],
  { graph, task, metric, method, search }: Found,
  call: CallOptions,
): Promise<AttributedCircuit> {
  const { shape } = graph;
  const evaluation = await evaluateGraph(
    context.model.transformer,
    graph,
    { pairs: task.pairs, metric },
    call,
  );
  const { clean, corrupted } = evaluation;
  const tokens = tokensOf(context.model, task);
  const edges = edgesOf(graph, true).sort((a, b) => Math.abs(b.score) - Math.abs(a.score));
  return {
    circuit: {
      version: 1,
      prompt: tokens.map(({ text }) => text).join(''),
      ...(pairs.kind === 'pair' && { counterfactual: pairs.corrupted }),
      tokens,
      nLayers: shape.nLayers,
      method,
      metric: { name: metric, clean, baseline: corrupted },
      pairs,
      taskMetric: metric,
      isAggregated: true,
      ...circuitOfGraph(graph, tokens.length - 1, { name: metric, clean }, scoreSign(method)),
      provenance: await context.provenance([]),
    },
    edges: edges.map(({ name, source, destination, score }) => ({
      name,
      source: sourceName(sourceAt(shape, source)),
      target: destinationName(shape, destinationAt(shape, destination)),
      score,
    })),
    total: edgeCount(shape),
    ...(!search && { nodes: namedEffects(graph) }),
    metric,
    pairCount: task.pairs.length,
    clean,
    corrupted,
    kept: evaluation.circuit,
    faithfulness: evaluation.faithfulness,
    ...(search && { search }),
    eapIg: writeEapIg(graph),
  };
}

function namedEffects(graph: ComponentGraph): { name: string; effect: number }[] {
  return Array.from(nodeScores(graph), (effect, index) => ({
    name: sourceName(sourceAt(graph.shape, index)),
    effect,
  }));
}

/** The first pair's tokens, laid end to end: the prompt that the panel shows. */
export function tokensOf({ tokenizer }: LoadedModel, { pairs }: TokenTask): Token[] {
  let at = 0;
  return Array.from(pairs[0]!.clean, (id) => {
    const text = tokenizer.tokenText(id);
    const start = at;
    at += text.length;
    return { id, text, start, end: at };
  });
}
