/** `fovea graph`: what makes the features and the answer on a prompt, as an attribution graph over transcoders. */
import { existsSync, realpathSync } from 'node:fs';
import { resolve } from 'node:path';
import { attributionGraphDefaults } from '../../engine/attributionGraphs.ts';
import { type AttributionGraph, untranscodedNote } from '../../shared/attributionGraphApi.ts';
import type { CircuitNode } from '../../shared/circuit.ts';
import type { CircuitFileFormat } from '../../shared/circuitFileApi.ts';
import type { ModelInfo, SaeInfo } from '../../shared/domain.ts';
import { formatNumber, formatSigned, formatToken } from '../../shared/format.ts';
import { portableCircuit } from '../../shared/portableCircuit.ts';
import {
  type CommandLine,
  CommandLineError,
  countOption,
  listOption,
  type OptionSpec,
  textOption,
} from '../arguments.ts';
import { type Command, type Context, openModel, readPrompt } from '../context.ts';
import { renderTable } from '../table.ts';
import { numberOption, printEstimate } from './attribute.ts';
import { requireWritable } from './circuit.ts';

/** Nodes and edges in the tables; --json and --out have all of them. */
const [shownNodes, shownEdges] = [25, 15];

const text = (placeholder: string, about: string, multiple = false): OptionSpec => ({
  type: 'string',
  placeholder,
  about,
  multiple,
});

const { maxLogits, desiredProbability, maxFeatureNodes, nodeThreshold, edgeThreshold } =
  attributionGraphDefaults;

export const graph: Command = {
  summary: 'what makes the features and the answer, over transcoders',
  usage: '<prompt | file | -> [--answers TOKEN …] [--transcoders FOLDER] [--out FILE] [options]',
  options: {
    answers: text('TOKEN', 'token to explain (may be given several times; default: the most probable)', true),
    logits: text('N', `most probable tokens to explain at most (default ${maxLogits})`),
    probability: text('P', `… until they have this probability together (default ${desiredProbability})`),
    transcoders: text(
      'FOLDER',
      'transcoders of the MLPs, or a cross-layer set (default: those beside the model)',
      true,
    ),
    features: text('N', `features that are traced, the most influential first (default ${maxFeatureNodes})`),
    nodes: text('P', `share of the influence that kept nodes have together (default ${nodeThreshold})`),
    edges: text('P', `share of the influence that kept edges have together (default ${edgeThreshold})`),
    estimate: { type: 'boolean', about: 'only tell what it would take' },
    out: text('FILE', 'write the graph: *.circuit.json, or any other *.json for public viewers'),
    format: text('fovea|graph', 'of the file (default: by its name)'),
  },
  async run(context) {
    const { line, engine, call } = context;
    const prompt = readPrompt(line);
    const answers = listOption(line, 'answers');
    const out = textOption(line, 'out');
    if (out) requireWritable(out);
    const format = formatOf(line, out);
    const model = await openModel(context);
    const saes = await chooseTranscoders(context, model);
    const request = {
      model: model.id,
      text: prompt,
      transcoders: saes.map(({ id }) => id),
      ...(answers.length > 0 && { answers }),
      maxLogits: countOption(line, 'logits', maxLogits),
      desiredProbability: numberOption(line, 'probability'),
      maxFeatureNodes: countOption(line, 'features', maxFeatureNodes),
      nodeThreshold: numberOption(line, 'nodes'),
      edgeThreshold: numberOption(line, 'edges'),
    };
    if (line.options.estimate)
      return printEstimate(context, await engine.estimateAttributionGraph(request, call));
    const found = await engine.attributionGraph(request, call);
    const circuit = portableCircuit(found.circuit, (id) => saes.find((sae) => sae.id === id)?.hook);
    if (out) {
      const request = { path: resolve(out), format, document: circuit, model: model.id } as const;
      const { notes } = await engine.writeCircuitFile(request, call);
      for (const note of notes) process.stderr.write(`${note}\n`);
    }
    const note = untranscodedNote(found.untranscoded);
    if (note) context.warn(`Warning: ${note}`);
    context.print({ ...found, circuit }, () => graphText({ ...found, circuit }));
  },
};

function formatOf(line: CommandLine, out: string | undefined): CircuitFileFormat {
  const named = textOption(line, 'format');
  if (named === undefined) return out?.endsWith('.circuit.json') ? 'fovea' : 'attributionGraph';
  if (named === 'fovea') return 'fovea';
  if (named === 'graph') return 'attributionGraph';
  throw new CommandLineError(`--format takes fovea or graph, not "${named}".`);
}

/** The transcoders in the named folders, or those beside the model: one for each layer. */
async function chooseTranscoders({ line, engine, call }: Context, model: ModelInfo): Promise<SaeInfo[]> {
  const named = listOption(line, 'transcoders');
  const missing = named.find((folder) => !existsSync(folder));
  if (missing !== undefined) throw new CommandLineError(`There is no folder ${missing}.`);
  const folders = named.map((folder) => realpathSync(folder));
  const all = await engine.listSaes({ model: model.id, folders }, call);
  const isBelow = ({ path }: SaeInfo) =>
    folders.some(
      (folder) => path === folder || path.startsWith(`${folder}/`) || path.startsWith(`${folder}\\`),
    );
  const found = all.filter((sae) => sae.kind !== 'sae' && (folders.length === 0 || isBelow(sae)));
  const usable = found.filter(({ problem }) => problem === undefined);
  if (usable.length > 0)
    return usable.filter((sae, i) => usable.findIndex(({ layer }) => layer === sae.layer) === i);
  const [broken] = found;
  if (broken) throw new CommandLineError(`${broken.path} cannot be used: ${broken.problem}`);
  const where = folders.length > 0 ? `in ${named.join(', ')}` : 'beside this model';
  throw new CommandLineError(
    `There are no transcoders ${where}. Name their folder with --transcoders, or train them: fovea train transcoder.`,
  );
}

function graphText({
  circuit,
  replacementScore,
  completenessScore,
  allNodes,
  allEdges,
}: AttributionGraph): string {
  const { nodes, edges, tokens } = circuit;
  const right = 'right' as const;
  const nameOf = (node: CircuitNode): string =>
    `${kindText(node)} @ ${node.position} ${formatToken(tokens[node.position]?.text ?? '')}`;
  const names = new Map(nodes.map((node) => [node.id, nameOf(node)]));
  const byInfluence = nodes.filter(({ kind }) => kind !== 'logit').sort((a, b) => b.effect - a.effect);
  const strongest = [...edges].sort((a, b) => Math.abs(b.weight) - Math.abs(a.weight));
  const logits = nodes.filter(({ kind }) => kind === 'logit');
  return [
    `explains ${logits.map(({ label, probability = 0 }) => `${formatToken(label)} (${formatNumber(probability)})`).join(', ')}`,
    `${nodes.length} of ${allNodes} nodes, ${edges.length} of ${allEdges} edges`,
    `replacement score ${formatNumber(replacementScore)}, completeness score ${formatNumber(completenessScore)}`,
    '',
    renderTable(
      [
        { title: 'node' },
        { title: 'influence', align: right },
        { title: 'activation', align: right },
        { title: '' },
      ],
      byInfluence
        .slice(0, shownNodes)
        .map((node) => [
          nameOf(node),
          formatNumber(node.effect),
          node.activation === undefined ? '' : formatNumber(node.activation),
          node.kind === 'feature' ? node.label : '',
        ]),
    ),
    ...more(byInfluence.length - shownNodes, 'nodes'),
    '',
    renderTable(
      [{ title: 'edge' }, { title: 'direct effect', align: right }],
      strongest
        .slice(0, shownEdges)
        .map(({ source, target, weight }) => [
          `${names.get(source)} → ${names.get(target)}`,
          formatSigned(weight),
        ]),
    ),
    ...more(edges.length - shownEdges, 'edges'),
  ].join('\n');
}

function kindText({ kind, layer, feature, label }: CircuitNode): string {
  if (kind === 'feature') return `feature ${layer}.${feature?.index}`;
  if (kind === 'error') return `error ${layer}`;
  return kind === 'logit' ? `logit ${formatToken(label)}` : 'token';
}

function more(count: number, what: string): string[] {
  return count > 0 ? [`… and ${count} more ${what}; --json and --out have all.`] : [];
}
