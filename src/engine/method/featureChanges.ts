/** What features and errors of an SAE add to a hook's value when they change: Δf · W_dec and Δε (Marks et al. 2024, §3.1). */
import { floatsOf, type Value } from '../graph/value.ts';
import { combine } from '../model/edits.ts';
import { errorOf, type FeatureSite, featuresOf } from './replacement.ts';

/** What takes the SAE's error on `value` to `target`, whose dimensions are the value's or 1. */
export async function errorChange(site: FeatureSite, value: Value, target: Value): Promise<Float32Array> {
  return combine(target, await errorOf(value, site), (wanted, error) => wanted - error).data;
}

/** What takes a feature's activation on `value` to `target`: (a′ − a) · W_dec, row by row. */
export async function featureChange(
  site: FeatureSite,
  feature: number,
  value: Value,
  target: Value,
): Promise<Float32Array> {
  const now = floatsOf(await featuresOf(value, site, [feature]));
  // What one more unit writes, row by row: an SAE that normalises writes with each row's own scale.
  const unit = floatsOf(await site.sae.change(value, [{ feature, factor: 1, offset: 1 }]));
  const width = unit.length / now.length;
  const wanted = rowTargets(target, value);
  return unit.map((x, i) => {
    const row = Math.floor(i / width);
    return x * (wanted(row) - now[row]!);
  });
}

/** Activation wanted at each row of a value: targets are `[row, position, 1]`, with 1 where all have the same. */
function rowTargets(target: Value, { dims: [, positions = 1] }: Value): (row: number) => number {
  const data = floatsOf(target);
  const [rows = 1, places = 1] = target.dims;
  return (row) => {
    const [pair, position] = [Math.floor(row / positions), row % positions];
    return data[(rows === 1 ? 0 : pair) * places + (places === 1 ? 0 : position)]!;
  };
}
