/** Which layers of a model see only a window of the prompt, as configs of Qwen and Gemma say it. */
import * as v from 'valibot';
import { flag, layerTypes, limits, maybe, slidingLayers } from './configSchema.ts';

export const qwenWindowEntries = {
  use_sliding_window: flag(false),
  sliding_window: maybe(limits.context),
  max_window_layers: v.optional(v.pipe(v.number(), v.integer(), v.minValue(0)), 28),
  layer_types: layerTypes,
} as const;

const qwenSchema = v.object(qwenWindowEntries);

/** Each layer's window; only layers from `max_window_layers` on have one, and only when it is switched on. */
export function qwenWindows(
  path: string,
  nLayers: number,
  raw: v.InferOutput<typeof qwenSchema>,
): (number | undefined)[] {
  const window = raw.use_sliding_window ? (raw.sliding_window ?? 4096) : undefined;
  const slides = slidingLayers(path, nLayers, raw.layer_types, (layer) => layer >= raw.max_window_layers);
  return slides.map((isSliding) => (isSliding ? window : undefined));
}
