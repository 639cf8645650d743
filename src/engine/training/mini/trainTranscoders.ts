/** Fourth step of the embedded model: a transcoder for every MLP, with statistics and labels of its features. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import type { CallOptions, SaeMetrics } from '../../../shared/engineApi.ts';
import type { LoadedModel } from '../../loadedModel.ts';
import { blockHookName } from '../../model/hooks.ts';
import { readFeatureStatistics, writeFeatureStatistics } from '../../sae/featureStatistics.ts';
import { openSaeLens } from '../../sae/formats/saelens.ts';
import { labelFeatures } from '../../sae/labelFeatures.ts';
import { measureSae } from '../../sae/metrics.ts';
import { SparseAutoencoder } from '../../sae/sparseAutoencoder.ts';
import { collectActivations } from '../activationStore.ts';
import { trainTranscoderSite } from '../trainTranscoderSite.ts';
import type { MiniRecipe } from './recipe.ts';
import { miniRows } from './trainSaes.ts';

/** Trains what is missing of the transcoders in `<model>/transcoders/<hook>` and measures all of them on held-out text. */
export async function trainMiniTranscoders(
  model: LoadedModel,
  recipe: MiniRecipe,
  call: CallOptions & { readonly log?: (hook: string, metrics: SaeMetrics) => void },
): Promise<Map<string, SaeMetrics>> {
  const { nLayers, path } = model.info;
  const measured = new Map<string, SaeMetrics>();
  const training = await miniRows(model, recipe, recipe.transcoder.tokens, 'sae training', 'train', call);
  const held = await miniRows(model, recipe, recipe.sae.evaluationTokens, 'sae evaluation', 'heldOut', call);
  for (let layer = 0; layer < nLayers; layer++) {
    const [hook, hookOut] = [blockHookName(layer, 'mlp.hook_in'), blockHookName(layer, 'hook_mlp_out')];
    const folder = join(path, 'transcoders', hook);
    const isMissing = !existsSync(join(folder, 'cfg.json'));
    if (isMissing) {
      const stores = await collectActivations(model.transformer, [hook, hookOut], training, call);
      const site = {
        folder,
        hook,
        hookOut,
        modelName: 'fovea-mini',
        contextSize: recipe.shape.nContext,
        dataset: 'built-in generator',
      };
      const [input, output] = [stores.get(hook)!, stores.get(hookOut)!];
      await trainTranscoderSite(site, { input, output }, { ...recipe.transcoder, seed: recipe.seed }, call);
    }
    const sae = new SparseAutoencoder(await openSaeLens(folder));
    try {
      const metrics = await measureSae(model.transformer, sae, held, call);
      // An interruption may have come between the weights and their statistics.
      if (isMissing || !(await readFeatureStatistics(folder, sae.config.dSae))) {
        const tokenText = (id: number): string => model.tokenizer.tokenText(id);
        await writeFeatureStatistics(
          folder,
          await labelFeatures(model.transformer, sae, held, tokenText, call),
        );
      }
      measured.set(hook, metrics);
      call.log?.(hook, metrics);
    } finally {
      await sae.release();
    }
  }
  return measured;
}
