/** `fovea attribute`: the circuit of heads and MLPs that turns one prompt's answer into another's. */
import { writeFileSync } from 'node:fs';
import { resolve } from 'node:path';
import type { AttributedCircuit, EdgeChoice } from '../../shared/attributionApi.ts';
import { formatNumber, formatSigned } from '../../shared/format.ts';
import type { SearchEstimate } from '../../shared/searchEstimate.ts';
import { type TaskMetric, taskMetrics } from '../../shared/task.ts';
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
import { requireWritable } from './circuit.ts';

/** Edges in the table; --json has all of them. */
const shownEdges = 30;

const text = (placeholder: string, about: string, multiple = false): OptionSpec => ({
  type: 'string',
  placeholder,
  about,
  multiple,
});

const methods = ['eap', 'eap-ig', 'eap-ig-activations', 'acdc'] as const;

function isMethod(name: string): name is (typeof methods)[number] {
  return (methods as readonly string[]).includes(name);
}

export const attribute: Command = {
  summary: 'the edges between heads and MLPs that carry an answer',
  usage: `${promptUsage} [options]`,
  options: {
    ...promptOptions,
    method: text('eap|eap-ig|eap-ig-activations|acdc', 'how edges are judged (default eap-ig)'),
    metric: text(
      'NAME',
      'what is measured (default: the logit difference, or the task’s own; for acdc the KL divergence)',
    ),
    steps: text('N', 'steps of integrated gradients (default 5)'),
    edges: text('N', 'strongest edges to keep (default 100)'),
    greedy: { type: 'boolean', about: 'grow the circuit from the logits, edge by edge' },
    threshold: text('X', 'keep edges of at least this score; for acdc the rise of the loss that matters'),
    estimate: { type: 'boolean', about: 'only tell what it would take' },
    graph: text('FILE', 'run the circuit of an EAP-IG file instead of finding one'),
    out: text('FILE', 'write the circuit (*.circuit.json), or the whole graph as EAP-IG JSON'),
  },
  async run(context) {
    const { line, engine, call } = context;
    const method = textOption(line, 'method') ?? 'eap-ig';
    if (!isMethod(method)) {
      throw new CommandLineError(`--method takes ${methods.join(', ')}, not "${method}".`);
    }
    const pairs = readPromptPairs(line);
    refuseUnusedOptions(line, method);
    const metric = readMetric(line);
    const threshold = numberOption(line, 'threshold');
    const edges = readChoice(line, threshold);
    const steps = countOption(line, 'steps', 5);
    const out = textOption(line, 'out');
    if (out) requireWritable(out);
    const { id: model } = await openModel(context);
    const leftOut = await tellLeftOut(context, { id: model }, pairs);
    const graph = textOption(line, 'graph');
    if (line.options.estimate) {
      if (graph !== undefined)
        throw new CommandLineError('--estimate is about finding a circuit, not --graph.');
      const request = { model, pairs, metric, method, steps };
      return printEstimate(context, await engine.estimateEdges(request, call));
    }
    const find = (): Promise<AttributedCircuit> => {
      if (graph !== undefined) return engine.evaluateEdges({ model, pairs, metric, path: graph }, call);
      if (method !== 'acdc')
        return engine.attributeEdges({ model, pairs, metric, method, steps, edges }, call);
      return engine.runAcdc({ model, pairs, metric, threshold: threshold ?? 0.01 }, call);
    };
    const found = await find();
    if (out?.endsWith('.circuit.json')) {
      const request = { path: resolve(out), format: 'fovea', document: found.circuit } as const;
      await engine.writeCircuitFile(request, call);
    } else if (out) writeFileSync(out, found.eapIg);
    const { eapIg: _, ...shown } = found;
    const { search } = found;
    const note = threshold === undefined || search ? [] : unreached(found);
    context.print({ ...shown, ...leftOut }, () => [describe(found), ...note].join('\n'));
  },
};

/** @throws CommandLineError for options that the others leave without effect. */
function refuseUnusedOptions(line: CommandLine, method: (typeof methods)[number]): void {
  const choices = ['edges', 'greedy'];
  refuseUnused(line, [
    [
      isGiven(line, 'graph'),
      ['method', 'steps', 'threshold', ...choices],
      'The circuit of --graph is run as it is',
    ],
    [
      isGiven(line, 'threshold'),
      choices,
      'With --threshold, edges stay by their scores; leave out one of both',
    ],
    [method === 'acdc', choices, 'ACDC keeps what matters by --threshold'],
    [
      !method.startsWith('eap-ig'),
      ['steps'],
      'Steps are of integrated gradients: take --method eap-ig or eap-ig-activations',
    ],
  ]);
}

/** What a search will take. */
export function printEstimate(context: Context, estimate: SearchEstimate): void {
  context.print(estimate, () => estimateText(estimate));
}

/** The same in words. */
export function estimateText({ forward, backward, memory, seconds, bound }: SearchEstimate): string {
  const [most, about] = bound === 'atMost' ? ['At most ', 'at most'] : ['', 'about'];
  const runs = `${most}${forward} prompts forward, ${backward} back`;
  return `${runs}, ${about} ${formatNumber(seconds)} s and ${(memory / 1e6).toFixed(0)} MB`;
}

/** The metric that --metric names, if any. */
export function readMetric(line: CommandLine): TaskMetric | undefined {
  const named = textOption(line, 'metric');
  const known = taskMetrics.find((metric) => metric === named);
  if (named === undefined || known) return known;
  throw new CommandLineError(`--metric takes one of ${taskMetrics.join(', ')}, not "${named}".`);
}

/** The number of an option (at least 0), if it is given. */
export function numberOption(line: CommandLine, name: string): number | undefined {
  const given = textOption(line, name);
  if (given === undefined) return undefined;
  const value = Number(given);
  if (given.trim() !== '' && value >= 0) return value;
  throw new CommandLineError(`--${name} takes a number of at least 0, not "${given}".`);
}

function readChoice(line: CommandLine, threshold: number | undefined): EdgeChoice {
  if (threshold !== undefined) return { kind: 'threshold', least: threshold };
  return { kind: line.options.greedy ? 'greedy' : 'top', count: countOption(line, 'edges', 100) };
}

/** What to say of a threshold that no edge reaches. */
function unreached({ edges, eapIg }: AttributedCircuit): string[] {
  if (edges.length > 0) return [];
  const scored = (
    JSON.parse(eapIg) as { readonly edges: Readonly<Record<string, { readonly score: number }>> }
  ).edges;
  const largest = Object.values(scored).reduce((most, { score }) => Math.max(most, Math.abs(score)), 0);
  return [`No score reaches the threshold: the largest is ${formatNumber(largest)}.`];
}

function describe(found: AttributedCircuit): string {
  const { metric, clean, corrupted, kept, faithfulness, edges, total, pairCount, search } = found;
  const right = 'right' as const;
  const tried = search ? [`${search.tried} edges tried${search.stopped ? ', ended by the budget' : ''}`] : [];
  return [
    `${metric} (${pairCount} ${pairCount === 1 ? 'pair' : 'pairs'}): clean ${formatNumber(clean)}, corrupted ${formatNumber(corrupted)}`,
    `${edges.length} of ${total} edges alone: ${formatNumber(kept)}, faithfulness ${formatNumber(faithfulness)}`,
    ...tried,
    '',
    renderTable(
      [{ title: 'edge' }, { title: 'score', align: right }],
      edges.slice(0, shownEdges).map(({ name, score }) => [name, formatSigned(score)]),
    ),
    ...(edges.length > shownEdges ? [`… and ${edges.length - shownEdges} more`] : []),
  ].join('\n');
}
