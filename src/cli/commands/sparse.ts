/** `fovea sparse`: the SAE features that carry a task, how well they explain it, and how sure their effects are. */

import { resolve } from 'node:path';
import { sparseDefaults } from '../../engine/sparseRequest.ts';
import type { SaeInfo } from '../../shared/domain.ts';
import { formatNumber, formatSigned } from '../../shared/format.ts';
import { countFound } from '../../shared/foundCounts.ts';
import { portableCircuit } from '../../shared/portableCircuit.ts';
import {
  type EffectComparison,
  errorTreatments,
  type NodeEffectMethod,
  type SparseCircuit,
  type SparseEvaluation,
  type SparseNodesRequest,
} from '../../shared/sparseCircuitApi.ts';
import {
  type CommandLine,
  CommandLineError,
  countOption,
  type OptionSpec,
  textOption,
} from '../arguments.ts';
import { type Command, type Context, openModel } from '../context.ts';
import { promptOptions, promptUsage, readPromptPairs, tellLeftOut } from '../promptPairs.ts';
import { renderTable } from '../table.ts';
import { isGiven, refuseUnused } from '../unusedOptions.ts';
import { numberOption, printEstimate, readMetric } from './attribute.ts';
import { chooseSaes, requireWritable } from './circuit.ts';

/** Nodes and edges in the tables; --json has all of them. */
const [shownNodes, shownEdges] = [25, 15];

const methods: readonly NodeEffectMethod[] = ['atp', 'ig', 'exact'];

const text = (placeholder: string, about: string, multiple = false): OptionSpec => ({
  type: 'string',
  placeholder,
  about,
  multiple,
});

export const sparse: Command = {
  summary: 'the SAE features that carry a task, as a circuit',
  usage: `${promptUsage} [options]`,
  options: {
    ...promptOptions,
    metric: text('NAME', 'what is measured (default: the task’s own, or the logit difference)'),
    method: text(methods.join('|'), 'how effects are estimated (default ig)'),
    steps: text('N', `steps of integrated gradients (default ${sparseDefaults.steps})`),
    basis: text('features|neurons', 'what nodes are (default features)'),
    position: { type: 'boolean', about: 'nodes by position; prompts must be equally long' },
    sae: text('HOOK|FOLDER', 'SAE whose features are nodes (may be given several times; default: all)', true),
    threshold: text(
      'X',
      'least effect of a node, in units of the metric (default: 0.25 % of clean − corrupted)',
    ),
    'edge-threshold': text('X', 'least effect of an edge (default: as for nodes)'),
    'no-edges': { type: 'boolean', about: 'nodes only, which is faster' },
    'start-layer': text('N', 'tests leave embeddings and layers below as they are (default: a third up)'),
    curve: { type: 'boolean', about: 'faithfulness against the number of nodes instead of one circuit' },
    errors: text(
      'circuit|keep|remove',
      'in tests, errors of SAEs are nodes like others, all stay, or are all taken away (default circuit)',
    ),
    compare: {
      type: 'boolean',
      about: 'compare estimated effects with patching every node by itself (slow)',
    },
    estimate: { type: 'boolean', about: 'only tell what finding the circuit would take' },
    out: text('FILE', 'write the circuit as *.circuit.json'),
  },
  async run(context) {
    const { line, engine, call } = context;
    const method = choice(line, 'method', methods, 'ig');
    const pairs = readPromptPairs(line);
    refuseUnusedOptions(line, method);
    const basis = choice(line, 'basis', ['features', 'neurons'] as const, 'features');
    const errors = choice(line, 'errors', errorTreatments, 'circuit');
    const metric = readMetric(line);
    const nodeThreshold = numberOption(line, 'threshold');
    const edgeThreshold = numberOption(line, 'edge-threshold');
    const startLayer =
      textOption(line, 'start-layer') === undefined ? undefined : countOption(line, 'start-layer', 0, 0);
    const out = textOption(line, 'out');
    if (out) requireWritable(out);
    const model = await openModel(context);
    const leftOut = await tellLeftOut(context, model, pairs);
    const saes = await chooseSaes(context, model, /hook_(resid_pre|resid_post|attn_out|mlp_out)$/);
    const request: SparseNodesRequest = {
      model: model.id,
      pairs,
      ...(metric && { metric }),
      basis,
      saes: saes.map(({ id }) => id),
      method,
      steps: countOption(line, 'steps', sparseDefaults.steps),
      aggregation: line.options.position ? 'position' : 'sum',
    };
    if (line.options.compare) {
      const found = await engine.compareNodeEffects({ ...request, methods: ['atp', 'ig'] }, call);
      return context.print(found, () => comparisonText(found));
    }
    if (line.options.curve) {
      const found = await engine.sparseCircuitCurve({ ...request, errors, startLayer }, call);
      return context.print(found, () => curveText(found));
    }
    const edges = line.options['no-edges'] !== true;
    const search = { ...request, nodeThreshold, edgeThreshold, edges, startLayer, errors };
    if (line.options.estimate)
      return printEstimate(context, await engine.estimateSparseCircuit(search, call));
    const found = await engine.findSparseCircuit(search, call);
    await show(context, { ...found, ...leftOut }, saes);
  },
};

/** @throws CommandLineError for options that the others leave without effect. */
function refuseUnusedOptions(line: CommandLine, method: NodeEffectMethod): void {
  const ofCircuits = ['threshold', 'edge-threshold', 'no-edges', 'estimate', 'out'];
  const compares = isGiven(line, 'compare');
  refuseUnused(line, [
    [
      compares,
      ['curve', 'method', 'start-layer', 'errors', ...ofCircuits],
      '--compare finds no circuit: it sets estimates beside exact effects',
    ],
    [isGiven(line, 'curve'), ofCircuits, '--curve tries thresholds of its own and keeps no circuit'],
    [isGiven(line, 'no-edges'), ['edge-threshold'], 'There are no edges with --no-edges'],
    [method !== 'ig' && !compares, ['steps'], 'Steps are of integrated gradients: take --method ig'],
  ]);
}

async function show(context: Context, found: SparseCircuit, saes: readonly SaeInfo[]): Promise<void> {
  const out = textOption(context.line, 'out');
  const circuit = portableCircuit(found.circuit, (id) => saes.find((sae) => sae.id === id)?.hook);
  if (out) {
    const request = { path: resolve(out), format: 'fovea', document: circuit } as const;
    await context.engine.writeCircuitFile(request, context.call);
  }
  context.print({ ...found, circuit }, () => circuitText({ ...found, circuit }));
}

function choice<T extends string>(line: CommandLine, name: string, known: readonly T[], usual: T): T {
  const given = textOption(line, name);
  if (given === undefined) return usual;
  const found = known.find((one) => one === given);
  if (found !== undefined) return found;
  throw new CommandLineError(`--${name} takes one of ${known.join(', ')}, not "${given}".`);
}

function circuitText({ circuit, evaluation, pairCount }: SparseCircuit): string {
  const { metric, nodes, edges } = circuit;
  const right = 'right' as const;
  const bySize = [...nodes]
    .filter(({ kind }) => kind !== 'logit')
    .sort((a, b) => Math.abs(b.effect) - Math.abs(a.effect));
  const place = circuit.isAggregated ? '' : ', by position';
  return [
    `${metric.name} on the ${counted(pairCount, 'pair')} it was found on${place}: clean ${formatNumber(metric.clean)}, corrupted ${formatNumber(metric.baseline)}`,
    evaluationText(evaluation),
    ...freeText(circuit),
    '',
    renderTable(
      [{ title: 'node' }, { title: 'effect', align: right }, { title: '' }],
      bySize.slice(0, shownNodes).map(({ id, effect, label }) => [id, formatSigned(effect), label]),
    ),
    ...more(bySize.length - shownNodes, 'nodes'),
    ...(edges.length > 0 ? ['', edgeTable(edges)] : []),
    ...more(edges.length - shownEdges, 'edges'),
  ].join('\n');
}

/** The panel counts nodes that tests leave alone as well. */
function freeText(circuit: SparseCircuit['circuit']): string[] {
  const { nodes, free } = countFound(circuit);
  return free ? [`The circuit holds ${nodes} nodes: ${free} of them are never ablated`] : [];
}

function edgeTable(edges: SparseCircuit['circuit']['edges']): string {
  const strongest = [...edges].sort((a, b) => Math.abs(b.weight) - Math.abs(a.weight)).slice(0, shownEdges);
  return renderTable(
    [{ title: 'edge' }, { title: 'effect', align: 'right' }],
    strongest.map(({ source, target, weight }) => [`${source} → ${target}`, formatSigned(weight)]),
  );
}

function more(count: number, what: string): string[] {
  return count > 0 ? [`… and ${count} more ${what}`] : [];
}

function evaluationText(evaluation: SparseEvaluation): string {
  const { threshold, nodes, active, faithfulness, completeness } = evaluation;
  const share = formatNumber((100 * nodes) / active);
  return [
    `${nodes} of ${active} active nodes (${share} %) above ${formatNumber(threshold)}: faithfulness ${formatNumber(faithfulness)}, completeness ${formatNumber(completeness)}`,
    ...testText(evaluation),
  ].join('\n');
}

/** Tested pairs, or prompts behind a mean, below which numbers are mostly chance. */
const fewPairs = 5;

/** What the numbers of a test rest on. */
function testText({ startLayer, pairs, reference, ceiling }: SparseEvaluation): string[] {
  const free = startLayer > 0 ? `embeddings and layers below ${startLayer}` : 'embeddings';
  const lines = [
    `Tested on ${counted(pairs, 'pair')}, ${free} left as they are; means of ${counted(reference, 'corrupted prompt')} or more`,
  ];
  if (ceiling !== undefined) {
    lines.push(
      `SAE errors taken away: all features together reach a faithfulness of ${formatNumber(ceiling)}`,
    );
  }
  if (reference === 1) lines.push('Warning: the mean of one prompt is the corrupted run itself.');
  else if (pairs < fewPairs || reference < fewPairs) {
    lines.push(`Warning: below ${fewPairs} pairs or prompts these numbers are mostly chance.`);
  }
  return lines;
}

function counted(count: number, what: string): string {
  return `${count} ${what}${count === 1 ? '' : 's'}`;
}

function curveText(curve: readonly SparseEvaluation[]): string {
  const right = 'right' as const;
  const table = renderTable(
    ['threshold', 'of the span', 'nodes', 'of active', 'faithfulness', 'completeness'].map((title) => ({
      title,
      align: right,
    })),
    curve.map(({ threshold, share, nodes, active, faithfulness, completeness }) => [
      formatNumber(threshold),
      share === undefined ? '' : `${formatNumber(100 * share)} %`,
      `${nodes}`,
      `${formatNumber((100 * nodes) / active)} %`,
      formatNumber(faithfulness),
      formatNumber(completeness),
    ]),
  );
  return [table, '', ...curve.slice(0, 1).flatMap(testText)].join('\n');
}

function comparisonText(found: readonly EffectComparison[]): string {
  const right = 'right' as const;
  const sites = found[0]?.sites ?? [];
  const columns = [{ title: 'site' }, { title: 'nodes', align: right }];
  const rows = sites.map(({ hook, nodes }) => [
    hook,
    `${nodes}`,
    ...found.map((one) =>
      formatNumber(one.sites.find((site) => site.hook === hook)?.correlation ?? Number.NaN),
    ),
  ]);
  const whole = found.map(
    ({ method, nodes, correlation, rankCorrelation }) =>
      `${method} against exact effects of ${nodes} nodes: r ${formatNumber(correlation)}, Spearman ${formatNumber(rankCorrelation)}`,
  );
  return [
    ...whole,
    '',
    renderTable([...columns, ...found.map(({ method }) => ({ title: method, align: right }))], rows),
  ].join('\n');
}
