/** Where the values come from that take a place in a run: another run, a mean, zeros; and SAE features among them. */
import { type FloatValue, floatsOf, floatValue, type Value } from '../graph/value.ts';
import { hookAxes, type StageHook } from '../model/hooks.ts';
import type { SparseAutoencoder } from '../sae/sparseAutoencoder.ts';
import type { BaseRun } from './baseRun.ts';

/** An SAE on a hook of a block. */
export interface FeatureSite {
  readonly layer: number;
  readonly hook: StageHook;
  readonly sae: SparseAutoencoder;
}

/** Values for one batch of pairs. Dimensions are those of the hook's value or 1. */
export interface Replacement {
  /** Before this position nothing differs from the run that is changed. */
  readonly firstChange: number;
  hook(layer: number, hook: StageHook): Promise<Value>;
  /** Activations of features, `[row, position, feature]`. */
  features(site: FeatureSite, features: readonly number[]): Promise<Value>;
  /** What the SAE leaves out of the hook's value: `[row, position, …]`. */
  error(site: FeatureSite): Promise<Value>;
}

/** The values of another run of equally long prompts. */
export function fromRun(run: BaseRun, firstChange: number): Replacement {
  return {
    firstChange,
    hook: (layer, hook) => run.hook(layer, hook),
    features: async (site, features) => featuresOf(await run.hook(site.layer, site.hook), site, features),
    error: async (site) => errorOf(await run.hook(site.layer, site.hook), site),
  };
}

/** Zeros: of the hook, the features, and the error. */
export const zeroReplacement: Replacement = {
  firstChange: 0,
  hook: async (_layer, hook) => zeroOf(hook),
  features: async () => floatValue([0], [1, 1, 1]),
  error: async ({ hook }) => zeroOf(hook),
};

/** One zero that broadcasts to the hook's value. */
function zeroOf(hook: StageHook): FloatValue {
  return floatValue(
    [0],
    hookAxes(hook).map(() => 1),
  );
}

/** Activations `[row, position, feature]` of a hook's value `[row, position, …]`. */
export async function featuresOf(
  value: Value,
  { sae }: FeatureSite,
  features: readonly number[],
): Promise<FloatValue> {
  const chosen = await sae.chosen(value, features);
  return floatValue(floatsOf(chosen), [value.dims[0]!, value.dims[1]!, features.length]);
}

/** x − x̂ for a hook's value. */
export async function errorOf(value: Value, { sae }: FeatureSite): Promise<FloatValue> {
  const reconstruction = floatsOf(await sae.reconstruct(value));
  return floatValue(
    floatsOf(value).map((x, i) => x - reconstruction[i]!),
    value.dims,
  );
}
