/** `fovea lens`: the logit lens of a prompt, layer by layer. */

import { resolve } from 'node:path';
import type { Analysis } from '../../shared/analysis.ts';
import type { ComponentLens } from '../../shared/attributionApi.ts';
import { formatProbability, formatSigned, formatToken } from '../../shared/format.ts';
import { CommandLineError, countOption, positionOption, textOption } from '../arguments.ts';
import { type Command, type Context, openModel, readPrompt } from '../context.ts';
import { renderTable } from '../table.ts';

export const lens: Command = {
  summary: 'what each layer, or each component alone, would say next (logit lens)',
  usage: '<prompt | file | -> [options]',
  options: {
    top: {
      type: 'string',
      placeholder: 'N',
      about: 'predictions per cell in the JSON, or tokens per component (default 3)',
    },
    tuned: {
      type: 'string',
      placeholder: 'FOLDER',
      about: 'a tuned lens: its translators are applied first',
    },
    components: {
      type: 'boolean',
      about: 'the embeddings, every head and every MLP by themselves, at one position',
    },
    position: {
      type: 'string',
      placeholder: 'N',
      about: 'with --components: the position, from 0 (default: the last)',
    },
    last: { type: 'string', placeholder: 'N', about: 'positions to show, from the end (default 8)' },
  },
  async run(context) {
    const text = readPrompt(context.line);
    const top = countOption(context.line, 'top', 3);
    const last = countOption(context.line, 'last', 8);
    const model = await openModel(context);
    const analysis = await context.engine.analyze(
      { model: model.id, text, saes: [], topFeatures: 0, topPredictions: 1, edits: [] },
      context.call,
    );
    if (context.line.options.components) return printComponents(context, model.name, analysis, top);
    const folder = textOption(context.line, 'tuned');
    const tuned = folder === undefined ? undefined : resolve(folder);
    const result = await context.engine.logitLens({ run: analysis.run, top, tuned }, context.call);
    const tokens = analysis.strip.tokens;
    context.print({ model: model.name, tokens: tokens.map((t) => t.text), ...result }, () => {
      const first = Math.max(0, tokens.length - last);
      const shown = tokens.slice(first);
      const columns = [{ title: 'layer' }, ...shown.map((token) => ({ title: formatToken(token.text) }))];
      const rows = result.layers
        .map((layer, l) => [
          layer,
          ...shown.map((_, i) => {
            const best = result.cells[l]?.[first + i]?.[0];
            return best ? `${formatToken(best.text)} ${formatProbability(best.probability)}` : '';
          }),
        ])
        .reverse();
      return renderTable(columns, rows);
    });
  },
};

/** One row for each component: the tokens whose logits it raises and lowers most. */
async function printComponents(
  { engine, line, call, print }: Context,
  model: string,
  { run, strip }: Analysis,
  top: number,
): Promise<void> {
  for (const name of ['tuned', 'last']) {
    if (line.options[name] !== undefined) throw new CommandLineError(`--${name} is not for --components.`);
  }
  const { tokens } = strip;
  const position = positionOption(line, tokens.length);
  const components = await engine.componentLens({ run, position, top }, call);
  const token = tokens[position]?.text ?? '';
  print({ model, position, token, components }, () => {
    const said = (logits: ComponentLens['topLogits']): string =>
      logits.map(({ text, logit }) => `${formatToken(text)} ${formatSigned(logit)}`).join('  ');
    const columns = [{ title: 'component' }, { title: 'raises' }, { title: 'lowers' }];
    const rows = components.map(({ component, topLogits, bottomLogits }) => [
      component,
      said(topLogits),
      said(bottomLogits),
    ]);
    return `At ${formatToken(token)}, position ${position}\n\n${renderTable(columns, rows)}`;
  });
}
