/** Opens a GGUF file as a model: config and tokenizer from its metadata, weights in place or converted once. */
import { createHash } from 'node:crypto';
import { basename } from 'node:path';
import { EngineError } from '../../../shared/errors.ts';
import { shorten } from '../../files/fileErrors.ts';
import { type Gguf, openGguf } from '../../files/gguf.ts';
import { dequantize } from '../../files/ggufDequantize.ts';
import { readBytes, withFile } from '../../files/regularFile.ts';
import type { LocatedTensor, WeightFiles } from '../../files/safetensorsFolder.ts';
import { type ConversionOptions, convertedWeights } from '../convertedWeights.ts';
import type { FoundOptions, ModelFiles } from '../modelFiles.ts';
import { placedWeights } from '../placedWeights.ts';
import { ModelWeights } from '../weights.ts';
import { ggufArchitectures } from './ggufArchitectures.ts';
import { GgufMetadata } from './ggufMetadata.ts';
import { ggufNumbers } from './ggufNumbers.ts';
import type { RopeFactors } from './ggufRope.ts';
import { type NamedTensor, nameTensors } from './ggufTensors.ts';
import { ggufTokenizer } from './ggufTokenizer.ts';

const supported = Object.keys(ggufArchitectures).join(', ');
/** Of the data, for the hash. */
const sampleBytes = 65536;
/** More rotary pairs than any model has. */
const maxRotaryPairs = 4096;
/** Weights that differ from how they lie in the file are changed by every program, up to this part of all. */
const changedShare = 0.2;

/**
 * Opens the GGUF file at `path`.
 * @throws file.missing, file.unreadable, file.malformed, model.unsupported, model.tooLarge before anything is converted,
 * disk.full, cancelled.
 */
export async function openGgufModel(path: string, options: FoundOptions): Promise<ModelFiles> {
  const gguf = await openGguf(path);
  const metadata = new GgufMetadata(gguf);
  const { architecture } = metadata;
  const rules = Object.hasOwn(ggufArchitectures, architecture) ? ggufArchitectures[architecture] : undefined;
  if (!rules) throw unsupported(gguf, architecture);
  checkKind(gguf, metadata);
  const content = rules.config(metadata, await readRopeFactors(gguf));
  const heads = metadata.requireCount('.attention.head_count');
  const tensors = nameTensors(gguf, rules, {
    architecture,
    layers: metadata.requireCount('.block_count'),
    heads,
    keyHeads: metadata.count('.attention.head_count_kv') ?? heads,
    headSize:
      metadata.count('.attention.key_length') ??
      Math.floor(metadata.requireCount('.embedding_length') / heads),
  });
  const config = { path: gguf.path, content };
  const precision = storedPrecision(tensors);
  const stored = located(gguf, tensors);
  options.check?.(config, new ModelWeights(stored, precision));
  const isInPlace = isUsedInPlace(tensors);
  const { float32Bytes, widenedBytes } = new ModelWeights(stored);
  const weights = await placedWeights(
    {
      size: { path: gguf.path, float32Bytes, widenedBytes },
      ...(isInPlace && { inPlace: async () => stored }),
      converted: () => converted(gguf, tensors, options),
    },
    options,
  );
  return {
    id: gguf.path,
    path: gguf.path,
    name: basename(gguf.path).replace(/\.gguf$/i, ''),
    config,
    weights: new ModelWeights(weights, precision),
    hash: await hashOf(gguf),
    readTokenizer: async () => ggufTokenizer(metadata),
  };
}

/** @throws model.unsupported for files that hold a part of a model, or one whose layers differ in kind. */
function checkKind(gguf: Gguf, metadata: GgufMetadata): void {
  const { architecture } = metadata;
  const parts = metadata.id('split.count') ?? 1;
  if (parts > 1) {
    throw unsupported(
      gguf,
      `${architecture}, split into ${parts} files (join them with llama-gguf-split --merge)`,
    );
  }
  if ((metadata.id('.expert_count') ?? 0) > 0) throw unsupported(gguf, `${architecture} with experts`);
  for (const key of ['.attention.head_count', '.attention.head_count_kv', '.feed_forward_length']) {
    if (metadata.isList(key))
      throw unsupported(gguf, `${architecture} with a ${key.slice(1)} for each layer`);
  }
  if (architecture === 'olmo2' && metadata.has('.attention.sliding_window')) {
    throw unsupported(gguf, 'olmo2 with sliding windows (OLMo 3)');
  }
}

function unsupported({ path }: Gguf, architecture: string): EngineError {
  return new EngineError('model.unsupported', { path, architecture: shorten(architecture, 120), supported });
}

async function readRopeFactors(gguf: Gguf): Promise<RopeFactors> {
  const [freqs, long, short] = await Promise.all(
    ['rope_freqs', 'rope_factors_long', 'rope_factors_short'].map((name) =>
      readVector(gguf, `${name}.weight`),
    ),
  );
  return { ...(freqs && { freqs }), ...(long && { long }), ...(short && { short }) };
}

async function readVector(gguf: Gguf, name: string): Promise<readonly number[] | undefined> {
  const tensor = gguf.tensors.get(name);
  if (tensor?.type !== 'F32' || tensor.length > 4 * maxRotaryPairs) return undefined;
  const { offset, length } = tensor;
  const bytes = await withFile(gguf.path, (file) => readBytes(gguf.path, file, offset, length), gguf.stamp);
  return [...dequantize('F32', bytes)];
}

/**
 * Files without quantised tensors are used in place: a reordered or shifted weight is put right by each program when it
 * is compiled, as 16-bit weights are widened. Where that would be much of the model, or transposing, it is converted.
 */
function isUsedInPlace(tensors: readonly NamedTensor[]): boolean {
  const isWhole = ({ rows, shape }: NamedTensor) => !rows || rows.length === shape[0];
  const isSimple = tensors.every(({ source, transposed, ...rest }) => {
    const isFloat = source.type === 'F32' || source.type === 'F16' || source.type === 'BF16';
    return isFloat && !transposed && isWhole({ source, ...rest });
  });
  const bytes = (some: readonly NamedTensor[]) => some.reduce((sum, { source }) => sum + source.length, 0);
  const changed = tensors.filter(({ rows, plusOne }) => rows || plusOne);
  return isSimple && bytes(changed) <= changedShare * bytes(tensors);
}

function converted(
  gguf: Gguf,
  tensors: readonly NamedTensor[],
  options: ConversionOptions,
): Promise<WeightFiles> {
  const { path, stamp } = gguf;
  const streamed = tensors.map((tensor) => ({
    name: tensor.name,
    dtype: 'F32' as const,
    shape: tensor.shape,
    pieces: () => ggufNumbers(gguf, tensor, options.signal),
  }));
  const what = `Converting ${path} to float32`;
  return convertedWeights(
    { kind: 'gguf', path, sources: { [path]: stamp }, what, tensors: streamed },
    options,
  );
}

/** The tensors where they lie; quantised ones stand there as what they will be converted to. */
function located({ path, stamp }: Gguf, tensors: readonly NamedTensor[]): WeightFiles {
  const places = tensors.map(({ name, shape, source, rows, plusOne }): readonly [string, LocatedTensor] => {
    const dtype = source.type === 'F16' || source.type === 'BF16' ? source.type : 'F32';
    const { offset } = source;
    const isFloat = dtype === source.type;
    const length = isFloat ? source.length : 4 * shape.reduce((product, dim) => product * dim, 1);
    const change = { ...(rows && { rows }), ...(plusOne && { plusOne }) };
    return [name, { dtype, shape, offset, length, file: path, stamp, ...change }];
  });
  return { path, files: [path], tensors: new Map(places) };
}

/** How most of the numbers are stored, for people. */
function storedPrecision(tensors: readonly NamedTensor[]): string {
  const counts = new Map<string, number>();
  for (const { source, shape } of tensors) {
    const count = shape.reduce((product, dim) => product * dim, 1);
    counts.set(source.type, (counts.get(source.type) ?? 0) + count);
  }
  const most = [...counts].sort((a, b) => b[1] - a[1])[0]?.[0] ?? 'F32';
  return { F32: 'float32', F16: 'float16', BF16: 'bfloat16' }[most] ?? most;
}

/** SHA-256 over the header and a sample of the data, as for folders. */
async function hashOf(gguf: Gguf): Promise<string> {
  const bytes = await withFile(
    gguf.path,
    (file, size) => readBytes(gguf.path, file, 0, Math.min(size, gguf.dataStart + sampleBytes)),
    gguf.stamp,
  );
  return createHash('sha256').update(bytes).digest('hex').slice(0, 16);
}
