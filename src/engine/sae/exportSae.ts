/** Writes an opened SAE as another library reads it, when that library can say what it computes. */
import { join } from 'node:path';
import { writeJson } from '../files/json.ts';
import { writeTorch } from '../files/torchWriter.ts';
import { elementCount, floatValue, intValue, type Value } from '../graph/value.ts';
import { hookLayer } from './fit.ts';
import {
  decoderNorms,
  type FoldedSae,
  foldDecoderNorms,
  foldInputBias,
  inexpressible,
  readFolded,
  unfoldInputBias,
} from './foldedSae.ts';
import { expectedShape, kindOf, type SaeConfig, type SaeFolder, type SaeTensorName } from './format.ts';
import { type SaeWeights, writeSaeLens } from './formats/saelens.ts';
import { transposedMatrix } from './tensors.ts';

export interface SaeExport {
  readonly format: 'SAELens' | 'dictionary_learning';
  /** The folder to write. */
  readonly out: string;
}

/**
 * Writes the SAE to a folder that SAELens 6, or dictionary_learning, loads with the same features and reconstructions.
 * @throws request.invalid saying what the library cannot say; file.unreadable when the folder cannot be written.
 */
export async function exportSae(folder: SaeFolder, { format, out }: SaeExport): Promise<void> {
  const { config } = folder;
  if (kindOf(config) === 'crossLayer') throw inexpressible('writes to several layers');
  if (config.architecture === 'groupmax') throw inexpressible('keeps the largest feature of each group');
  const sae = await readFolded(folder);
  refuseSigned(sae);
  refuseScores(sae);
  if (format === 'SAELens') await writeAsSaeLens(folder, sae, out);
  else await writeAsDictionary(sae, out);
}

/** Without thresholds below 0 there are no negative activations, whatever clamps them. */
function refuseSigned(sae: FoldedSae): void {
  const { signed, architecture, ...config } = sae.config;
  if (!signed) return;
  const isClamped = architecture === 'jumprelu' && sae.weights.get('threshold')!.every((t) => t >= 0);
  if (!isClamped) throw inexpressible('has negative activations');
  sae.config = { ...config, architecture };
}

function refuseScores(sae: FoldedSae): void {
  if (!sae.config.scoreByDecoderNorm) return;
  const isUnit = decoderNorms(sae).every((norm) => Math.abs(norm - 1) < 1e-5);
  if (!isUnit) throw inexpressible('chooses features by decoder norms without counting them in');
}

async function writeAsSaeLens(folder: SaeFolder, sae: FoldedSae, out: string): Promise<void> {
  const { config, weights } = sae;
  const isTranscoder = kindOf(config) === 'transcoder';
  if (isTranscoder && config.architecture !== 'standard' && config.architecture !== 'jumprelu') {
    throw inexpressible(`is a ${config.architecture} transcoder`);
  }
  if (!isTranscoder && weights.has('W_skip')) throw inexpressible('has a skip connection to its own input');
  if (isTranscoder) foldInputBias(sae);
  if (config.architecture === 'standard') foldDecoderNorms(sae);
  // What another library's files said beside is not what SAELens means by these keys.
  const own = folder.format === 'SAELens';
  const metadata = own ? sae.config.metadata : {};
  const written = { ...sae.config, dtype: 'float32', metadata, extra: own ? sae.config.extra : {} };
  await writeSaeLens(out, written, valuesOf(sae), { sparsity: await folder.sparsity() });
}

function valuesOf({ config, weights }: FoldedSae): SaeWeights {
  const entries = [...weights].map(([name, data]) => [name, floatValue(data, expectedShape(name, config))]);
  return Object.fromEntries(entries);
}

async function writeAsDictionary(sae: FoldedSae, out: string): Promise<void> {
  const { config } = sae;
  if (kindOf(config) !== 'sae' || sae.weights.has('W_skip')) throw inexpressible('is a transcoder');
  if (config.centerInput) throw inexpressible('centres its input');
  if (config.finetuningScalingFactor) throw inexpressible('scales its activations before decoding');
  if (
    config.normalizeActivations === 'layer_norm' ||
    config.normalizeActivations === 'constant_norm_rescale'
  ) {
    throw inexpressible('normalises its input at run time');
  }
  const { dictClass, tensors } = dictionaryOf(sae);
  for (const value of Object.values(tensors))
    if (elementCount(value.dims) === 0) throw inexpressible('is empty');
  await writeTorch(join(out, 'ae.pt'), tensors);
  await writeJson(join(out, 'config.json'), dictionaryConfig(config, dictClass));
}

interface Dictionary {
  readonly dictClass: string;
  readonly tensors: Readonly<Record<string, Value>>;
}

/** The class whose encoder computes the same, and its state dict. */
function dictionaryOf(sae: FoldedSae): Dictionary {
  switch (sae.config.architecture) {
    case 'gated':
      unfoldInputBias(sae);
      return {
        dictClass: 'GatedAutoEncoder',
        tensors: {
          decoder_bias: vector(sae, 'b_dec'),
          r_mag: vector(sae, 'r_mag'),
          gate_bias: vector(sae, 'b_gate'),
          mag_bias: vector(sae, 'b_mag'),
          'encoder.weight': encoder(sae),
          'decoder.weight': decoder(sae),
        },
      };
    case 'jumprelu':
      foldInputBias(sae);
      return {
        dictClass: 'JumpReluAutoEncoder',
        tensors: Object.fromEntries(
          (['W_enc', 'b_enc', 'W_dec', 'b_dec', 'threshold'] as const).map((name) => [
            name,
            floatValue(sae.weights.get(name)!, expectedShape(name, sae.config)),
          ]),
        ),
      };
    case 'topk':
      foldDecoderNorms(sae);
      unfoldInputBias(sae);
      return {
        dictClass: 'AutoEncoderTopK',
        tensors: {
          b_dec: vector(sae, 'b_dec'),
          k: intValue([sae.config.k ?? 1], []),
          threshold: floatValue([-1], []),
          'decoder.weight': decoder(sae),
          'encoder.weight': encoder(sae),
          'encoder.bias': vector(sae, 'b_enc'),
        },
      };
    default:
      return standardDictionary(sae);
  }
}

/** `AutoEncoder` counts features in decoder norms when it is loaded; `AutoEncoderNew` leaves them alone. */
function standardDictionary(sae: FoldedSae): Dictionary {
  const weights = { 'encoder.weight': encoder(sae), 'decoder.weight': decoder(sae) };
  if (sae.config.rescaleByDecoderNorm) {
    unfoldInputBias(sae);
    const tensors = { bias: vector(sae, 'b_dec'), ...weights, 'encoder.bias': vector(sae, 'b_enc') };
    return { dictClass: 'AutoEncoder', tensors };
  }
  foldInputBias(sae);
  const biases = { 'encoder.bias': vector(sae, 'b_enc'), 'decoder.bias': vector(sae, 'b_dec') };
  return { dictClass: 'AutoEncoderNew', tensors: { ...weights, ...biases } };
}

function encoder({ config: { dIn, dSae }, weights }: FoldedSae): Value {
  return floatValue(transposedMatrix(weights.get('W_enc')!, dIn, dSae), [dSae, dIn]);
}

function decoder({ config: { dIn, dSae }, weights }: FoldedSae): Value {
  return floatValue(transposedMatrix(weights.get('W_dec')!, dSae, dIn), [dIn, dSae]);
}

function vector({ weights }: FoldedSae, name: SaeTensorName): Value {
  return floatValue(weights.get(name)!);
}

function dictionaryConfig(config: SaeConfig, dictClass: string) {
  return {
    trainer: {
      trainer_class: 'fovea',
      dict_class: dictClass,
      activation_dim: config.dIn,
      dict_size: config.dSae,
      ...(config.architecture === 'topk' && { k: config.k }),
      layer: hookLayer(config.hookName) ?? 0,
      lm_name: config.modelName ?? '',
      submodule_name: submoduleOf(config.hookName),
    },
    buffer: { d_submodule: config.dIn, io: 'out', ctx_len: contextSize(config) },
  };
}

/** The names that the library's own scripts give; other hooks keep theirs. */
function submoduleOf(hookName: string): string {
  const site = /^blocks\.(\d+)\.hook_(resid_pre|resid_mid|resid_post|attn_out|mlp_out)$/.exec(hookName);
  return site ? `${site[2]}_layer_${site[1]}` : hookName;
}

function contextSize({ metadata }: SaeConfig): number {
  return typeof metadata.context_size === 'number' ? metadata.context_size : 128;
}
