/**
 * What one look at a prompt computes beyond the model's own run: strongest features and predictions of
 * every position. Positions that the run took over from the one before are taken over here as well.
 */

import type { Prediction } from '../shared/analysis.ts';
import type { SaeId, TopFeatures } from '../shared/domain.ts';
import { throwIfCancelled } from '../shared/errors.ts';
import { floatsOf, type Value } from './graph/value.ts';
import type { LoadedModel } from './loadedModel.ts';
import { positionRange } from './model/kvCache.ts';
import { predictionsOf } from './predictions.ts';
import type { SparseAutoencoder } from './sae/sparseAutoencoder.ts';

/** Per-position results of a prompt. */
export interface PromptLook {
  readonly features: readonly TopFeatures[];
  /** What computed `features`, in their order: an SAE that was trained again keeps its id. */
  readonly saes: readonly SparseAutoencoder[];
  /** `predictions[position]`, most probable first. */
  readonly predictions: readonly (readonly Prediction[])[];
  /** `[position]`: probability given to the token that stands there; NaN for the first. */
  readonly probabilities: Float32Array;
  /** Logits of the tokens that were asked about, in their order. */
  readonly asked: readonly number[];
}

/** An SAE and what it reads in this run: `[1, position, …]`. */
export interface SaeInput {
  readonly id: SaeId;
  readonly sae: SparseAutoencoder;
  readonly value: Value;
}

export interface LookRequest {
  readonly ids: Int32Array;
  /** `[1, position, d_model]`, after the last block. */
  readonly finalResidual: Value;
  readonly saes: readonly SaeInput[];
  readonly topFeatures: number;
  readonly topPredictions: number;
  /** Logits wanted beside: of `token`, after `position`. */
  readonly ask: readonly { readonly position: number; readonly token: number }[];
  /** Positions whose results can be taken from `previous`. */
  readonly reused: number;
  readonly previous?: PromptLook;
  readonly signal?: AbortSignal;
}

/** Computes the look. */
export async function lookAt(model: LoadedModel, request: LookRequest): Promise<PromptLook> {
  const features: TopFeatures[] = [];
  for (const input of request.saes) {
    throwIfCancelled(request.signal);
    features.push(await strongestFeatures(input, request));
  }
  throwIfCancelled(request.signal);
  const saes = request.saes.map(({ sae }) => sae);
  return { features, saes, ...(await readPredictions(model, request)) };
}

async function strongestFeatures({ id, sae, value }: SaeInput, request: LookRequest): Promise<TopFeatures> {
  const length = request.ids.length;
  const k = Math.min(request.topFeatures, sae.config.dSae);
  const known = request.previous?.features[request.previous.saes.indexOf(sae)];
  const before = known?.k === k ? known : undefined;
  const kept = before ? Math.min(request.reused, before.indices.length / k) : 0;
  const indices = new Int32Array(length * k);
  const activations = new Float32Array(length * k);
  if (before) {
    indices.set(before.indices.subarray(0, kept * k));
    activations.set(before.activations.subarray(0, kept * k));
  }
  if (kept < length) {
    const fresh = await sae.strongest(positionRange(value, kept, length), k, { firstPosition: kept });
    indices.set(fresh.indices, kept * k);
    activations.set(fresh.activations, kept * k);
  }
  return { sae: id, k, indices, activations };
}

async function readPredictions(
  model: LoadedModel,
  { ids, finalResidual, topPredictions, ask, reused, previous }: LookRequest,
): Promise<Omit<PromptLook, 'features' | 'saes'>> {
  const length = ids.length;
  const sameWidth = previous?.predictions[0]?.length === Math.min(topPredictions, model.info.dVocab);
  // The last reused row is read again: the token after it may be another one now.
  const first = previous && sameWidth ? Math.max(0, Math.min(reused, previous.predictions.length) - 1) : 0;
  const { dModel } = model.info;
  const data = floatsOf(finalResidual);
  const count = length - first;
  const rows = new Float32Array((count + ask.length) * dModel);
  rows.set(data.subarray(first * dModel, length * dModel));
  const targets = new Int32Array(count + ask.length);
  for (let position = first; position + 1 < length; position++)
    targets[position - first] = ids[position + 1]!;
  ask.forEach(({ position, token }, i) => {
    rows.set(data.subarray(position * dModel, (position + 1) * dModel), (count + i) * dModel);
    targets[count + i] = token;
  });
  const out = await model.readout.predict(rows, topPredictions, targets);
  const probabilities = new Float32Array(length).fill(Number.NaN);
  if (previous && first > 0) probabilities.set(previous.probabilities.subarray(0, first + 1));
  for (let position = first; position + 1 < length; position++) {
    const row = position - first;
    probabilities[position + 1] = Math.exp(out.targetLogits[row]! - out.logSumExp[row]!);
  }
  const fresh = predictionsOf(out, model.tokenizer).slice(0, count);
  return {
    predictions: [...(previous?.predictions.slice(0, first) ?? []), ...fresh],
    probabilities,
    asked: ask.map((_, i) => out.targetLogits[count + i]!),
  };
}
