/**
 * Circuits as text for version control. The same circuit always gives the same text: keys stand in one order, numbers have six
 * significant digits, and each token, node and edge has a line of its own.
 *
 * Nodes are sorted by layer, position, kind (tokens first, logits last), head, hook, index of feature or neuron, and id; edges by
 * their source's place among the nodes, then by their target's. What a person added comes last, in the same order of nodes, so
 * that a new pin is one new line.
 */

import type {
  CircuitAnnotations,
  CircuitDocument,
  CircuitEdge,
  CircuitEvaluation,
  CircuitGraph,
  CircuitNode,
  CircuitNodeKind,
} from './circuit.ts';
import type { Provenance } from './domain.ts';
import { EngineError } from './errors.ts';
import { lastPart } from './portableCircuit.ts';
import type { PromptPairs } from './task.ts';

/** Digits that numbers keep: more than an estimate has, and few enough that the last one does not flicker between machines. */
const digits = 6;

/** Kinds of nodes in the order in which they are written. */
export const circuitNodeKinds: readonly CircuitNodeKind[] = [
  'token',
  'head',
  'mlp',
  'feature',
  'neuron',
  'error',
  'bias',
  'other',
  'logit',
];

/** The text of a `*.circuit.json` file. @throws request.invalid for a node or edge whose number is not finite */
export function writeCircuit(document: CircuitDocument): string {
  const { nodes, edges } = sortCircuit(document);
  const { method, metric, contrast, pairs, tokens, annotations, evaluation } = document;
  const parts: readonly (readonly [string, string | undefined])[] = [
    ['version', '1'],
    ['prompt', JSON.stringify(document.prompt)],
    ['counterfactual', document.counterfactual && JSON.stringify(document.counterfactual)],
    ['isAggregated', document.isAggregated && 'true'],
    ['nLayers', String(document.nLayers)],
    ['method', block({ name: method.name, parameters: sortedParameters(method.parameters) })],
    ['metric', block({ name: metric.name, clean: round(metric.clean), baseline: round(metric.baseline) })],
    ['taskMetric', document.taskMetric && JSON.stringify(document.taskMetric)],
    [
      'contrast',
      contrast && block({ answer: contrast.answer, wrong: contrast.wrong, position: contrast.position }),
    ],
    ['pairs', pairs && block(pairsOf(pairs))],
    ['provenance', block(provenanceOf(document.provenance))],
    [
      'tokens',
      lines(
        tokens.map(({ id, text, start, end, special, marker }) => ({
          id,
          text,
          start,
          end,
          special,
          marker,
        })),
      ),
    ],
    ['nodes', lines(nodes.map(nodeLine))],
    ['edges', lines(edges.map(edgeLine))],
    ['annotations', annotations && block(annotationsOf(annotations, nodes))],
    ['evaluation', evaluation && block(evaluationOf(evaluation))],
  ];
  const written = parts.filter(([, text]) => text !== undefined);
  return `{\n${written.map(([key, text]) => `  "${key}": ${text}`).join(',\n')}\n}\n`;
}

/** The nodes and edges in the order in which they are written. */
export function sortCircuit({
  nodes,
  edges,
}: Pick<CircuitGraph, 'nodes' | 'edges'>): Pick<CircuitGraph, 'nodes' | 'edges'> {
  const sorted = [...nodes].sort(compareNodes);
  const places = new Map(sorted.map((node, place) => [node.id, place]));
  const place = (id: string): number => places.get(id) ?? sorted.length;
  const sortedEdges = [...edges].sort(
    (a, b) => place(a.source) - place(b.source) || place(a.target) - place(b.target) || a.weight - b.weight,
  );
  return { nodes: sorted, edges: sortedEdges };
}

function compareNodes(a: CircuitNode, b: CircuitNode): number {
  const kind = (node: CircuitNode): number => circuitNodeKinds.indexOf(node.kind);
  const index = (node: CircuitNode): number => node.feature?.index ?? node.neuron ?? -1;
  return (
    a.layer - b.layer ||
    a.position - b.position ||
    kind(a) - kind(b) ||
    (a.head ?? -1) - (b.head ?? -1) ||
    compareText(a.hook ?? '', b.hook ?? '') ||
    index(a) - index(b) ||
    compareText(a.id, b.id)
  );
}

/** By code units, so that the order is the same in every language. */
function compareText(a: string, b: string): number {
  return a < b ? -1 : Number(a > b);
}

function nodeLine(node: CircuitNode): object {
  const { id, kind, layer, position, head, hook, feature, neuron, label, labelSource } = node;
  const what = `Node ${id}`;
  return {
    id,
    kind,
    layer,
    position,
    head,
    hook,
    feature: feature && { sae: feature.sae, index: feature.index },
    neuron,
    label,
    labelSource,
    effect: finite(node.effect, what),
    activation: optional(node.activation),
    influence: optional(node.influence),
    missing: optional(node.missing),
    probability: optional(node.probability),
  };
}

function edgeLine({ source, target, weight, parts }: CircuitEdge): object {
  const what = `Edge ${source} → ${target}`;
  return {
    source,
    target,
    weight: finite(weight, what),
    parts: parts && { q: optional(parts.q), k: optional(parts.k), v: optional(parts.v) },
  };
}

function annotationsOf(annotations: CircuitAnnotations, nodes: readonly CircuitNode[]): object {
  const { title, keep, pinned, labels, supernodes } = annotations;
  const sorted = (ids: readonly string[]): string[] => {
    const wanted = new Set(ids);
    return nodes.flatMap(({ id }) => (wanted.has(id) ? [id] : []));
  };
  const named = sorted(Object.keys(labels)).map((id) => [id, labels[id]] as const);
  return {
    title,
    keep: round(keep),
    pinned: sorted(pinned),
    labels: Object.fromEntries(named),
    supernodes: supernodes.map(({ id, label, nodes: members }) => ({ id, label, nodes: sorted(members) })),
  };
}

function evaluationOf(evaluation: CircuitEvaluation): object {
  const { kind, faithfulness, completeness, full, empty, circuit, complement } = evaluation;
  const all = { faithfulness, completeness, full, empty, circuit, complement };
  const measures = Object.fromEntries(Object.entries(all).map(([key, value]) => [key, round(value)]));
  return { kind, ...measures };
}

function pairsOf(pairs: PromptPairs): object {
  if (pairs.kind === 'pair') {
    const { kind, clean, corrupted, answers, wrongAnswers } = pairs;
    return { kind, clean, corrupted, answers, wrongAnswers };
  }
  const { task, limit } = pairs;
  if (task.kind === 'file')
    return { kind: 'task', task: { kind: 'file', path: machineless(task.path) }, limit };
  const { name, count, seed, options } = task;
  return {
    kind: 'task',
    task: { kind: 'generator', name, count, seed, options: options && sortedParameters(options) },
    limit,
  };
}

/** A path that tells nothing about the machine: one that is not relative keeps its last part only. */
function machineless(path: string): string {
  const plain = path.replaceAll('\\', '/');
  return isRelativePath(plain) ? plain : lastPart(plain);
}

/** Whether a path is relative to the folder it is written in: no root, drive, share or scheme. */
export function isRelativePath(path: string): boolean {
  return !/^([/\\]|[a-z][a-z0-9+.-]*:)/i.test(path);
}

function provenanceOf({ version, model, saes, bos, precision, seed }: Provenance): object {
  return {
    version,
    model: { name: model.name, hash: model.hash },
    saes: saes.map((sae) => {
      const { hook, hash, prependBos, convention, release, centered, scale } = sae;
      const { masksFirst, verdict, explainedVariance } = sae;
      return {
        hook,
        hash,
        prependBos,
        convention,
        release,
        centered,
        scale,
        masksFirst,
        verdict,
        explainedVariance: optional(explainedVariance),
      };
    }),
    bos,
    precision,
    seed,
  };
}

function sortedParameters<T>(parameters: Readonly<Record<string, T>>): Record<string, T | null> {
  const sorted = Object.entries(parameters).sort(([a], [b]) => compareText(a, b));
  return Object.fromEntries(
    sorted.map(([key, value]) => [key, typeof value === 'number' ? (round(value) as T | null) : value]),
  );
}

/** One item a line. */
function lines(items: readonly object[]): string {
  if (items.length === 0) return '[]';
  return `[\n${items.map((item) => `    ${JSON.stringify(item)}`).join(',\n')}\n  ]`;
}

/** A value in as many lines as it has parts. */
function block(value: object): string {
  return JSON.stringify(value, undefined, 2).replaceAll('\n', '\n  ');
}

/** JSON has no NaN: null stands for a number that could not be measured. */
function round(value: number): number | null {
  return Number.isFinite(value) ? rounded(value) : null;
}

function optional(value: number | undefined): number | undefined {
  return value !== undefined && Number.isFinite(value) ? rounded(value) : undefined;
}

function finite(value: number, what: string): number {
  if (Number.isFinite(value)) return rounded(value);
  throw new EngineError('request.invalid', { what, reason: `its effect is ${value}, which is no number` });
}

function rounded(value: number): number {
  // The sum turns −0 into 0.
  return Number(value.toPrecision(digits)) + 0;
}
