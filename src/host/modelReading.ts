/** How a prompt is read: by which model and SAE, and how each of them is read itself. */

import { conventionKey } from '../shared/saeCheck.ts';
import type { ModelStore } from './modelStore.ts';

/** Texts that change exactly when the answer to the same prompt may. */
export interface ModelReading {
  readonly model: string;
  readonly bos: string;
  readonly sae: string;
}

/** How the store's model and SAE would read a prompt now. */
export function readingOf({ model, sae }: Pick<ModelStore, 'model' | 'sae'>): ModelReading {
  return {
    model: `${model?.id} ${model?.hash}`,
    bos: model?.bos ?? '',
    sae: sae ? `${sae.id} ${sae.hash} ${sae.release ?? ''} ${conventionKey(sae.convention)}` : '',
  };
}

/** Whether two readings are of the same tokens: features may differ, positions do not. */
export function hasSameTokens(one: ModelReading, other: ModelReading): boolean {
  return one.model === other.model && one.bos === other.bos;
}

/** Whether two readings give the same answers. */
export function isSameReading(one: ModelReading, other: ModelReading): boolean {
  return hasSameTokens(one, other) && one.sae === other.sae;
}
