/** dictionary_learning: `ae.pt`, a state dict whose names depend on the class, and `config.json`, which names the class. */
import { join } from 'node:path';
import * as v from 'valibot';
import { EngineError } from '../../../shared/errors.ts';
import { malformed, shorten } from '../../files/fileErrors.ts';
import { readJson } from '../../files/json.ts';
import { openTensorFile } from '../../files/openTensorFile.ts';
import type { TensorFile } from '../../files/tensorFile.ts';
import type { SaeConfig, SaeFolder, SaeTensor, SaeTensorName } from '../format.ts';
import { openedSae, type TensorReading, tensorOf } from '../openedSae.ts';
import { declaredConfig } from './declaredConfig.ts';
import { blockHook, hookOfModule } from './hookNames.ts';
import { type SaeFormat, wholeFolder } from './saeFormat.ts';

const weightsFile = 'ae.pt';
const configFile = 'config.json';

/** The layout of dictionary_learning. */
export const dictionaryLearning: SaeFormat = {
  name: 'dictionary_learning',
  find: async ({ files }) => wholeFolder(files.has(weightsFile) && files.has(configFile)),
  open: openDictionaryLearning,
};

type Row = readonly [name: SaeTensorName, stored: string, reading?: TensorReading];

interface DictionaryClass {
  readonly tensors: readonly Row[];
  readonly config: Pick<SaeConfig, 'architecture' | 'applyBDecToInput'> & Partial<SaeConfig>;
  /** Keeps the k largest, or features above a threshold that was set in training. */
  readonly selects?: 'topk' | 'threshold';
}

const linear: readonly Row[] = [
  ['W_enc', 'encoder.weight', { transposed: true }],
  ['b_enc', 'encoder.bias'],
  ['W_dec', 'decoder.weight', { transposed: true }],
];

const parameters: readonly Row[] = [
  ['W_enc', 'W_enc'],
  ['b_enc', 'b_enc'],
  ['W_dec', 'W_dec'],
  ['b_dec', 'b_dec'],
];

const classes: Readonly<Record<string, DictionaryClass>> = {
  AutoEncoder: {
    tensors: [...linear, ['b_dec', 'bias']],
    // The library's loader gives the decoder unit norm and features the norms; the files hold neither.
    config: { architecture: 'standard', applyBDecToInput: true, rescaleByDecoderNorm: true },
  },
  AutoEncoderNew: {
    tensors: [...linear, ['b_dec', 'decoder.bias']],
    config: { architecture: 'standard', applyBDecToInput: false },
  },
  GatedAutoEncoder: {
    tensors: [
      linear[0]!,
      linear[2]!,
      ['b_dec', 'decoder_bias'],
      ['b_gate', 'gate_bias'],
      ['b_mag', 'mag_bias'],
      ['r_mag', 'r_mag'],
    ],
    config: { architecture: 'gated', applyBDecToInput: true },
  },
  JumpReluAutoEncoder: {
    tensors: [...parameters, ['threshold', 'threshold']],
    config: { architecture: 'jumprelu', applyBDecToInput: false },
  },
  AutoEncoderTopK: {
    tensors: [...linear, ['b_dec', 'b_dec']],
    config: { architecture: 'topk', applyBDecToInput: true },
    selects: 'topk',
  },
  BatchTopKSAE: {
    tensors: [...linear, ['b_dec', 'b_dec']],
    config: { architecture: 'jumprelu', applyBDecToInput: true },
    selects: 'threshold',
  },
  MatryoshkaBatchTopKSAE: {
    tensors: parameters,
    config: { architecture: 'jumprelu', applyBDecToInput: true },
    selects: 'threshold',
  },
};

const schema = v.looseObject({
  trainer: v.looseObject({
    dict_class: v.string(),
    k: v.optional(v.nullable(v.pipe(v.number(), v.integer(), v.minValue(1)))),
    layer: v.optional(v.unknown()),
    lm_name: v.optional(v.nullable(v.string())),
    submodule_name: v.optional(v.nullable(v.string())),
  }),
  buffer: v.optional(
    v.nullable(v.looseObject({ ctx_len: v.optional(v.unknown()), io: v.optional(v.unknown()) })),
  ),
});

type Declared = v.InferOutput<typeof schema>;

async function openDictionaryLearning(path: string): Promise<SaeFolder> {
  const configPath = join(path, configFile);
  const declared = await readJson(configPath, schema);
  const { trainer } = declared;
  const dictionary = Object.hasOwn(classes, trainer.dict_class) ? classes[trainer.dict_class] : undefined;
  if (!dictionary) {
    const architecture = shorten(trainer.dict_class, 40);
    throw new EngineError('sae.unsupported', {
      path: configPath,
      architecture,
      supported: Object.keys(classes).join(', '),
    });
  }
  const file = await openTensorFile(join(path, weightsFile));
  // What is saved in the middle of training wraps the state dict.
  const prefix = file.tensors.has(`ae.${dictionary.tensors[0]![1]}`) ? 'ae.' : '';
  const tensors = new Map<SaeTensorName, SaeTensor>();
  for (const [name, stored, reading] of dictionary.tensors)
    tensors.set(name, tensorOf(file, `${prefix}${stored}`, reading));
  const selection = dictionary.selects
    ? await selectionOf(file, prefix, dictionary.selects, trainer.k ?? undefined, configPath)
    : {};
  if (selection.architecture === undefined && dictionary.selects === 'threshold')
    tensors.set('threshold', tensorOf(file, `${prefix}threshold`));
  const [dSae, dIn] = encoderShape(tensors.get('W_enc')!);
  const config = declaredConfig({
    ...dictionary.config,
    ...selection,
    dIn,
    dSae,
    hookName: hookOf(configPath, declared),
    modelName: trainer.lm_name ?? undefined,
    metadata: { context_size: declared.buffer?.ctx_len, ...trainer },
  });
  const { name: format } = dictionaryLearning;
  return openedSae({ path, format, config, tensors, configFiles: [configPath] });
}

function encoderShape({ path, stored, shape, transposed }: SaeTensor): [number, number] {
  if (shape.length !== 2) throw malformed(path, stored, 'a matrix', shape);
  return transposed ? [shape[0]!, shape[1]!] : [shape[1]!, shape[0]!];
}

/**
 * k as the config and the file have it, which must agree. A threshold of −1 was never set: then each token keeps
 * its k largest, which is what the rule over batches comes to for one token.
 */
async function selectionOf(
  file: TensorFile,
  prefix: string,
  selects: 'topk' | 'threshold',
  declaredK: number | undefined,
  configPath: string,
): Promise<Partial<SaeConfig> & { architecture?: 'topk' }> {
  const isSet = selects === 'threshold' && (await file.readFloat32(`${prefix}threshold`))[0]! >= 0;
  if (isSet) return {};
  const stored = file.tensors.has(`${prefix}k`) ? Number((await file.read(`${prefix}k`)).data[0]) : declaredK;
  const k = declaredK ?? stored;
  if (k === undefined || k < 1 || k !== stored)
    throw malformed(configPath, 'trainer.k', `${stored ?? 'a whole number'}, as ${weightsFile} has it`, k);
  return { architecture: 'topk', k };
}

/** The submodule is named freely; its name tells the place, and `io` whether its input is read. */
function hookOf(configPath: string, { trainer, buffer }: Declared): string {
  const name = trainer.submodule_name ?? '';
  const known = hookOfModule(name);
  if (known) return known;
  const layer = Number(trainer.layer);
  if (!Number.isInteger(layer) || layer < 0 || layer > 10_000)
    throw malformed(configPath, 'trainer.layer', 'the number of a layer', trainer.layer);
  const reads = buffer?.io === 'in';
  if (/mlp/i.test(name)) return blockHook(layer, reads ? 'mlp.hook_in' : 'hook_mlp_out');
  if (/att/i.test(name)) return blockHook(layer, 'hook_attn_out');
  if (/resid_mid/i.test(name)) return blockHook(layer, 'hook_resid_mid');
  return blockHook(layer, reads || /resid_pre/i.test(name) ? 'hook_resid_pre' : 'hook_resid_post');
}
