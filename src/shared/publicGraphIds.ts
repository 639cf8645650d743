/**
 * Names of nodes in the public JSON of attribution graphs (circuit-tracer, Neuronpedia). The ids of its error nodes,
 * `0_{layer}_{position}`, can be those of layer-0 features: only `feature_type` tells them apart.
 */

/** Cantor's pairing: one whole number for two. */
export function cantorPair(layer: number, index: number): number {
  return ((layer + index) * (layer + index + 1)) / 2 + index;
}

/** The two numbers that `cantorPair` made one of; exact as long as that is a safe integer. */
export function cantorUnpair(paired: number): readonly [layer: number, index: number] {
  let sum = Math.floor((Math.sqrt(8 * paired + 1) - 1) / 2);
  // Square roots of large numbers round; the right sum is the last whose triangle is not above.
  while ((sum * (sum + 1)) / 2 > paired) sum--;
  while (((sum + 1) * (sum + 2)) / 2 <= paired) sum++;
  const index = paired - (sum * (sum + 1)) / 2;
  return [sum - index, index];
}

/** What `node_id` says when it has the usual form: three parts, the last two whole numbers. */
export function splitNodeId(
  id: string,
): { readonly first: string; readonly middle: number; readonly last: number } | undefined {
  const [, first, middle, last] = /^([A-Za-z]+|\d{1,15})_(\d{1,15})_(\d{1,15})$/.exec(id) ?? [];
  if (first === undefined) return undefined;
  return { first, middle: Number(middle), last: Number(last) };
}

/**
 * The index of a feature in its layer. The field `feature` holds Cantor's pairing of layer and index, in older files the layer
 * with five digits of the index behind it, in others the index as it is. The id tells which; without its help, whichever gives
 * the node's own layer.
 */
export function featureIndex(layer: number, feature: number, id: string): number {
  const [pairedLayer, paired] = cantorUnpair(feature);
  const readings = [
    ...(pairedLayer === layer ? [paired] : []),
    ...(Math.floor(feature / 100_000) === layer ? [feature % 100_000] : []),
    feature,
  ];
  const named = splitNodeId(id);
  const isAgreed = named !== undefined && Number(named.first) === layer && readings.includes(named.middle);
  return isAgreed ? named.middle : (readings[0] ?? feature);
}

/** The types of nodes that circuit-tracer writes, and those that Fovea adds for parts of circuits it has no word for. */
export const featureTypes = {
  feature: 'cross layer transcoder',
  error: 'mlp reconstruction error',
  token: 'embedding',
  logit: 'logit',
  bias: 'bias',
  head: 'attention head',
  mlp: 'mlp',
  neuron: 'neuron',
  other: 'unknown',
} as const;
