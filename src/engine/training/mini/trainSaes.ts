/** Third step of the embedded model: TopK SAEs on every site, with statistics and labels of their features. */

import { existsSync } from 'node:fs';
import { join } from 'node:path';
import type { CallOptions, SaeMetrics } from '../../../shared/engineApi.ts';
import type { LoadedModel } from '../../loadedModel.ts';
import { readFeatureStatistics, writeFeatureStatistics } from '../../sae/featureStatistics.ts';
import { openSaeLens } from '../../sae/formats/saelens.ts';
import { labelFeatures } from '../../sae/labelFeatures.ts';
import { measureSae } from '../../sae/metrics.ts';
import { SparseAutoencoder } from '../../sae/sparseAutoencoder.ts';
import { corpus } from '../../task/corpus.ts';
import { collectActivations } from '../activationStore.ts';
import { drawRows, encodeDocuments } from '../tokenRows.ts';
import { splitRows } from '../trainSaeOnModel.ts';
import { trainTopK } from '../trainTopK.ts';
import { type MiniRecipe, miniSites } from './recipe.ts';

/** Trains what is missing of the SAEs in `<model>/saes/<hook>` and measures all of them on held-out text. */
export async function trainMiniSaes(
  model: LoadedModel,
  recipe: MiniRecipe,
  call: CallOptions & { readonly log?: (hook: string, metrics: SaeMetrics) => void },
): Promise<Map<string, SaeMetrics>> {
  const { nLayers, path } = model.info;
  const measured = new Map<string, SaeMetrics>();
  const training = await miniRows(model, recipe, recipe.sae.tokens, 'sae training', 'train', call);
  const held = await miniRows(model, recipe, recipe.sae.evaluationTokens, 'sae evaluation', 'heldOut', call);
  for (let layer = 0; layer < nLayers; layer++) {
    const hooks = miniSites(nLayers).filter((hook) => hook.startsWith(`blocks.${layer}.`));
    const missing = hooks.filter((hook) => !existsSync(join(path, 'saes', hook, 'cfg.json')));
    const stores =
      missing.length > 0 ? await collectActivations(model.transformer, missing, training, call) : new Map();
    for (const hook of hooks) {
      const folder = join(path, 'saes', hook);
      const store = stores.get(hook);
      if (store) {
        const site = {
          folder,
          hook,
          modelName: 'fovea-mini',
          contextSize: recipe.shape.nContext,
          dataset: 'built-in generator',
        };
        await trainTopK(site, store, { ...recipe.sae, seed: recipe.seed }, call);
      }
      const sae = new SparseAutoencoder(await openSaeLens(folder));
      const metrics = await measureSae(model.transformer, sae, held, call);
      // An interruption may have come between the weights and their statistics.
      if (store || !(await readFeatureStatistics(folder, sae.config.dSae))) {
        const tokenText = (id: number): string => model.tokenizer.tokenText(id);
        await writeFeatureStatistics(
          folder,
          await labelFeatures(model.transformer, sae, held, tokenText, call),
        );
      }
      await sae.release();
      measured.set(hook, metrics);
      call.log?.(hook, metrics);
    }
  }
  return measured;
}

/** Rows of generated text, as long as the context. Equal arguments give equal rows. */
export async function miniRows(
  model: LoadedModel,
  recipe: MiniRecipe,
  tokens: number,
  label: string,
  split: 'train' | 'heldOut',
  call: CallOptions,
): Promise<Int32Array[]> {
  const length = recipe.shape.nContext;
  const stream = await encodeDocuments(corpus({ seed: `${recipe.seed}/${label}`, split }), model.tokenizer, {
    length: tokens * 2,
    separator: model.tokenizer.bosId ?? 0,
    ...call,
  });
  const rows = Math.ceil(tokens / length);
  return splitRows(drawRows(stream, { rows, length }, `${recipe.seed}/${label}`, 0), length);
}
