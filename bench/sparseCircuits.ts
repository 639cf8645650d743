/**
 * Sparse feature circuits of the embedded model with its 12 SAEs: the table of docs/circuits.md, "Sparse feature circuits".
 * How estimated effects agree with exact ones over all layers, how faithful and complete circuits are on pairs that were
 * held out, and how many nodes it takes with features and with neurons. A row is written to the error output when it is
 * done. FOVEA_BENCH_PAIRS chooses on how many pairs circuits are found and tested, FOVEA_BENCH_EXACT_PAIRS on how many
 * estimates are compared; with 0 they are not.
 */

import { readdirSync } from 'node:fs';
import { LoadedModel } from '../src/engine/loadedModel.ts';
import { metricTotals } from '../src/engine/method/activationPatching.ts';
import { compareEffects } from '../src/engine/method/sparse/compareEffects.ts';
import type { EffectTable, SparseNode } from '../src/engine/method/sparse/effectTable.ts';
import { nodeEffects } from '../src/engine/method/sparse/nodeEffects.ts';
import { allFeatures, maskOf } from '../src/engine/method/sparse/nodeMask.ts';
import { SparseEvaluator } from '../src/engine/method/sparse/sparseEvaluation.ts';
import {
  featureSites,
  isFree,
  neuronSites,
  type SparseSite,
  usualStartLayer,
} from '../src/engine/method/sparse/sparseSites.ts';
import { splitPairs } from '../src/engine/method/sparse/splitPairs.ts';
import type { Transformer } from '../src/engine/model/transformer.ts';
import { openSae } from '../src/engine/sae/formats/registry.ts';
import { SparseAutoencoder } from '../src/engine/sae/sparseAutoencoder.ts';
import { sparseDefaults } from '../src/engine/sparseRequest.ts';
import { loadTask } from '../src/engine/task/loadTask.ts';
import type { TokenPair, TokenTask } from '../src/engine/task/task.ts';
import type { NodeEffectMethod } from '../src/shared/sparseCircuitApi.ts';
import type { TaskGenerator } from '../src/shared/task.ts';
import { type Figure, finish } from './figure.ts';

/** A quarter of them, 40 at most, is held out. */
const pairCount = Number(process.env.FOVEA_BENCH_PAIRS ?? 160);
const exactPairCount = Number(process.env.FOVEA_BENCH_EXACT_PAIRS ?? 20);
const metric = 'logitDifference';
/** Where circuits are cut, as shares of what the metric changes: the default, and about the paper's. */
const shares = [sparseDefaults.nodeShare, 0.01];
/** So many features of a stream are taken away together. */
const takenAway = [2, 4, 20];
/** The faithfulness that features and neurons are counted for. */
const wanted = 0.8;
/** Circuits that are tested side by side while nodes are counted. */
const sideBySide = 8;

interface TaskChoice {
  readonly what: string;
  readonly name: TaskGenerator;
  readonly options: Readonly<Record<string, string>>;
}

const tasks: readonly TaskChoice[] = [
  ...['simple', 'nounpp', 'rc', 'within_rc', 'all'].map((structure) => ({
    what: `agreement, ${structure}`,
    name: 'agreement' as const,
    options: { structure },
  })),
  { what: 'indirect objects, unrelated names', name: 'ioi', options: { counterfactual: 'abc' } },
];

interface Subject {
  readonly model: Transformer;
  readonly features: readonly SparseSite[];
  readonly neurons: readonly SparseSite[];
  readonly task: TokenTask;
}

async function main(): Promise<void> {
  const loaded = await LoadedModel.open('models/mini');
  const { transformer: model } = loaded;
  const [features, neurons] = [await openFeatureSites(model), neuronSites(model.config, [])];
  const figures: Figure[] = [];
  for (const { what, name, options } of tasks) {
    const pairsOf = async (count: number): Promise<TokenTask> =>
      (await loadTask({ kind: 'generator', name, count, seed: 1, options }, loaded)).task;
    const subject = { model, features, neurons, task: await pairsOf(pairCount) };
    const found = [
      ...(name === 'agreement' ? [singularFigure(loaded, subject.task)] : []),
      ...(await circuitFigures(subject)),
      ...(exactPairCount > 0
        ? await estimateFigures(model, features, (await pairsOf(exactPairCount)).pairs)
        : []),
    ];
    for (const figure of found) {
      const named = { ...figure, what: `${what}: ${figure.what}` };
      process.stderr.write(`${named.what}: ${named.value} ${named.unit}; ${named.detail}\n`);
      figures.push(named);
    }
  }
  finish(figures);
}

async function openFeatureSites({ config }: Transformer): Promise<readonly SparseSite[]> {
  const folders = readdirSync('models/mini/saes', { withFileTypes: true }).filter((one) => one.isDirectory());
  const saes = folders.map(async ({ name: hook }) => {
    const id = `models/mini/saes/${hook}`;
    const sae = new SparseAutoencoder(await openSae(id));
    return { id, sae, hook, layer: Number(/\d+/.exec(hook)?.[0]) };
  });
  return featureSites(config, await Promise.all(saes));
}

/** How many of the nouns that verbs agree with are singular in the clean prompt. Only singular verbs end in "s". */
function singularFigure({ tokenizer }: LoadedModel, { pairs }: TokenTask): Figure {
  const singular = pairs.filter(({ answers }) => tokenizer.tokenText(answers[0]!).endsWith('s')).length;
  const detail = `${singular} of ${pairs.length} pairs`;
  return { what: 'singular nouns', value: (100 * singular) / pairs.length, unit: '%', detail };
}

/** Integrated gradients and attribution patching beside patching every node by itself. */
async function estimateFigures(
  model: Transformer,
  sites: readonly SparseSite[],
  pairs: readonly TokenPair[],
): Promise<Figure[]> {
  const effectsBy = (method: NodeEffectMethod) => effectsOf(model, sites, pairs, method);
  const exact = await effectsBy('exact');
  const figures: Figure[] = [];
  for (const [method, name] of [
    ['ig', 'integrated gradients'],
    ['atp', 'attribution patching'],
  ] as const) {
    const { correlation, rankCorrelation, nodes } = compareEffects(method, await effectsBy(method), exact);
    const detail = `Spearman ${rankCorrelation.toFixed(2)}, ${nodes} nodes, ${pairs.length} pairs`;
    figures.push({ what: `${name} against exact effects`, value: correlation, unit: 'r', detail });
  }
  return figures;
}

function effectsOf(
  model: Transformer,
  sites: readonly SparseSite[],
  pairs: readonly TokenPair[],
  method: NodeEffectMethod,
): Promise<EffectTable> {
  const { steps } = sparseDefaults;
  return nodeEffects(model, { sites, pairs, metric, method, steps, aggregation: 'sum' });
}

/** What finding circuits on some pairs and testing them on others takes. */
interface Search {
  readonly table: EffectTable;
  readonly evaluator: SparseEvaluator;
  readonly startLayer: number;
}

async function circuitFigures({ model, features, neurons, task }: Subject): Promise<Figure[]> {
  const { train, test } = splitPairs(task.pairs);
  const { clean, corrupted } = await metricTotals(model, { ...task, pairs: train }, metric);
  const startLayer = usualStartLayer(model.config);
  const searchOf = async (sites: readonly SparseSite[]): Promise<Search> => {
    const table = await effectsOf(model, sites, train, 'ig');
    const subject = { model, sites, pairs: test, reference: task.pairs, metric, startLayer } as const;
    return { table, evaluator: await SparseEvaluator.open(subject), startLayer };
  };
  const search = await searchOf(features);
  const span = Math.abs(clean - corrupted);
  const figures: Figure[] = [];
  for (const share of shares) figures.push(await thresholdFigure(search, share, span));
  for (const count of takenAway) figures.push(await streamFigure(search, count));
  const [ofFeatures, ofNeurons] = [await leastNodes(search), await leastNodes(await searchOf(neurons))];
  const detail = `neurons ${ofNeurons ?? 'never'}`;
  const what = `features for a faithfulness of ${wanted}`;
  return [...figures, { what, value: ofFeatures ?? Number.NaN, unit: 'nodes', detail }];
}

/** The circuit of one threshold, with errors as nodes like others and with all of them taken away. */
async function thresholdFigure(search: Search, share: number, span: number): Promise<Figure> {
  const { table, evaluator } = search;
  const { sites } = table;
  const nodes = table.nodes(share * span);
  const [circuit] = await evaluator.evaluate([maskOf(sites, 1, nodes)]);
  const [bare, all] = await evaluator.evaluate(
    [maskOf(sites, 1, nodes, 'remove'), allFeatures(sites)],
    'remove',
  );
  const [kept, active] = [counted(search, nodes).length, counted(search, table.nodes()).length];
  const detail = [
    `${kept} of ${active} active nodes (${((100 * kept) / active).toFixed(1)} %)`,
    `completeness ${circuit!.completeness.toFixed(3)}`,
    `errors removed ${bare!.faithfulness.toFixed(2)}`,
    `all features without errors ${all!.faithfulness.toFixed(2)}`,
    `threshold ${(share * span).toFixed(3)}`,
    `tested on ${evaluator.pairs} pairs, means of ${evaluator.leastReference} prompts or more`,
  ].join(', ');
  return { what: `faithfulness at ${100 * share} %`, value: circuit!.faithfulness, unit: 'share', detail };
}

/** What the metric keeps when the strongest features of one layer's stream are taken away, for the layer where that is most. */
async function streamFigure({ table, evaluator, startLayer }: Search, count: number): Promise<Figure> {
  const { sites } = table;
  const streams = sites.filter(({ kind, layer }) => kind === 'residual' && layer >= startLayer);
  const masks = streams.map((stream) => {
    const own = table
      .nodes()
      .filter(({ site, unit }) => sites[site] === stream && unit < stream.dictionary.width);
    return maskOf(sites, 1, strongestFirst(table, own).slice(0, count));
  });
  const left = (await evaluator.evaluate(masks)).map(({ completeness }) => completeness);
  const detail = streams.map(({ hook }, i) => `${hook} ${left[i]!.toFixed(2)}`).join(', ');
  const what = `left without the ${count} strongest features of a stream`;
  return { what, value: Math.max(...left), unit: 'share', detail };
}

/** Nodes that tests can ablate; the others are not counted. */
function counted({ table, startLayer }: Search, nodes: readonly SparseNode[]): readonly SparseNode[] {
  return nodes.filter(({ site }) => !isFree(table.sites[site]!, startLayer));
}

function strongestFirst(table: EffectTable, nodes: readonly SparseNode[]): SparseNode[] {
  const size = (node: SparseNode) => Math.abs(table.effect(node));
  return nodes.toSorted((a, b) => size(b) - size(a));
}

/**
 * How few of the strongest nodes reach the wanted faithfulness; undefined when all of them do not. Between numbers of nodes a
 * quarter apart the first that reaches it is looked for, and from there on it is taken to rise with every node.
 */
async function leastNodes(search: Search): Promise<number | undefined> {
  const { table, evaluator } = search;
  const ranked = strongestFirst(table, counted(search, table.nodes()));
  const firstOf = async (counts: readonly number[]): Promise<number | undefined> => {
    for (let start = 0; start < counts.length; start += sideBySide) {
      const part = counts.slice(start, start + sideBySide);
      const masks = part.map((count) => maskOf(table.sites, 1, ranked.slice(0, count)));
      const found = (await evaluator.evaluate(masks)).findIndex(({ faithfulness }) => faithfulness >= wanted);
      if (found >= 0) return part[found];
    }
    return undefined;
  };
  const coarse = [8];
  while (coarse.at(-1)! < ranked.length)
    coarse.push(Math.min(ranked.length, Math.ceil(coarse.at(-1)! * 1.25)));
  const reached = await firstOf(coarse);
  if (reached === undefined) return undefined;
  const below = coarse[coarse.indexOf(reached) - 1] ?? 0;
  return firstOf(Array.from({ length: reached - below }, (_, i) => below + 1 + i));
}

void main();
