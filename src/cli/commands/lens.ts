/** `fovea lens`: the logit lens of a prompt, layer by layer. */

import { resolve } from 'node:path';
import { formatProbability, formatToken } from '../../shared/format.ts';
import { countOption, textOption } from '../arguments.ts';
import { type Command, openModel, readPrompt } from '../context.ts';
import { renderTable } from '../table.ts';

export const lens: Command = {
  summary: 'what each layer would say next (logit lens)',
  usage: '<prompt | file | -> [options]',
  options: {
    top: { type: 'string', placeholder: 'N', about: 'predictions per cell in the JSON (default 3)' },
    tuned: {
      type: 'string',
      placeholder: 'FOLDER',
      about: 'a tuned lens: its translators are applied first',
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
