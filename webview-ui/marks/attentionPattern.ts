/** Reading an attention pattern: the strongest sources of a query, and a pattern pooled to fit a picture. Pure. */

/** A key position and the weight a query gives it. */
export interface Source {
  readonly position: number;
  readonly weight: number;
}

/** The `count` keys that `query` looks at most, strongest first. `pattern` is `[head, position, position]`. */
export function strongestSources(
  pattern: Float32Array,
  head: number,
  positions: number,
  query: number,
  count: number,
): readonly Source[] {
  const start = (head * positions + query) * positions;
  const sources: Source[] = [];
  for (let position = 0; position < positions; position++) {
    const weight = pattern[start + position] ?? 0;
    if (weight > 0) sources.push({ position, weight });
  }
  return sources.sort((a, b) => b.weight - a.weight || a.position - b.position).slice(0, count);
}

/** One head's pattern as `[size, size]`, each entry the largest weight of the block it stands for. */
export function poolPattern(
  pattern: Float32Array,
  head: number,
  positions: number,
  size: number,
): Float32Array {
  const pooled = new Float32Array(size * size);
  const start = head * positions * positions;
  for (let query = 0; query < positions; query++) {
    const row = Math.floor((query * size) / positions) * size;
    for (let key = 0; key < positions; key++) {
      const cell = row + Math.floor((key * size) / positions);
      const weight = pattern[start + query * positions + key] ?? 0;
      if (weight > pooled[cell]!) pooled[cell] = weight;
    }
  }
  return pooled;
}
