/** The methods of an experiment whose result is a circuit. */

import type { AttributedCircuit, AttributeEdgesRequest, EdgeChoice } from '../attributionApi.ts';
import type { AttributionGraphRequest } from '../attributionGraphApi.ts';
import { EngineError } from '../errors.ts';
import type { SparseCircuitRequest } from '../sparseCircuitApi.ts';
import { toJson } from './canonicalJson.ts';
import type { EdgesKept, MethodOf } from './experiment.ts';
import {
  type MethodContext,
  type MethodOutcome,
  type MethodRunners,
  requirePair,
  requirePairs,
} from './runMethods.ts';

type CircuitKind =
  | 'attributeEdges'
  | 'acdc'
  | 'gradientCircuit'
  | 'sparseFeatureCircuit'
  | 'attributionGraph';

/** Runs each of these methods. */
export const circuitRunners: MethodRunners<CircuitKind> = {
  attributeEdges,
  acdc,
  gradientCircuit,
  sparseFeatureCircuit,
  attributionGraph,
};

async function attributeEdges(
  context: MethodContext,
  method: MethodOf<'attributeEdges'>,
): Promise<MethodOutcome> {
  return attributedOutcome(await context.engine.attributeEdges(edgesRequest(context, method), context.call));
}

/** The attribution of edges as the engine is asked for it. */
export function edgesRequest(
  context: MethodContext,
  method: MethodOf<'attributeEdges'>,
): AttributeEdgesRequest {
  const { model, metric } = context;
  const pairs = requirePairs(context, method);
  const { gradients, steps, keep = { top: 100 } } = method;
  return { model: model.id, pairs, metric, method: gradients, steps, edges: edgeChoice(keep) };
}

async function acdc(context: MethodContext, method: MethodOf<'acdc'>): Promise<MethodOutcome> {
  const { engine, model, metric, call } = context;
  const pairs = requirePairs(context, method);
  const { threshold, budget } = method;
  return attributedOutcome(await engine.runAcdc({ model: model.id, pairs, metric, threshold, budget }, call));
}

function edgeChoice(kept: EdgesKept): EdgeChoice {
  if ('top' in kept) return { kind: 'top', count: kept.top };
  if ('greedy' in kept) return { kind: 'greedy', count: kept.greedy };
  return { kind: 'threshold', least: kept.threshold };
}

function attributedOutcome(found: AttributedCircuit): MethodOutcome {
  const { metric, pairCount, clean, corrupted, kept, faithfulness, total, search, edges } = found;
  return {
    numbers: {
      metric,
      pairs: pairCount,
      clean: toJson(clean),
      corrupted: toJson(corrupted),
      circuitAlone: toJson(kept),
      faithfulness: toJson(faithfulness),
      allEdges: total,
      ...(search && { search: toJson(search) }),
      edges: toJson(edges.map(({ name, score }) => ({ name, score }))),
    },
    circuit: found.circuit,
    provenance: found.circuit.provenance,
  };
}

async function gradientCircuit(
  context: MethodContext,
  method: MethodOf<'gradientCircuit'>,
): Promise<MethodOutcome> {
  const { engine, model, call, namesSaes } = context;
  const { clean, corrupted, answers, wrongAnswers } = requirePair(context, method);
  const saes = namesSaes ? (await context.saes()).map(({ id }) => id) : [];
  const contrast = { answer: answers[0]!, wrong: wrongAnswers[0]! };
  const circuit = await engine.findCircuit(
    {
      model: model.id,
      text: clean,
      counterfactual: corrupted,
      contrast,
      saes,
      maxNodes: method.maxNodes ?? 40,
    },
    call,
  );
  const kept = circuit.nodes.filter(({ kind }) => kind !== 'token' && kind !== 'logit').map(({ id }) => id);
  const evaluation = await engine.evaluateCircuit({ graph: circuit, model: model.id, contrast, kept }, call);
  const { metric, nodes, edges } = circuit;
  const numbers = {
    metric: toJson(metric),
    nodes: nodes.length,
    edges: edges.length,
    evaluation: toJson(evaluation),
  };
  return { numbers, circuit, provenance: circuit.provenance };
}

async function sparseFeatureCircuit(
  context: MethodContext,
  method: MethodOf<'sparseFeatureCircuit'>,
): Promise<MethodOutcome> {
  const request = await sparseRequest(context, method);
  const { circuit, pairCount, evaluation } = await context.engine.findSparseCircuit(request, context.call);
  const numbers = {
    pairs: pairCount,
    nodes: circuit.nodes.length,
    edges: circuit.edges.length,
    evaluation: toJson(evaluation),
  };
  return { numbers, circuit, provenance: circuit.provenance };
}

/** A sparse feature circuit as the engine is asked for it. */
export async function sparseRequest(
  context: MethodContext,
  method: MethodOf<'sparseFeatureCircuit'>,
): Promise<SparseCircuitRequest> {
  const { model, metric } = context;
  const pairs = requirePairs(context, method);
  const { basis = 'features', effects = 'ig', aggregation = 'sum' } = method;
  const { steps, nodeThreshold, edgeThreshold, edges, startLayer, errors } = method;
  const saes = (await context.saes()).map(({ id }) => id);
  const nodes = { basis, saes, method: effects, steps, aggregation, nodeThreshold };
  return { model: model.id, pairs, metric, ...nodes, edgeThreshold, edges, startLayer, errors };
}

async function attributionGraph(
  context: MethodContext,
  method: MethodOf<'attributionGraph'>,
): Promise<MethodOutcome> {
  const found = await context.engine.attributionGraph(await graphRequest(context, method), context.call);
  const { circuit, ...scores } = found;
  const numbers = {
    ...(toJson(scores) as { readonly [name: string]: number }),
    nodes: circuit.nodes.length,
    edges: circuit.edges.length,
  };
  return { numbers, circuit, provenance: circuit.provenance };
}

/** An attribution graph as the engine is asked for it. @throws request.invalid without transcoders */
export async function graphRequest(
  context: MethodContext,
  method: MethodOf<'attributionGraph'>,
): Promise<AttributionGraphRequest> {
  const { clean } = requirePair(context, method);
  const transcoders = (await context.transcoders()).map(({ id }) => id);
  if (transcoders.length === 0) {
    const reason = 'it needs transcoders; name them in "transcoders", or put them beside the model';
    throw new EngineError('request.invalid', { what: `The method ${method.kind}`, reason });
  }
  const { kind: _, ...parameters } = method;
  return { ...parameters, model: context.model.id, text: clean, transcoders };
}
