/** Whether what was found can be acted on: only in the model that it was found in, read the same way. Knows no VS Code. */

import type { ModelInfo, Provenance, SaeInfo } from '../shared/domain.ts';
import { EngineError } from '../shared/errors.ts';

/** What something was found with; what is left out is not compared. */
export interface FoundWith {
  readonly model: Provenance['model'];
  readonly bos?: Provenance['bos'];
  readonly precision?: string;
  readonly saes?: readonly { readonly hook: string; readonly hash: string }[];
}

/** What is open now; SAEs are not compared where they are left out. */
export type OpenModel = Pick<ModelInfo, 'name' | 'hash' | 'bos' | 'precision'> & {
  readonly saes?: readonly Pick<SaeInfo, 'hash'>[];
};

/** The first thing that is not as it was, and what it was and is. */
export interface ModelMismatch {
  readonly kind: 'model' | 'bos' | 'precision' | 'sae';
  readonly was: string;
  readonly now: string;
}

/** Tells positions, heads and features of one model from those of another; nothing when they are the same. */
export function modelMismatch(found: FoundWith, open: OpenModel): ModelMismatch | undefined {
  const { bos, model, precision, saes = [] } = found;
  if (model.hash !== open.hash) return { kind: 'model', was: model.name, now: open.name };
  if (bos !== undefined && bos !== open.bos) return { kind: 'bos', was: bos, now: open.bos };
  if (precision !== undefined && precision !== open.precision)
    return { kind: 'precision', was: precision, now: open.precision };
  const gone = open.saes && saes.find(({ hash }) => !open.saes?.some((sae) => sae.hash === hash));
  return gone && { kind: 'sae', was: gone.hook, now: open.name };
}

/**
 * Refuses to act on another model than the one that something was found in.
 * @param what names it at the beginning of the message: `The sweep`
 * @param remedy what to do beside opening what was open then: `or run the sweep again`
 * @throws request.invalid
 */
export function requireModelOf(found: FoundWith, open: OpenModel, what: string, remedy = ''): void {
  const mismatch = modelMismatch(found, open);
  if (!mismatch) return;
  const reason = `${reasonOf(mismatch)}${remedy && `, ${remedy}`}`;
  throw new EngineError('request.invalid', { what, reason });
}

function reasonOf({ kind, was, now }: ModelMismatch): string {
  switch (kind) {
    case 'model':
      return `it was found with the model ${was}, and ${now} is open; open that one`;
    case 'bos':
      return was === 'prepended'
        ? 'it was found with a beginning-of-sequence token before every prompt, and now there is none; change the BOS policy back'
        : 'it was found without a beginning-of-sequence token, and now one is put before every prompt; change the BOS policy back';
    case 'precision':
      return `it was found with weights in ${was}, and now they are in ${now}; open the former`;
    case 'sae':
      return `its SAE at ${was} is not among those of ${now} now, or its files have changed; add that one`;
  }
}
