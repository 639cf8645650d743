/** `fovea circuit`: the components that carry a contrast on a prompt. */

import { writeFileSync } from 'node:fs';
import { formatNumber, formatSigned, formatToken } from '../../shared/format.ts';
import { CommandLineError, countOption, textOption } from '../arguments.ts';
import { type Command, openModel, readContrast, readPrompt } from '../context.ts';
import { renderTable } from '../table.ts';

export const circuit: Command = {
  summary: 'the heads, MLPs and features that carry a contrast',
  usage: '<prompt | file | -> --contrast TOKEN --contrast TOKEN [options]',
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
    components: { type: 'boolean', about: 'heads and MLPs only, without SAE features' },
    out: { type: 'string', placeholder: 'FILE', about: 'write the graph as *.circuit.json' },
  },
  async run(context) {
    const text = readPrompt(context.line);
    const contrast = readContrast(context.line);
    if (!contrast) throw new CommandLineError('Name the two answers: --contrast " Mary" --contrast " John".');
    const model = await openModel(context);
    const saes = context.line.options.components
      ? []
      : await context.engine.listSaes({ model: model.id, folders: [] }, context.call);
    const graph = await context.engine.findCircuit(
      {
        model: model.id,
        text,
        contrast,
        counterfactual: textOption(context.line, 'counterfactual'),
        saes: saes.filter((sae) => sae.hook.endsWith('hook_resid_post')).map((sae) => sae.id),
        maxNodes: countOption(context.line, 'nodes', 40),
      },
      context.call,
    );
    const evaluation = await context.engine.evaluateCircuit(
      { graph, model: model.id, contrast, kept: graph.nodes.map((node) => node.id) },
      context.call,
    );
    const out = textOption(context.line, 'out');
    if (out) writeFileSync(out, `${JSON.stringify(graph, undefined, 2)}\n`);
    context.print({ graph, evaluation }, () => {
      const rows = [...graph.nodes]
        .sort((a, b) => Math.abs(b.effect) - Math.abs(a.effect))
        .map((node) => [
          node.label,
          `${node.position} ${formatToken(graph.tokens[node.position]?.text ?? '')}`,
          formatSigned(node.effect),
        ]);
      const table = renderTable(
        [{ title: 'node' }, { title: 'at token' }, { title: 'effect', align: 'right' }],
        rows,
      );
      return [
        `${graph.metric.name}: ${formatNumber(graph.metric.clean)}, baseline ${formatNumber(graph.metric.baseline)}`,
        `faithfulness ${formatNumber(evaluation.faithfulness)}, completeness ${formatNumber(evaluation.completeness)}`,
        '',
        table,
      ].join('\n');
    });
  },
};
