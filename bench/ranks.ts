/**
 * How attribution and ACDC agree in rank with exact patching on the embedded model and indirect objects: the table of
 * docs/circuits.md, "Edges". Every figure is Spearman's ρ by sign; ρ by size stands beside it.
 * FOVEA_BENCH_PAIRS chooses on how many pairs.
 */

import { floatsOf, floatValue } from '../src/engine/graph/value.ts';
import { LoadedModel } from '../src/engine/loadedModel.ts';
import { acdc } from '../src/engine/method/acdc.ts';
import {
  attributeAllNodes,
  type NodeAttributionRequest,
  nodeSites,
} from '../src/engine/method/attributionPatching.ts';
import { exactEdgeEffects } from '../src/engine/method/circuitMetric.ts';
import { edgesOf, fullGraph, graphSizes, nodeScores } from '../src/engine/method/componentGraph.ts';
import { attributeAllEdges } from '../src/engine/method/edgeAttributionPatching.ts';
import type { EdgeAttributionRequest } from '../src/engine/method/edgeScoring.ts';
import { rankCorrelation } from '../src/engine/method/rankCorrelation.ts';
import type { Transformer } from '../src/engine/model/transformer.ts';
import { loadTask } from '../src/engine/task/loadTask.ts';
import { mean, metricValues } from '../src/engine/task/metric.ts';
import type { TokenPair } from '../src/engine/task/task.ts';
import type { TaskMetric } from '../src/shared/task.ts';
import { type Figure, finish } from './figure.ts';

const pairCount = Number(process.env.FOVEA_BENCH_PAIRS ?? 4);
const metric = 'logitDifference';

const tasks = [
  { name: 'subject swapped', counterfactual: 'swapped' },
  { name: 'unrelated names', counterfactual: 'abc' },
] as const;

const ofEdges: readonly (Pick<EdgeAttributionRequest, 'steps' | 'along'> & { readonly what: string })[] = [
  { what: 'EAP', steps: 0 },
  { what: 'EAP-IG over inputs, 5 steps', steps: 5 },
  { what: 'EAP-IG along activations, 3 steps', steps: 3, along: 'activations' },
];

const ofNodes: readonly (Pick<NodeAttributionRequest, 'integrate'> & { readonly what: string })[] = [
  { what: 'attribution patching', integrate: { along: 'none' } },
  { what: 'integrated gradients over inputs, 5 steps', integrate: { along: 'inputs', steps: 5 } },
  {
    what: 'integrated gradients along activations, layer by layer, 5 steps',
    integrate: { along: 'activations', steps: 5 },
  },
];

/** Where edges stay when their loss rises by so much: ACDC's usual metric, and the one that the others are scored by. */
const searches: readonly { readonly metric: TaskMetric; readonly threshold: number }[] = [
  { metric: 'kl', threshold: 0.01 },
  { metric: 'kl', threshold: 0.001 },
  { metric: 'logitDifference', threshold: 0.1 },
];

type Scores = ArrayLike<number>;

interface Subject {
  readonly model: Transformer;
  readonly task: string;
  readonly pairs: readonly TokenPair[];
  readonly exact: ExactEdges;
}

/** Effects of corrupting single edges in the clean run, on every other pair, on the rest, and on all. */
interface ExactEdges {
  readonly even: Float64Array;
  readonly odd: Float64Array;
  readonly all: Float64Array;
}

async function main(): Promise<void> {
  const loaded = await LoadedModel.open('models/mini');
  const figures: Figure[] = [];
  for (const { name, counterfactual } of tasks) {
    const source = { kind: 'generator', name: 'ioi', count: pairCount, seed: 1 } as const;
    const { task } = await loadTask({ ...source, options: { counterfactual } }, loaded);
    const { transformer: model } = loaded;
    const exact = await exactEdges(model, task.pairs);
    const subject = { model, task: name, pairs: task.pairs, exact };
    figures.push(...(await edgeFigures(subject)), ...(await nodeFigures(subject)));
    figures.push(...(await acdcFigures(subject)));
  }
  finish(figures);
}

/** Numbers of all edges in `ComponentGraph.scores`. */
function allEdges({ config }: Transformer): readonly number[] {
  const { sources } = graphSizes(config);
  return edgesOf(fullGraph(config), false).map(({ source, destination }) => destination * sources + source);
}

async function exactEdges(model: Transformer, pairs: readonly TokenPair[]): Promise<ExactEdges> {
  const [first, second] = halvesOf(pairs);
  const even = await exactEdgeEffects(model, { pairs: first, metric }, allEdges(model));
  const odd = await exactEdgeEffects(model, { pairs: second, metric }, allEdges(model));
  const all = even.map((x, i) => (x * first.length + odd[i]! * second.length) / pairs.length);
  return { even, odd, all };
}

/** Against the effect of corrupting an edge in the clean run, and against the mean of that and of mending it in the corrupted run. */
async function edgeFigures({
  model,
  task,
  pairs,
  exact: { even, odd, all: exact },
}: Subject): Promise<Figure[]> {
  const edges = allEdges(model);
  const mended = (await exactEdgeEffects(model, { pairs: pairs.map(turned), metric }, edges)).map((x) => -x);
  const middle = exact.map((x, i) => (x + mended[i]!) / 2);
  const figures = [
    agreement(`edges, exact, mended in the corrupted run; ${task}`, mended, exact),
    agreement(`edges, exact, one half of the pairs by the other; ${task}`, even, odd),
  ];
  for (const { what, ...way } of ofEdges) {
    const { scores } = await attributeAllEdges(model, { pairs, metric, ...way });
    const found = edges.map((at) => scores[at]!);
    const figure = agreement(`edges, ${what}; ${task}`, found, exact);
    const both = `with the mean of both ends ${rankCorrelation(found, middle).toFixed(2)}, by size ${rankOfSizes(found, middle).toFixed(2)}`;
    figures.push({ ...figure, detail: `${figure.detail}; ${both}` });
  }
  return figures;
}

async function nodeFigures({ model, task, pairs }: Subject): Promise<Figure[]> {
  const exact = await exactNodes(model, pairs);
  const [even, odd] = halvesOf(pairs);
  const [ofEven, ofOdd] = [await exactNodes(model, even), await exactNodes(model, odd)];
  const figures = [agreement(`nodes, exact, one half of the pairs by the other; ${task}`, ofEven, ofOdd)];
  for (const { what, integrate } of ofNodes) {
    const { effects } = await attributeAllNodes(model, { pairs, metric, integrate });
    figures.push(agreement(`nodes, ${what}; ${task}`, effects, exact));
  }
  const graph = await attributeAllEdges(model, { pairs, metric, steps: 3, along: 'activations' });
  const what = 'sums of edges by EAP-IG along activations, 3 steps';
  figures.push(agreement(`nodes, ${what}; ${task}`, nodeScores(graph), exact));
  return figures;
}

/** Rises of the loss when edges were tried, against corrupting each alone; and whether those that stayed are the strongest. */
async function acdcFigures({ model, task, pairs, exact: { all } }: Subject): Promise<Figure[]> {
  const figures: Figure[] = [];
  const edges = allEdges(model);
  const known = new Map<TaskMetric, Float64Array>([[metric, all]]);
  for (const { metric: own, threshold } of searches) {
    const exact = known.get(own) ?? (await exactEdgeEffects(model, { pairs, metric: own }, edges));
    known.set(own, exact);
    const { graph, tried } = await acdc(model, { pairs, metric: own, threshold });
    // Edges that were not tried score 0, as do the few that carry the same on both prompts.
    const tested = edges.flatMap((at, i) => (graph.scores[at] === 0 ? [] : [{ at, exact: exact[i]! }]));
    const sign = own === 'kl' ? 1 : -1;
    const effects = tested.map((edge) => edge.exact);
    const figure = agreement(
      `edges, ACDC by ${own}, threshold ${threshold}; ${task}`,
      tested.map(({ at }) => sign * graph.scores[at]!),
      effects,
    );
    const stayed = tested.map(({ at }) => graph.inGraph[at] === 1);
    const kept = stayed.filter(Boolean).length;
    const strongest = new Set(bySize(effects).slice(-kept));
    const shared = stayed.filter((stays, i) => stays && strongest.has(i)).length;
    const area = areaUnderCurve(bySize(effects).map((i) => stayed[i]!));
    const detail = `${figure.detail}; ${tried} of ${edges.length} tried, ${kept} kept, ${shared} of them among the ${kept} strongest, AUC ${area.toFixed(3)}`;
    figures.push({ ...figure, detail });
  }
  return figures;
}

/** Metric with one node patched in at all positions, minus the clean metric, for every node; the mean over pairs. */
async function exactNodes(model: Transformer, pairs: readonly TokenPair[]): Promise<number[]> {
  const sums: number[] = [];
  for (const { clean, corrupted, ...pair } of pairs) {
    const capture = nodeSites(model).map(({ hook }) => hook);
    const other = await model.run({ tokens: [corrupted], capture, logits: 'none' });
    const metricOf = async (edits: Parameters<Transformer['run']>[0]['edits']): Promise<number> => {
      const { logits } = await model.run({ tokens: [clean], edits, logits: 'last' });
      return mean(metricValues(metric, logits!, [pair]));
    };
    const before = await metricOf([]);
    for (const { hook, first, count } of nodeSites(model)) {
      const value = other.hooks.get(hook)!;
      const width = value.dims.at(-1)!;
      for (let node = 0; node < count; node++) {
        const stays = Float32Array.from({ length: count }, (_, i) => (i === node ? 0 : 1));
        const keep = floatValue(stays, value.dims.length === 4 ? [1, 1, count, 1] : [1, 1, 1]);
        const own = floatsOf(value).map((x, i) => (Math.floor(i / width) % count === node ? x : 0));
        const edits = [{ hook, keep, add: floatValue(own, value.dims) }];
        sums[first + node] = (sums[first + node] ?? 0) + ((await metricOf(edits)) - before) / pairs.length;
      }
    }
  }
  return sums;
}

function turned({ clean, corrupted, ...pair }: TokenPair): TokenPair {
  return { ...pair, clean: corrupted, corrupted: clean };
}

function halvesOf(pairs: readonly TokenPair[]): readonly [TokenPair[], TokenPair[]] {
  return [pairs.filter((_, i) => i % 2 === 0), pairs.filter((_, i) => i % 2 === 1)];
}

/** Numbers of the values, the smallest first. */
function bySize(values: Scores): number[] {
  const order = Array.from(values, (_, i) => i);
  return order.sort((a, b) => Math.abs(values[a]!) - Math.abs(values[b]!));
}

/** How often one of those marked comes behind one of the others; 0.5 by chance. */
function areaUnderCurve(marks: readonly boolean[]): number {
  let [before, won] = [0, 0];
  for (const mark of marks) {
    if (mark) won += before;
    else before++;
  }
  return won / (before * (marks.length - before));
}

function agreement(what: string, found: Scores, exact: Scores): Figure {
  const detail = `by size ${rankOfSizes(found, exact).toFixed(2)}, ${exact.length} compared`;
  return { what, value: rankCorrelation(found, exact), unit: 'ρ', detail };
}

function rankOfSizes(a: Scores, b: Scores): number {
  return rankCorrelation(Array.from(a, Math.abs), Array.from(b, Math.abs));
}

void main();
