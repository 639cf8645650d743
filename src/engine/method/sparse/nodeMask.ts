/** Which nodes of all stay when a circuit is tested. */
import type { ErrorTreatment } from '../../../shared/sparseCircuitApi.ts';
import type { SparseNode } from './effectTable.ts';
import { type SparseSite, unitsOf } from './sparseSites.ts';

/** By site `[place, unit]`, 1 where a node stays. There is one place when nodes stand for all positions. */
export interface NodeMask {
  readonly places: number;
  readonly kept: readonly Uint8Array[];
}

/** The mask of a circuit. Sites without an SAE are one node, whatever is done with errors. */
export function maskOf(
  sites: readonly SparseSite[],
  places: number,
  nodes: readonly SparseNode[],
  errors: ErrorTreatment = 'circuit',
): NodeMask {
  const kept = sites.map((site) => new Uint8Array(unitsOf(site) * places));
  for (const { site, unit, place } of nodes) kept[site]![place * unitsOf(sites[site]!) + unit] = 1;
  const mask = { places, kept };
  if (errors !== 'circuit') setErrors(sites, mask, errors === 'keep' ? 1 : 0);
  return mask;
}

/** Every feature of every site, and no error of an SAE. */
export function allFeatures(sites: readonly SparseSite[]): NodeMask {
  return complementOf(sites, maskOf(sites, 1, []), 'remove');
}

/** Whether a node is what the features of an SAE leave over. */
export function isError(sites: readonly SparseSite[], { site, unit }: SparseNode): boolean {
  const { width } = sites[site]!.dictionary;
  return width > 0 && unit === width;
}

/** Everything outside a circuit, errors being treated alike. */
export function complementOf(
  sites: readonly SparseSite[],
  { places, kept }: NodeMask,
  errors: ErrorTreatment = 'circuit',
): NodeMask {
  const mask = { places, kept: kept.map((own) => own.map((stays) => 1 - stays)) };
  if (errors !== 'circuit') setErrors(sites, mask, errors === 'keep' ? 1 : 0);
  return mask;
}

function setErrors(sites: readonly SparseSite[], { places, kept }: NodeMask, stays: number): void {
  for (const [index, { dictionary }] of sites.entries()) {
    const { width, hasError } = dictionary;
    if (!hasError || width === 0) continue;
    for (let place = 0; place < places; place++) kept[index]![place * (width + 1) + width] = stays;
  }
}
