/** What changes on the shelf of circuits, and whom it concerns. */

import type { OpenCircuit } from './openCircuit.ts';

/** One circuit, the search that is under way, or which circuits there are and how they are called. */
export type ShelfChange =
  | { readonly kind: 'circuit'; readonly circuit: OpenCircuit }
  | { readonly kind: 'search' }
  | { readonly kind: 'shelf' };

/** Whether a surface has to draw anything anew; searches are the panel's alone. */
export function concerns(
  change: ShelfChange,
  surface: { readonly isFile: boolean; readonly shown: readonly (OpenCircuit | undefined)[] },
): boolean {
  if (change.kind === 'search') return !surface.isFile;
  return change.kind === 'shelf' || surface.shown.includes(change.circuit);
}
