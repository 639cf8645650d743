/** `fovea features`: the strongest SAE features on every token of a prompt. */

import type { FeatureInfo } from '../../shared/domain.ts';
import { formatNumber, formatProbability, formatToken } from '../../shared/format.ts';
import { countOption } from '../arguments.ts';
import { type Command, chooseSae, openModel, readPrompt } from '../context.ts';
import { renderTable } from '../table.ts';

export const features: Command = {
  summary: 'the strongest features on every token of a prompt',
  usage: '<prompt | file | -> [options]',
  options: {
    sae: { type: 'string', placeholder: 'HOOK|FOLDER', about: 'which SAE (default: middle residual stream)' },
    top: { type: 'string', placeholder: 'N', about: 'features per token (default 3)' },
  },
  async run(context) {
    const text = readPrompt(context.line);
    const top = countOption(context.line, 'top', 3);
    const model = await openModel(context);
    const sae = await chooseSae(context, model);
    const analysis = await context.engine.analyze(
      { model: model.id, text, saes: [sae.id], topFeatures: top, topPredictions: 1, edits: [] },
      context.call,
    );
    const found = analysis.features[0];
    const ids = [...new Set(found?.indices ?? [])].filter((index) => index >= 0);
    const infos = await context.engine.featureInfo(
      { features: ids.map((index) => ({ sae: sae.id, index })), logits: false },
      context.call,
    );
    const byIndex = new Map<number, FeatureInfo>(infos.map((info) => [info.index, info]));
    const tokens = analysis.strip.tokens.map((token, position) => ({
      position,
      id: token.id,
      text: token.text,
      special: token.special,
      start: token.start,
      end: token.end,
      probability: jsonNumber(analysis.probabilities[position]),
      next: analysis.predictions[position]?.[0],
      features: topAt(found, position, top).map(({ index, activation }) => ({
        index,
        activation,
        label: byIndex.get(index)?.label,
      })),
    }));
    const value = {
      model: model.name,
      sae: sae.hook,
      truncated: analysis.strip.truncated,
      tokens,
      provenance: analysis.provenance,
    };
    context.print(value, () => {
      const rows = tokens.map((token) => [
        String(token.position),
        formatToken(token.text),
        formatProbability(token.probability ?? Number.NaN),
        token.features
          .map(
            (f) =>
              `${f.index}${f.label ? ` ${formatToken(f.label).replaceAll('·', ' ')}` : ''} ${formatNumber(f.activation)}`,
          )
          .join(' │ '),
      ]);
      const columns = [
        { title: '#', align: 'right' as const },
        { title: 'token' },
        { title: 'given', align: 'right' as const },
        { title: `strongest features (${sae.hook})` },
      ];
      return renderTable(columns, rows);
    });
  },
};

function topAt(
  found: { readonly k: number; readonly indices: Int32Array; readonly activations: Float32Array } | undefined,
  position: number,
  top: number,
): { index: number; activation: number }[] {
  const out: { index: number; activation: number }[] = [];
  if (!found) return out;
  for (let i = 0; i < Math.min(top, found.k); i++) {
    const index = found.indices[position * found.k + i] ?? -1;
    if (index >= 0) out.push({ index, activation: found.activations[position * found.k + i] ?? 0 });
  }
  return out;
}

function jsonNumber(value: number | undefined): number | null {
  return value === undefined || Number.isNaN(value) ? null : value;
}
