/** A config with the values that hold unless a layout says otherwise. */
import type { SaeConfig } from '../format.ts';
import { reshapeAt } from './hookNames.ts';

type Needed = Pick<SaeConfig, 'architecture' | 'dIn' | 'dSae' | 'hookName' | 'applyBDecToInput'>;

/** The config of an SAE of which `known` is known. */
export function declaredConfig(known: Needed & Partial<SaeConfig>): SaeConfig {
  return {
    rescaleByDecoderNorm: false,
    normalizeActivations: 'none',
    reshapeActivations: reshapeAt(known.hookName),
    finetuningScalingFactor: false,
    dtype: 'float32',
    metadata: {},
    extra: {},
    ...known,
  };
}
