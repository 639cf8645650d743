/** Tests a circuit in the way that fits how it was found: see `EngineApi.evaluateCircuit`. */
import { dirname, join } from 'node:path';
import type { CallOptions } from '../shared/callOptions.ts';
import type { CircuitEvaluation, CircuitGraph, HookName, SaeId } from '../shared/domain.ts';
import type { CircuitEvaluationRequest } from '../shared/engineApi.ts';
import { EngineError } from '../shared/errors.ts';
import { formatText } from '../shared/format.ts';
import { studyMethod } from '../shared/studyCircuit.ts';
import { readCircuitRequest, requireSameTokens } from './circuitRequest.ts';
import { evaluateAttributionGraph } from './method/attributionGraph/evaluateAttributionGraph.ts';
import { evaluateCircuit } from './method/circuitEvaluation.ts';
import { CircuitMetric } from './method/circuitMetric.ts';
import { graphOfDocument } from './method/componentDocument.ts';
import { evaluateStudyCircuit } from './method/ioi/evaluateStudyCircuit.ts';
import { maskOf } from './method/sparse/nodeMask.ts';
import { nodesOfGraph } from './method/sparse/sparseGraph.ts';
import { featureSites, neuronSites, streamHook } from './method/sparse/sparseSites.ts';
import { readPairs } from './patching.ts';
import { findSaeFolders } from './sae/catalog.ts';
import { type SparseContext, sparseMethod } from './sparseCircuits.ts';
import { normalized } from './task/metric.ts';

type Evaluate = (
  context: SparseContext,
  request: CircuitEvaluationRequest,
  call: CallOptions,
) => Promise<CircuitEvaluation>;

/** By the name of the method that made the graph. */
const evaluations: Readonly<Record<string, Evaluate>> = {
  'gradient attribution': evaluateComponents,
  eap: evaluateEdgeGraph,
  'eap-ig': evaluateEdgeGraph,
  'eap-ig-activations': evaluateEdgeGraph,
  acdc: evaluateEdgeGraph,
  imported: evaluateEdgeGraph,
  [sparseMethod]: evaluateSparse,
  [studyMethod]: evaluateStudy,
  'attribution graph': async (_context, { graph, kept }) => evaluateAttributionGraph(graph, kept),
};

/** @throws request.invalid when the graph does not hold what its test needs */
export async function evaluateRequest(
  context: SparseContext,
  request: CircuitEvaluationRequest,
  call: CallOptions,
): Promise<CircuitEvaluation> {
  const { name } = request.graph.method;
  const evaluate = Object.hasOwn(evaluations, name) ? evaluations[name] : undefined;
  if (evaluate) return evaluate(context, request, call);
  throw refusal(`it was found by "${formatText(name)}", and how that is tested is not known here`);
}

/** Heads and MLPs outside the circuit at their values on the counterfactual. */
async function evaluateComponents(
  { model, saes }: SparseContext,
  request: CircuitEvaluationRequest,
  { signal }: CallOptions,
): Promise<CircuitEvaluation> {
  const { prompt: text, counterfactual, nodes, tokens } = request.graph;
  const contrast = request.contrast ?? request.graph.contrast;
  if (!contrast) throw refusal('its file does not say which answers it tells apart; set a contrast');
  const inputs = await readCircuitRequest(model, saes, { text, counterfactual, contrast, saes: [] });
  requireSameTokens(tokens, inputs.ids);
  const kept = new Set(request.kept);
  return evaluateCircuit(
    inputs,
    nodes.filter((node) => kept.has(node.id)),
    signal,
  );
}

/**
 * The graph's edges between nodes that stay are clean, all other edges of the model carry what the corrupted prompt gives
 * (Hanna et al. 2024, §3). The input and the logits always stay.
 */
async function evaluateEdgeGraph(
  { model }: SparseContext,
  { graph, kept }: CircuitEvaluationRequest,
  call: CallOptions,
): Promise<CircuitEvaluation> {
  const { transformer } = model;
  const { task, metric } = await pairsOf(model, graph, call);
  const ids = new Set(kept);
  for (const { id, kind } of graph.nodes) if (kind === 'token' || kind === 'logit') ids.add(id);
  const edges = graph.edges.filter(({ source, target }) => ids.has(source) && ids.has(target));
  const { inGraph } = graphOfDocument({ ...graph, edges }, transformer.config).graph;
  const runs = await CircuitMetric.open(transformer, task.pairs, metric, call.signal);
  try {
    const { clean: full, corrupted: empty } = runs.ends();
    const values = await runs.evaluate([inGraph, inGraph.map((isIn) => 1 - isIn)], call.signal);
    const [circuit = Number.NaN, complement = Number.NaN] = values;
    const share = (value: number) => normalized(value, { clean: full, corrupted: empty }) ?? Number.NaN;
    return {
      faithfulness: share(circuit),
      completeness: share(complement),
      full,
      empty,
      circuit,
      complement,
    };
  } finally {
    await runs.release();
  }
}

/** Heads outside the circuit at their means over unrelated prompts, template by template. */
async function evaluateStudy(
  { model }: SparseContext,
  request: CircuitEvaluationRequest,
  call: CallOptions,
): Promise<CircuitEvaluation> {
  const { task } = await pairsOf(model, request.graph, call);
  return evaluateStudyCircuit(model.transformer, task, request, call.signal);
}

/** Features and errors outside the circuit at their means over the corrupted prompts; on the pairs that were held out. */
async function evaluateSparse(
  context: SparseContext,
  { graph, kept, saes: told = [] }: CircuitEvaluationRequest,
  call: CallOptions,
): Promise<CircuitEvaluation> {
  const { model } = context;
  const { task, metric } = await pairsOf(model, graph, call);
  const isAggregated = graph.isAggregated === true;
  const first = task.pairs[0]!.clean;
  if (!isAggregated) requireSameTokens(graph.tokens, first);
  const { config } = model.transformer;
  const isOfNeurons = graph.method.parameters.basis === 'neurons';
  const hooks = hooksOf(graph);
  const ids = isOfNeurons ? [] : await saesAt(context, graph, hooks, told);
  const open = await context.saes.forCircuit(ids, model.info);
  const sites = isOfNeurons ? neuronSites(config, hooks) : featureSites(config, open);
  const ofCircuit = new Set(kept);
  const nodes = nodesOfGraph(
    sites,
    graph.nodes.filter(({ id }) => ofCircuit.has(id)),
    isAggregated,
  );
  const subject = { sites, saes: open.map(({ sae }) => sae), pairs: task.pairs, metric };
  const evaluator = await context.evaluators.of(model, subject, call);
  const mask = maskOf(sites, isAggregated ? 1 : first.length, nodes);
  const [found] = await evaluator.evaluate([mask], 'circuit', call);
  return found!;
}

/** The prompts that a graph was found on, in tokens. */
async function pairsOf(model: SparseContext['model'], graph: CircuitGraph, { signal }: CallOptions) {
  if (graph.pairs) return readPairs(model, graph.pairs, graph.taskMetric, signal);
  throw refusal('its file does not say which prompts it was found on; find it again');
}

/** The hooks whose features or neurons are nodes. */
function hooksOf({ method, nodes }: CircuitGraph): HookName[] {
  const { sites } = method.parameters;
  if (typeof sites === 'string') return sites.split(',').filter((hook) => hook !== '');
  return [
    ...new Set(
      nodes.flatMap(({ hook, feature, neuron }) => (hook && (feature || neuron !== undefined) ? [hook] : [])),
    ),
  ];
}

/**
 * The SAE of every hook: those that nodes name, and for hooks none of whose features are in the graph those that the
 * caller names or that lie beside the model or beside the others.
 */
async function saesAt(
  { saes, model: { info } }: SparseContext,
  { nodes, provenance }: CircuitGraph,
  hooks: readonly HookName[],
  told: readonly SaeId[],
): Promise<SaeId[]> {
  const found = new Map<HookName, SaeId>();
  for (const { hook, feature } of nodes) if (hook && feature) found.set(hook, feature.sae);
  const missing = () => hooks.filter((hook) => !found.has(hook));
  // One that does not fit this model, or cannot be read, is not the one that is looked for.
  const look = async (id: SaeId): Promise<void> => {
    const { hook: own, hash } = await saes.provenance(id, info);
    const isMeant = provenance.saes.some((used) => used.hook === own && used.hash === hash);
    const hook = streamHook({ hook: own, layer: Number(/\d+/.exec(own)?.[0]) });
    if (isMeant && missing().includes(hook)) found.set(hook, id);
  };
  for (const id of told) if (missing().length > 0) await look(id).catch(() => undefined);
  const home = /\.gguf$/i.test(info.path) ? dirname(info.path) : info.path;
  const folders = new Set([
    join(home, 'saes'),
    ...[...found.values()].map((id) => dirname(id.split('#')[0]!)),
  ]);
  for (const folder of folders) {
    if (missing().length === 0) break;
    for (const id of await findSaeFolders(folder, 1)) await look(id).catch(() => undefined);
  }
  const [without] = missing();
  if (without === undefined) return hooks.map((hook) => found.get(hook)!);
  throw refusal(`the SAE at ${without} that it was found with is not there; add its folder`);
}

function refusal(reason: string): EngineError {
  return new EngineError('request.invalid', { what: 'The circuit', reason });
}
