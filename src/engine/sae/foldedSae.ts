/**
 * The weights of an SAE with everything folded in that a plain encoder and decoder can hold: constant scales, decoder
 * norms and the input's bias. Features and reconstruction stay what they are.
 */
import { EngineError } from '../../shared/errors.ts';
import { outputWidth, type SaeConfig, type SaeFolder, type SaeTensorName } from './format.ts';

/** Weights in memory, in the shapes of `SaeTensorName`. */
export type PlainWeights = Map<SaeTensorName, Float32Array>;

/** An SAE whose weights can be changed. `config` always says what they mean. */
export interface FoldedSae {
  config: SaeConfig;
  readonly weights: PlainWeights;
}

/** Reads all weights, and folds in constant scales. @throws request.invalid when a scale cannot be folded. */
export async function readFolded(folder: SaeFolder): Promise<FoldedSae> {
  const weights: PlainWeights = new Map();
  for (const name of folder.tensors.keys()) weights.set(name, (await folder.read(name)).slice());
  const sae = { config: folder.config, weights };
  foldScales(sae);
  return sae;
}

/**
 * x·s, then (… )/t: `W_enc·s`, `W_dec/t`, `b_dec/t`, and a skip connection `·s/t`. What a run-time normalisation takes
 * out of the input anyway needs no folding.
 */
function foldScales(sae: FoldedSae): void {
  const { inputScale = 1, outputScale = 1, normalizeActivations: norm, applyBDecToInput } = sae.config;
  if (inputScale === 1 && outputScale === 1) return;
  const isNormalized = norm === 'constant_norm_rescale' || norm === 'layer_norm';
  if (isNormalized && inputScale !== outputScale) throw inexpressible('normalises scaled inputs');
  if (!isNormalized) {
    if (applyBDecToInput && inputScale !== outputScale) foldInputBias(sae);
    scale(sae, 'W_enc', inputScale);
    scale(sae, 'W_dec', 1 / outputScale);
    scale(sae, 'b_dec', 1 / outputScale);
    scale(sae, 'W_skip', inputScale / outputScale);
  }
  const { inputScale: _in, outputScale: _out, ...config } = sae.config;
  const isScaled = norm === 'expected_average_only_in';
  sae.config = { ...config, normalizeActivations: isScaled ? 'none' : norm };
}

/** `(x − b_dec)·W_enc + b_enc` becomes `x·W_enc + (b_enc − b_dec·W_enc)`; for gated ones both biases take it. */
export function foldInputBias(sae: FoldedSae): void {
  if (sae.config.applyBDecToInput) shiftBiases(sae, -1);
  sae.config = { ...sae.config, applyBDecToInput: false };
}

/** The other way round. @throws request.invalid when the bias is as wide as the output only. */
export function unfoldInputBias(sae: FoldedSae): void {
  if (!sae.config.applyBDecToInput) {
    if (sae.config.dIn !== outputWidth(sae.config)) throw inexpressible('reads and writes different widths');
    shiftBiases(sae, 1);
  }
  sae.config = { ...sae.config, applyBDecToInput: true };
}

function shiftBiases({ config, weights }: FoldedSae, sign: number): void {
  if (config.normalizeActivations !== 'none' && config.normalizeActivations !== 'expected_average_only_in') {
    throw inexpressible('normalises its input before the bias is subtracted');
  }
  const { dIn, dSae } = config;
  const [encoder, bias] = [weights.get('W_enc')!, weights.get('b_dec')!];
  const shift = new Float64Array(dSae);
  for (let d = 0; d < dIn; d++) {
    for (let f = 0; f < dSae; f++) shift[f]! += bias[d]! * encoder[d * dSae + f]!;
  }
  const ratio = weights.get('r_mag');
  for (const name of ['b_enc', 'b_gate', 'b_mag'] as const) {
    const own = weights.get(name);
    if (!own) continue;
    for (let f = 0; f < dSae; f++) {
      own[f]! += sign * shift[f]! * (name === 'b_mag' ? Math.exp(ratio![f]!) : 1);
    }
  }
}

/** Features that count decoder norms: `W_enc·n`, `b_enc·n`, `W_dec/n` give the same ones without. */
export function foldDecoderNorms(sae: FoldedSae): void {
  const { config, weights } = sae;
  if (config.rescaleByDecoderNorm) {
    const { dIn, dSae } = config;
    const norms = decoderNorms(sae);
    const [encoder, bias] = [weights.get('W_enc')!, weights.get('b_enc')!];
    for (let d = 0; d < dIn; d++) for (let f = 0; f < dSae; f++) encoder[d * dSae + f]! *= norms[f]!;
    const decoder = weights.get('W_dec')!;
    const width = outputWidth(config);
    for (let f = 0; f < dSae; f++) {
      bias[f]! *= norms[f]!;
      for (let d = 0; d < width; d++) decoder[f * width + d]! /= norms[f]!;
    }
  }
  sae.config = { ...config, rescaleByDecoderNorm: false };
}

/** ‖W_dec,i‖: `[d_sae]`. */
export function decoderNorms({ config, weights }: FoldedSae): Float64Array {
  const decoder = weights.get('W_dec')!;
  const width = outputWidth(config);
  return Float64Array.from({ length: config.dSae }, (_, f) => {
    let sum = 0;
    for (let d = 0; d < width; d++) sum += decoder[f * width + d]! ** 2;
    return Math.sqrt(sum);
  });
}

/** An export that would not compute the same. */
export function inexpressible(what: string): EngineError {
  const reason = `it ${what}, which the other library has no way to say`;
  return new EngineError('request.invalid', { what: 'Exporting this SAE', reason });
}

function scale({ weights }: FoldedSae, name: SaeTensorName, factor: number): void {
  const own = weights.get(name);
  if (!own || factor === 1) return;
  for (let i = 0; i < own.length; i++) own[i]! *= factor;
}
