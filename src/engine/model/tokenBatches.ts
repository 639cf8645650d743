/** Groups prompts of equal length, so that each group runs as one batch. */

/** Prompts of one length, and where each stood in the list it came from. */
export interface TokenBatch {
  readonly tokens: readonly Int32Array[];
  readonly places: readonly number[];
}

/** Batches of at most `size` prompts; prompts of one batch have equal length. Order within a length is kept. */
export function batchesByLength(prompts: readonly Int32Array[], size: number): TokenBatch[] {
  const byLength = new Map<number, number[]>();
  prompts.forEach(({ length }, place) => {
    const places = byLength.get(length);
    if (places) places.push(place);
    else byLength.set(length, [place]);
  });
  const batches: TokenBatch[] = [];
  for (const places of byLength.values()) {
    for (let start = 0; start < places.length; start += size) {
      const chunk = places.slice(start, start + size);
      batches.push({ places: chunk, tokens: chunk.map((place) => prompts[place]!) });
    }
  }
  return batches;
}
