/** Circuits name SAEs by their hooks, as files do; this finds the open model's SAEs that are meant, and says what is missing. */

import type { CircuitGraph, CircuitNode } from '../../shared/circuit.ts';
import type { Edit, FeatureRef, ModelInfo, SaeInfo } from '../../shared/domain.ts';
import { portableCircuit, withSaes } from '../../shared/portableCircuit.ts';

/** The model and SAEs that are open. `ModelStore` has this shape. */
export interface CircuitModels {
  readonly model: ModelInfo | undefined;
  readonly saes: readonly SaeInfo[];
  ensure(): Promise<ModelInfo>;
}

/** Why a circuit cannot be evaluated here. */
export type Obstacle =
  /** Its file does not say what was measured. */
  | { readonly kind: 'noQuestion' }
  /** Its file does not say which weights it was found with. */
  | { readonly kind: 'unknownModel'; readonly made: string }
  | { readonly kind: 'otherModel'; readonly made: string; readonly open: string }
  /** The model is read with another beginning: positions and numbers are others. */
  | { readonly kind: 'otherBos'; readonly made: ModelInfo['bos'] }
  | { readonly kind: 'otherPrecision'; readonly made: string; readonly open: string }
  | { readonly kind: 'missingSae'; readonly hook: string }
  | { readonly kind: 'otherSae'; readonly hook: string };

/** What files say that do not know with which precision they were made. */
const unknownPrecisions: ReadonlySet<string> = new Set(['', 'unknown']);

/** The graph with its SAEs named by hooks, which stay when it is saved or another model is opened. */
export function portable<G extends CircuitGraph>(graph: G, saes: readonly SaeInfo[]): G {
  return portableCircuit(graph, (id) => saes.find((sae) => sae.id === id)?.hook);
}

/** The graph with the ids of the open SAEs; call it only where `obstacleTo` finds nothing. */
export function localCircuit<G extends CircuitGraph>(graph: G, { saes }: CircuitModels): G {
  return withSaes(graph, (name) => findSae(graph, name, saes)?.id ?? name);
}

/** A feature of the circuit as the engine knows it; undefined when its SAE is not there, or is another one. */
export function localFeature(
  graph: CircuitGraph,
  { feature }: Pick<CircuitNode, 'feature'>,
  { model, saes }: CircuitModels,
): FeatureRef | undefined {
  if (!feature || !model || !isOfModel(graph, model)) return undefined;
  const sae = findSae(graph, feature.sae, saes);
  return sae && feature.index < sae.dSae ? { sae: sae.id, index: feature.index } : undefined;
}

/**
 * The intervention that zeroes a node; nothing for nodes that are no component, whose SAE is not there, or of another model
 * than the open one. A position is one of a text that begins alike.
 */
export function ablationOf(
  graph: CircuitGraph,
  node: CircuitNode,
  models: CircuitModels,
): Pick<Edit, 'target' | 'action' | 'positions'> | undefined {
  const { model } = models;
  if (!model || !isOfModel(graph, model)) return undefined;
  const target = targetOf(graph, node, models);
  if (!target) return undefined;
  const action = { kind: 'zero' } as const;
  if (graph.isAggregated) return { target, action };
  return hasSameBos(graph, model) ? { target, action, positions: [node.position] } : undefined;
}

function targetOf(graph: CircuitGraph, node: CircuitNode, models: CircuitModels): Edit['target'] | undefined {
  const { kind, layer, head } = node;
  if (kind === 'head' && head !== undefined) return { kind: 'head', layer, head };
  if (kind === 'mlp') return { kind: 'mlp', layer };
  const feature = localFeature(graph, node, models);
  return feature && { kind: 'feature', feature };
}

/** Whether the circuit may be of this model: its hash, or its name where it has none. */
export function isOfModel({ provenance }: CircuitGraph, model: ModelInfo): boolean {
  const { hash, name } = provenance.model;
  return hash === '' ? model.name === name : hash === model.hash;
}

/** Whether the open model is read with the beginning that the circuit was found with, so that positions are the same. */
export function hasSameBos({ provenance }: CircuitGraph, model: ModelInfo): boolean {
  return provenance.bos === model.bos;
}

/** What keeps the circuit from being evaluated with the open model; nothing is known to while none is open. */
export function obstacleTo(graph: CircuitGraph, { model, saes }: CircuitModels): Obstacle | undefined {
  const { provenance, contrast, pairs, method } = graph;
  const made = provenance.model.name;
  // The scores of an attribution graph follow from its edges; nothing is run.
  if (method.name === 'attribution graph') return undefined;
  if (!contrast && !pairs) return { kind: 'noQuestion' };
  if (provenance.model.hash === '') return { kind: 'unknownModel', made };
  if (!model) return undefined;
  if (model.hash !== provenance.model.hash) return { kind: 'otherModel', made, open: model.name };
  for (const name of new Set(graph.nodes.flatMap(({ feature }) => feature?.sae ?? []))) {
    if (findSae(graph, name, saes)) continue;
    const isOther = saes.some(({ hook }) => hook === name);
    return { kind: isOther ? 'otherSae' : 'missingSae', hook: name };
  }
  if (!hasSameBos(graph, model)) return { kind: 'otherBos', made: provenance.bos };
  const { precision } = provenance;
  if (!unknownPrecisions.has(precision) && precision !== model.precision) {
    return { kind: 'otherPrecision', made: precision, open: model.precision };
  }
  return undefined;
}

/** The open SAE of a name: its hook, with the hash that provenance tells; or its address at Neuronpedia. */
function findSae(graph: CircuitGraph, name: string, saes: readonly SaeInfo[]): SaeInfo | undefined {
  const known = graph.provenance.saes.filter(({ hook }) => hook === name);
  return saes.find((sae) => {
    if (sae.problem !== undefined) return false;
    if (sae.neuronpediaId?.split('/').at(-1) === name) return true;
    return sae.hook === name && (known.length === 0 || known.some(({ hash }) => hash === sae.hash));
  });
}
