/** Numbers that come with a request, checked before anything is sized by them. */

import type { ModelInfo } from '../shared/domain.ts';
import { EngineError } from '../shared/errors.ts';

/** @throws request.invalid when the model has no such layer. */
export function checkLayer(layer: number, { nLayers }: ModelInfo): void {
  if (Number.isInteger(layer) && layer >= 0 && layer < nLayers) return;
  const reason = `the model has layers 0 to ${nLayers - 1}`;
  throw new EngineError('request.invalid', { what: `Layer ${layer}`, reason });
}

/** @throws request.invalid when a prompt of `length` tokens has no such position. */
export function checkPosition(position: number, length: number): void {
  if (Number.isInteger(position) && position >= 0 && position < length) return;
  const reason = `the prompt has ${length} tokens`;
  throw new EngineError('request.invalid', { what: `Position ${position}`, reason });
}

/** @throws request.invalid when `value` is no whole number of at least `least`. */
export function requireCount(what: string, value: number, least: number): void {
  if (Number.isInteger(value) && value >= least) return;
  const reason = `it must be a whole number of at least ${least}, not ${value}`;
  throw new EngineError('request.invalid', { what, reason });
}
