/** `fovea circuit`: the components that carry a contrast on a prompt. */

import { accessSync, constants, existsSync, realpathSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import type { CircuitEvaluation, CircuitGraph, CircuitNode } from '../../shared/circuit.ts';
import type { ModelInfo, SaeInfo } from '../../shared/domain.ts';
import { formatNumber, formatSigned, formatToken } from '../../shared/format.ts';
import { portableCircuit } from '../../shared/portableCircuit.ts';
import { CommandLineError, countOption, listOption, textOption } from '../arguments.ts';
import { type Command, type Context, openModel, readContrast, readPrompt } from '../context.ts';
import { renderTable } from '../table.ts';
import { convertCircuit, isConversion } from './convertCircuit.ts';

/** Edges in the table; --json has all of them. */
const shownEdges = 12;

export const circuit: Command = {
  summary: 'the heads, MLPs and features that carry a contrast',
  usage:
    '<prompt | file | -> --contrast TOKEN --contrast TOKEN [options]   (or: convert IN OUT --format FORMAT)',
  options: {
    contrast: {
      type: 'string',
      multiple: true,
      placeholder: 'TOKEN',
      about: 'answer and wrong answer (give twice)',
    },
    counterfactual: {
      type: 'string',
      placeholder: 'PROMPT',
      about: 'prompt of the same length as the baseline',
    },
    nodes: { type: 'string', placeholder: 'N', about: 'strongest nodes to keep (default 40)' },
    sae: {
      type: 'string',
      multiple: true,
      placeholder: 'HOOK|FOLDER',
      about: 'SAE whose features are nodes (may be given several times; default: the residual stream)',
    },
    components: { type: 'boolean', about: 'heads and MLPs only, without SAE features' },
    out: { type: 'string', placeholder: 'FILE', about: 'write the graph as *.circuit.json' },
    format: {
      type: 'string',
      placeholder: 'fovea|graph|eap-ig|auto-circuit',
      about: 'of the file that convert writes (default: by its name)',
    },
  },
  async run(context) {
    if (isConversion(context.line.words)) return convertCircuit(context);
    const text = readPrompt(context.line);
    const contrast = readContrast(context.line);
    if (!contrast) throw new CommandLineError('Name the two answers: --contrast " Mary" --contrast " John".');
    const out = textOption(context.line, 'out');
    if (out) requireWritable(out);
    const model = await openModel(context);
    const saes = context.line.options.components ? [] : await chooseSaes(context, model);
    const graph = await context.engine.findCircuit(
      {
        model: model.id,
        text,
        contrast,
        counterfactual: textOption(context.line, 'counterfactual'),
        saes: saes.map((sae) => sae.id),
        maxNodes: countOption(context.line, 'nodes', 40),
      },
      context.call,
    );
    const evaluation = await context.engine.evaluateCircuit(
      { graph, model: model.id, contrast, kept: graph.nodes.map((node) => node.id) },
      context.call,
    );
    const portable = portableCircuit(graph, (id) => saes.find((sae) => sae.id === id)?.hook);
    const document = { ...portable, contrast, evaluation };
    if (out)
      await context.engine.writeCircuitFile({ path: resolve(out), format: 'fovea', document }, context.call);
    context.print({ graph: portable, evaluation }, () => describe(portable, evaluation));
  },
};

/** The SAEs that --sae names, or those at hooks that end as `usual` says: one for each, and none that cannot be used. */
export async function chooseSaes(
  context: Context,
  model: ModelInfo,
  usual = /hook_resid_post$/,
): Promise<SaeInfo[]> {
  const names = listOption(context.line, 'sae');
  const folders = names
    .filter((name) => existsSync(join(name, 'cfg.json')))
    .map((name) => realpathSync(name));
  const all = await context.engine.listSaes({ model: model.id, folders }, context.call);
  const chosen = names.map((name) => {
    const found = all.find((sae) => sae.hook === name || folders.includes(sae.path));
    if (!found) throw new CommandLineError(`There is no SAE for "${name}".`);
    return found;
  });
  if (names.length > 0) return chosen;
  const fitting = all.filter((sae) => !sae.problem && sae.kind === 'sae' && usual.test(sae.hook));
  return fitting.filter((sae, i) => fitting.findIndex(({ hook }) => hook === sae.hook) === i);
}

export function requireWritable(file: string): void {
  try {
    accessSync(dirname(resolve(file)), constants.W_OK);
  } catch {
    throw new CommandLineError(`Nothing can be written to ${file}: its folder is missing or protected.`);
  }
}

function describe(graph: CircuitGraph, evaluation: CircuitEvaluation): string {
  const nodes = new Map(graph.nodes.map((node) => [node.id, node]));
  const nameOf = (node: CircuitNode | undefined): string =>
    node
      ? `${nodeName(node)} @ ${node.position} ${formatToken(graph.tokens[node.position]?.text ?? '')}`
      : '';
  const byStrength = [...graph.nodes].sort((a, b) => Math.abs(b.effect) - Math.abs(a.effect));
  const edges = [...graph.edges].sort((a, b) => Math.abs(b.weight) - Math.abs(a.weight)).slice(0, shownEdges);
  const right = 'right' as const;
  const onCounterfactual =
    graph.counterfactual === undefined
      ? ''
      : `, on the counterfactual ${formatNumber(graph.metric.baseline)}`;
  return [
    `${graph.metric.name}: ${formatNumber(graph.metric.clean)}${onCounterfactual}`,
    `heads and MLPs kept: faithfulness ${formatNumber(evaluation.faithfulness)}, completeness ${formatNumber(evaluation.completeness)}`,
    '',
    renderTable(
      [{ title: 'node' }, { title: 'effect', align: right }],
      byStrength.map((node) => [nameOf(node), formatSigned(node.effect)]),
    ),
    '',
    renderTable(
      [{ title: 'strongest edges: from' }, { title: 'to' }, { title: 'weight', align: right }],
      edges.map(({ source, target, weight }) => [
        nameOf(nodes.get(source)),
        nameOf(nodes.get(target)),
        formatSigned(weight),
      ]),
    ),
  ].join('\n');
}

/** What a node is, with its layer where the label does not say it. */
function nodeName({ kind, layer, label, feature }: CircuitNode): string {
  if (kind !== 'feature') return label;
  const site = feature?.sae.replace(/^blocks\.\d+\.(attn\.)?(hook_)?/, '') ?? '';
  return `L${layer} ${formatToken(site)} #${label}`;
}
