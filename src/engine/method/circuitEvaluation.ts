/**
 * How much of a metric a circuit carries when everything else is set to its baseline: faithfulness
 * `(m(C) − m(∅)) / (m(M) − m(∅))`, and the same ratio of the complement (Wang et al. 2022; Marks et al. 2024, §3).
 *
 * Heads and MLPs are ablated at every position where they are not part of the circuit. Tokens keep their clean
 * embeddings in every variant, the empty one included. SAE features restate what components write and do not count.
 */

import type { CircuitEvaluation, CircuitNode } from '../../shared/circuit.ts';
import { floatsOf, floatValue, type Value } from '../graph/value.ts';
import type { HookEdit } from '../model/edits.ts';
import { blockHookName } from '../model/hooks.ts';
import type { CircuitInputs } from './circuitInputs.ts';
import { type RecordedRun, recordRun } from './nodeAttribution.ts';

/** Rows of the batch: the circuit alone, its complement, and nothing at all. */
const variants = 3;

/** Differences of the metric below this, relative to it, are rounding of float32. */
const smallestSpan = 1e-6;

/**
 * Runs the prompt with the circuit, without it, and with every component at its baseline. Both ratios are NaN when the
 * metric is the same with all components as with none.
 */
export async function evaluateCircuit(
  inputs: CircuitInputs,
  kept: readonly CircuitNode[],
  signal?: AbortSignal,
): Promise<CircuitEvaluation> {
  const { model, ids, contrast } = inputs;
  const clean = await recordRun({ ...inputs, saes: [] }, ids, signal);
  const baseline = inputs.counterfactual
    ? await recordRun({ ...inputs, saes: [] }, inputs.counterfactual, signal)
    : undefined;
  const edits: HookEdit[] = [];
  for (let layer = 0; layer < model.config.nLayers; layer++) {
    edits.push(headEdit(inputs, layer, kept, baseline), mlpEdit(inputs, layer, kept, baseline));
  }
  const run = await model.run({
    tokens: Array.from({ length: variants }, () => ids),
    edits,
    logits: [contrast.position],
    signal,
  });
  const { dVocab } = model.config;
  const logits = floatsOf(run.logits!);
  const metric = (row: number): number =>
    logits[row * dVocab + contrast.answer]! - logits[row * dVocab + contrast.wrong]!;
  const [circuit, complement, empty, full] = [metric(0), metric(1), metric(2), clean.metric];
  const span = full - empty;
  // Where the components make no difference there is nothing to have a share in.
  const share = (value: number): number =>
    Math.abs(span) < smallestSpan * Math.max(1, Math.abs(full)) ? Number.NaN : (value - empty) / span;
  return {
    faithfulness: share(circuit),
    completeness: share(complement),
    full,
    empty,
    circuit,
    complement,
  };
}

function headEdit(
  { model, ids }: CircuitInputs,
  layer: number,
  kept: readonly CircuitNode[],
  baseline: RecordedRun | undefined,
): HookEdit {
  const { nHeads } = model.config;
  const inside = new Uint8Array(ids.length * nHeads);
  for (const node of kept) {
    if (node.kind === 'head' && node.layer === layer) inside[node.position * nHeads + node.head!] = 1;
  }
  const keep = keepRows(inside, [variants, ids.length, nHeads, 1]);
  return { hook: blockHookName(layer, 'attn.hook_z'), keep, add: fillIn(keep, baseline?.z[layer]) };
}

function mlpEdit(
  { ids }: CircuitInputs,
  layer: number,
  kept: readonly CircuitNode[],
  baseline: RecordedRun | undefined,
): HookEdit {
  const inside = new Uint8Array(ids.length);
  for (const node of kept) if (node.kind === 'mlp' && node.layer === layer) inside[node.position] = 1;
  const keep = keepRows(inside, [variants, ids.length, 1]);
  return { hook: blockHookName(layer, 'hook_mlp_out'), keep, add: fillIn(keep, baseline?.mlpOut[layer]) };
}

/** 1 where a component stays: the circuit in row 0, its complement in row 1, nothing in row 2. */
function keepRows(inside: Uint8Array, dims: readonly number[]): Value {
  const keep = new Float32Array(variants * inside.length);
  inside.forEach((kept, i) => {
    keep[i] = kept;
    keep[inside.length + i] = 1 - kept;
  });
  return floatValue(keep, dims);
}

/** `(1 − keep) · baseline`, or 0 when the baseline is zero activation. */
function fillIn(keep: Value, baseline: Value | undefined): Value | number {
  if (!baseline) return 0;
  const values = floatsOf(baseline);
  const kept = floatsOf(keep);
  const groups = kept.length / variants;
  const width = values.length / groups;
  const add = new Float32Array(variants * values.length);
  for (let i = 0; i < add.length; i++)
    add[i] = (1 - kept[Math.floor(i / width)]!) * values[i % values.length]!;
  return floatValue(add, [variants, ...baseline.dims.slice(1)]);
}
