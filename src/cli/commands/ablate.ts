/** `fovea ablate`: what the model answers without some of its heads, MLPs or features. */

import type { Prediction } from '../../shared/analysis.ts';
import type { Edit, EditTarget, ModelInfo } from '../../shared/domain.ts';
import { formatNumber, formatProbability, formatSigned, quoteToken } from '../../shared/format.ts';
import { CommandLineError, listOption, parseHead } from '../arguments.ts';
import { type Command, type Context, openModel, readContrast, readPrompt } from '../context.ts';
import { renderTable } from '../table.ts';

export const ablate: Command = {
  summary: 'what the model answers without some heads, MLPs or features',
  usage: '<prompt | file | -> --head L.H | --mlp L | --feature HOOK:INDEX [options]',
  options: {
    head: { type: 'string', multiple: true, placeholder: 'L.H', about: 'zero-ablate this attention head' },
    mlp: { type: 'string', multiple: true, placeholder: 'L', about: 'zero-ablate this MLP' },
    feature: { type: 'string', multiple: true, placeholder: 'HOOK:INDEX', about: 'remove this SAE feature' },
    mean: { type: 'boolean', about: 'use the mean over the prompt instead of zero' },
    contrast: {
      type: 'string',
      multiple: true,
      placeholder: 'TOKEN',
      about: 'two answers to compare (give twice)',
    },
  },
  async run(context) {
    const text = readPrompt(context.line);
    const contrast = readContrast(context.line);
    const model = await openModel(context);
    const edits = await readEdits(context, model);
    const analysis = await context.engine.analyze(
      { model: model.id, text, saes: [], topFeatures: 0, topPredictions: 8, edits, contrast },
      context.call,
    );
    const effect = analysis.effect;
    if (!effect) throw new Error('The engine returned no effect for an edited run.');
    context.print({ model: model.name, edits, effect, provenance: analysis.provenance }, () => {
      const lines = effect.contrast
        ? [
            `logit difference ${formatSigned(effect.contrast.clean)} → ${formatSigned(effect.contrast.edited)}`,
          ]
        : [];
      lines.push(`KL from the clean answer ${formatNumber(effect.kl)} nats`, '');
      return [...lines, beforeAfter(effect.before, effect.after)].join('\n');
    });
  },
};

async function readEdits(context: Context, model: ModelInfo): Promise<Edit[]> {
  const { line } = context;
  const targets: EditTarget[] = listOption(line, 'head').map((text) => ({
    kind: 'head',
    ...parseHead(text),
  }));
  for (const text of listOption(line, 'mlp')) {
    if (!/^\d+$/.test(text)) throw new CommandLineError(`--mlp takes a layer number, not "${text}".`);
    targets.push({ kind: 'mlp', layer: Number(text) });
  }
  const names = listOption(line, 'feature');
  if (names.length > 0) {
    const saes = await context.engine.listSaes({ model: model.id, folders: [] }, context.call);
    for (const text of names) {
      const match = /^(.+):(\d+)$/.exec(text);
      const sae = saes.find((candidate) => candidate.hook === match?.[1]);
      if (!match || !sae)
        throw new CommandLineError(`A feature is written hook:index of a known SAE, not "${text}".`);
      targets.push({ kind: 'feature', feature: { sae: sae.id, index: Number(match[2]) } });
    }
  }
  if (targets.length === 0)
    throw new CommandLineError('Name what to ablate with --head, --mlp or --feature.');
  const action = line.options.mean ? ({ kind: 'mean' } as const) : ({ kind: 'zero' } as const);
  return targets.map((target, i) => ({ id: `edit-${i}`, target, action, strength: 1, enabled: true }));
}

function beforeAfter(before: readonly Prediction[], after: readonly Prediction[]): string {
  const rows = Array.from({ length: Math.max(before.length, after.length) }, (_, i) =>
    [before[i], after[i]].flatMap((p) =>
      p ? [quoteToken(p.text), formatProbability(p.probability)] : ['', ''],
    ),
  );
  const right = 'right' as const;
  return renderTable(
    [{ title: 'before' }, { title: '', align: right }, { title: 'after' }, { title: '', align: right }],
    rows,
  );
}
