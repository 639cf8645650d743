/** What a parity badge comes down to. */
import type { ParityBadge } from './domain.ts';

/** Logits of deep models in float32 differ by up to about this much when two libraries add in another order. */
const rounding = 1e-2;

/** `same`: nothing but rounding lies between Fovea and the reference. `different`: it reads these weights otherwise. */
export function parityVerdict({ compared, worstLogit }: ParityBadge): 'same' | 'different' | 'unknown' {
  if (compared === 'none' || worstLogit === undefined) return 'unknown';
  return worstLogit <= rounding ? 'same' : 'different';
}
