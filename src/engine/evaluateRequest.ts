/** Tests a circuit in the way that fits how it was found: see `EngineApi.evaluateCircuit`. */
import { dirname, join } from 'node:path';
import type { CallOptions } from '../shared/callOptions.ts';
import type { CircuitEvaluation, CircuitGraph } from '../shared/circuit.ts';
import type { HookName, SaeId } from '../shared/domain.ts';
import type { CircuitEvaluationRequest } from '../shared/engineApi.ts';
import { EngineError } from '../shared/errors.ts';
import { formatText } from '../shared/format.ts';
import { type ErrorTreatment, errorTreatments } from '../shared/sparseCircuitApi.ts';
import { studyMethod } from '../shared/studyCircuit.ts';
import type { TaskMetric } from '../shared/task.ts';
import { readCircuitRequest, requireSameTokens } from './circuitRequest.ts';
import { evaluateAttributionGraph } from './method/attributionGraph/evaluateAttributionGraph.ts';
import { evaluateCircuit } from './method/circuitEvaluation.ts';
import { graphOfDocument } from './method/componentDocument.ts';
import { evaluateStudyCircuit } from './method/ioi/evaluateStudyCircuit.ts';
import { maskOf } from './method/sparse/nodeMask.ts';
import { nodesOfGraph } from './method/sparse/sparseGraph.ts';
import { featureSites, neuronSites, streamHook, usualStartLayer } from './method/sparse/sparseSites.ts';
import { readPairs } from './readPairs.ts';
import { findSaeFolders } from './sae/catalog.ts';
import type { SparseContext } from './sparseCircuits.ts';
import { sparseMethod } from './sparseReport.ts';
import { normalized } from './task/metric.ts';
import { pairsHash } from './task/pairsHash.ts';
import type { TokenTask } from './task/task.ts';

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
  if (!contrast) throw refusal('nothing says which answers it tells apart; set a contrast');
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
  { model, circuitRuns }: SparseContext,
  { graph, kept }: CircuitEvaluationRequest,
  call: CallOptions,
): Promise<CircuitEvaluation> {
  const { transformer } = model;
  const { task, metric } = await pairsOf(model, graph, call);
  const ids = new Set(kept);
  for (const { id, kind } of graph.nodes) if (kind === 'token' || kind === 'logit') ids.add(id);
  const edges = graph.edges.filter(({ source, target }) => ids.has(source) && ids.has(target));
  const { inGraph } = graphOfDocument({ ...graph, edges }, transformer.config).graph;
  const runs = await circuitRuns.ofEdges(model, task, metric, call.signal);
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
  { model, circuitRuns }: SparseContext,
  request: CircuitEvaluationRequest,
  call: CallOptions,
): Promise<CircuitEvaluation> {
  const { task } = await pairsOf(model, request.graph, call);
  const runsOf = (count: number) => circuitRuns.ofStudy(model, task, count, call.signal);
  return evaluateStudyCircuit(model.transformer, task, request, call.signal, runsOf);
}

/** Features and errors outside the circuit at their means over the corrupted prompts; on the pairs that were held out. */
async function evaluateSparse(
  context: SparseContext,
  { graph, kept, saes: told = [] }: CircuitEvaluationRequest,
  call: CallOptions,
): Promise<CircuitEvaluation> {
  const { model } = context;
  const { basis, startLayer } = graph.method.parameters;
  const errors = errorsOf(graph);
  const { hash } = graph.provenance.model;
  if (hash !== '' && hash !== model.info.hash) throw refusal('it was found in another model');
  const { task, metric } = await pairsOf(model, graph, call);
  requireSameTask(graph, task, metric);
  const isAggregated = graph.isAggregated === true;
  const first = task.pairs[0]!.clean;
  const { config } = model.transformer;
  const isOfNeurons = basis === 'neurons';
  const hooks = hooksOf(graph);
  const ids = isOfNeurons ? [] : await saesAt(context, graph, hooks, told);
  const open = await context.saes.forCircuit(ids, model.info);
  const sites = isOfNeurons ? neuronSites(config, hooks) : featureSites(config, open);
  const ofCircuit = new Set(kept);
  const nodes = nodesOfGraph(
    sites,
    graph.nodes.filter(({ id }) => ofCircuit.has(id)),
    isAggregated ? undefined : first.length,
  );
  const subject = {
    sites,
    saes: open.map(({ sae }) => sae),
    pairs: task.pairs,
    metric,
    startLayer: typeof startLayer === 'number' ? startLayer : usualStartLayer(config),
  };
  const evaluator = await context.evaluators.of(model, subject, call);
  const mask = maskOf(sites, isAggregated ? 1 : first.length, nodes, errors);
  const [evaluation] = await evaluator.evaluate([mask], errors, call);
  return evaluation!;
}

/** What became of SAEs' errors when the circuit was tested first; circuits that do not say so had them as nodes. */
function errorsOf({ method: { parameters } }: CircuitGraph): ErrorTreatment {
  const { errors = 'circuit' } = parameters;
  const found = errorTreatments.find((known) => known === errors);
  if (found !== undefined) return found;
  const known = errorTreatments.join(', ');
  throw refusal(`it says "${formatText(String(errors))}" of SAE errors, where one of ${known} is expected`);
}

/** @throws request.invalid when the task is not the one that the graph was found on any more */
function requireSameTask(
  { method, tokens, isAggregated }: CircuitGraph,
  task: TokenTask,
  metric: TaskMetric,
): void {
  const first = task.pairs[0]!.clean;
  if (!isAggregated) {
    requireSameTokens(tokens, first);
    if (task.pairs.some(({ clean }) => clean.length !== first.length))
      throw refusal('its nodes are at positions, and the prompts of its task now differ in length');
  }
  const { pairsHash: found } = method.parameters;
  if (found === undefined || found === pairsHash(task, metric)) return;
  throw refusal('the prompts or answers of its task have changed since; find it again');
}

/** The prompts that a graph was found on, in tokens. */
async function pairsOf(model: SparseContext['model'], graph: CircuitGraph, { signal }: CallOptions) {
  if (graph.pairs) return readPairs(model, graph.pairs, graph.taskMetric, signal);
  throw refusal('nothing says which prompts it was found on; find it again');
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
  const isMeant = (own: HookName, hash: string): boolean =>
    provenance.saes.some((used) => used.hook === own && used.hash === hash);
  const found = new Map<HookName, SaeId>();
  for (const { hook, feature } of nodes) if (hook && feature) found.set(hook, feature.sae);
  for (const [hook, id] of found) {
    const { hook: own, hash } = await saes.provenance(id, info);
    if (isMeant(own, hash)) continue;
    throw refusal(`the SAE at ${hook} is another one than it was found with; open that one`);
  }
  const missing = () => hooks.filter((hook) => !found.has(hook));
  // One that does not fit this model, or cannot be read, is not the one that is looked for.
  const look = async (id: SaeId): Promise<void> => {
    const { hook: own, hash } = await saes.provenance(id, info);
    const hook = streamHook({ hook: own, layer: Number(/\d+/.exec(own)?.[0]) });
    if (isMeant(own, hash) && missing().includes(hook)) found.set(hook, id);
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
