/**
 * Tuned lenses (Belrose et al. 2023): an affine translator for each layer, after which the final norm and the
 * unembedding read the residual stream as if it came from the last layer. Files of the library tuned-lens.
 */
import { join } from 'node:path';
import * as v from 'valibot';
import type { ModelInfo } from '../../shared/domain.ts';
import { EngineError } from '../../shared/errors.ts';
import { malformed, shorten } from '../files/fileErrors.ts';
import { readJson } from '../files/json.ts';
import { openTensorFile } from '../files/openTensorFile.ts';
import type { TensorFile } from '../files/tensorFile.ts';
import { add } from '../graph/ops/elementwise.ts';
import { matMul } from '../graph/ops/layer.ts';
import { transpose } from '../graph/ops/layout.ts';
import { program } from '../graph/program.ts';
import { type CompiledProgram, compile } from '../graph/session.ts';
import { input } from '../graph/sources.ts';
import { floatValue } from '../graph/value.ts';

const configFile = 'config.json';
const paramsFile = 'params.pt';

const count = v.pipe(v.number(), v.integer(), v.minValue(1), v.maxValue(1_000_000));

const schema = v.looseObject({
  base_model_name_or_path: v.optional(v.nullable(v.string())),
  d_model: count,
  num_hidden_layers: count,
  bias: v.optional(v.boolean(), true),
  unembed_hash: v.optional(v.nullable(v.string())),
  lens_type: v.optional(v.string(), 'linear_tuned_lens'),
});

/** An opened lens. */
export interface TunedLens {
  readonly path: string;
  /** The model it was trained on, as it names it. */
  readonly model?: string;
  /**
   * What the residual stream that enters block `layer` `[row, d_model]` becomes: `h + W h + b`. The stream behind the
   * last block stays as it is.
   * @throws file.* when the file has gone or changed.
   */
  translate(layer: number, stream: Float32Array): Promise<Float32Array>;
  /** Frees the native memory. */
  release(): Promise<void>;
}

/**
 * Opens the lens in `folder` for `model`. The hash of the unembedding in its config is one of NumPy's printed form of
 * the matrix, which cannot be computed here: the sizes are checked, the weights' identity is not.
 * @throws file.missing, file.unreadable, file.malformed; sae.unsupported for other lenses, sae.mismatch for another size.
 */
export async function openTunedLens(
  folder: string,
  model: Pick<ModelInfo, 'name' | 'nLayers' | 'dModel'>,
): Promise<TunedLens> {
  const path = join(folder, configFile);
  const declared = await readJson(path, schema);
  if (declared.lens_type !== 'linear_tuned_lens') {
    const architecture = shorten(declared.lens_type, 40);
    throw new EngineError('sae.unsupported', { path, architecture, supported: 'linear_tuned_lens' });
  }
  const { d_model: dModel, num_hidden_layers: nLayers } = declared;
  if (dModel !== model.dModel || nLayers !== model.nLayers) {
    const reason = `it was trained on ${nLayers} layers of width ${dModel}, and the model has ${model.nLayers} of ${model.dModel}`;
    throw new EngineError('sae.mismatch', { path: folder, reason, model: model.name });
  }
  const file = await openTensorFile(join(folder, paramsFile));
  for (let layer = 0; layer < nLayers; layer++) checkTranslator(file, layer, dModel, declared.bias);
  const weights = new Map<number, Promise<Translator>>();
  const compiled = translatorProgram(dModel);
  return {
    path: folder,
    model: declared.base_model_name_or_path ?? undefined,
    translate: async (layer, stream) => {
      if (layer >= nLayers) return stream;
      const translator = weights.get(layer) ?? readTranslator(file, layer, dModel, declared.bias);
      weights.set(layer, translator);
      const { weight, bias } = await translator;
      const { y } = await (await compiled).run({
        x: floatValue(stream, [stream.length / dModel, dModel]),
        weight: floatValue(weight, [dModel, dModel]),
        bias: floatValue(bias),
      });
      return y?.data as Float32Array;
    },
    release: async () => (await compiled).release(),
  };
}

interface Translator {
  /** `[d_model, d_model]`, used as `x · Wᵀ`. */
  readonly weight: Float32Array;
  readonly bias: Float32Array;
}

function checkTranslator(file: TensorFile, layer: number, dModel: number, hasBias: boolean): void {
  const shapes = { [`${layer}.weight`]: [dModel, dModel], ...(hasBias && { [`${layer}.bias`]: [dModel] }) };
  for (const [name, expected] of Object.entries(shapes)) {
    const shape = file.tensors.get(name)?.shape;
    if (shape?.join() !== expected.join()) {
      throw malformed(file.path, name, `a tensor of shape [${expected.join(', ')}]`, shape);
    }
  }
}

async function readTranslator(file: TensorFile, layer: number, dModel: number, hasBias: boolean) {
  const weight = await file.readFloat32(`${layer}.weight`);
  return { weight, bias: hasBias ? await file.readFloat32(`${layer}.bias`) : new Float32Array(dModel) };
}

/** `h + W h + b`; the weights are inputs, so that one program serves every layer. */
function translatorProgram(dModel: number): Promise<CompiledProgram> {
  const x = input('x', 'float32', ['row', dModel]);
  const weight = input('weight', 'float32', [dModel, dModel]);
  const moved = add(transpose(matMul(weight, transpose(x))), input('bias', 'float32', [dModel]));
  return compile(program({ y: add(x, moved) }));
}
