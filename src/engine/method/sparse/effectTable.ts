/** Effects of nodes, summed up pair by pair: for each site its features and error, at each position or over all of them. */
import { type SparseSite, unitsOf } from './sparseSites.ts';

/** A node: a feature of a site, or behind all features the error, at a place (the position; 0 when places are summed). */
export interface SparseNode {
  /** Index among the sites. */
  readonly site: number;
  readonly unit: number;
  readonly place: number;
}

export class EffectTable {
  /** By site: `[place, unit]`. */
  private readonly effects: readonly Float64Array[];
  private readonly seen: readonly Uint8Array[];

  /** `positions` is absent when effects are summed over them. */
  constructor(
    readonly sites: readonly SparseSite[],
    readonly positions?: number,
  ) {
    this.effects = sites.map((site) => new Float64Array(unitsOf(site) * this.places));
    this.seen = sites.map((site) => new Uint8Array(unitsOf(site) * this.places));
  }

  /** 1 when effects are summed over positions. */
  get places(): number {
    return this.positions ?? 1;
  }

  placeOf(position: number): number {
    return this.positions === undefined ? 0 : position;
  }

  /** Counts the node as active, and adds to its effect; for nodes that differ between the prompts. */
  add(site: number, unit: number, position: number, effect: number): void {
    const at = this.placeOf(position) * unitsOf(this.sites[site]!) + unit;
    this.effects[site]![at]! += effect;
    this.seen[site]![at] = 1;
  }

  effect({ site, unit, place }: SparseNode): number {
    return this.effects[site]![place * unitsOf(this.sites[site]!) + unit]!;
  }

  /** Nodes that differ between the prompts of some pair, in the order of the forward pass, whose |effect| is above `threshold`. */
  nodes(threshold?: number): SparseNode[] {
    const found: SparseNode[] = [];
    for (const [site, seen] of this.seen.entries()) {
      const units = unitsOf(this.sites[site]!);
      for (let at = 0; at < seen.length; at++) {
        const isAbove = threshold === undefined || Math.abs(this.effects[site]![at]!) > threshold;
        if (seen[at] && isAbove) found.push({ site, unit: at % units, place: Math.floor(at / units) });
      }
    }
    return found;
  }
}
