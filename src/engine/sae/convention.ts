/** Reads an SAE by another convention than its files declare: the choices that files leave unsaid, or say wrongly. */
import { EngineError } from '../../shared/errors.ts';
import type { SaeConvention } from '../../shared/saeCheck.ts';
import { outputWidth, type SaeConfig, type SaeFolder, type SaeTensor, type SaeTensorName } from './format.ts';
import { readTensor } from './tensors.ts';

/**
 * The SAE as `convention` reads it: what it leaves out stays as the files declare it. `folder` must be as its format
 * opened it. Nothing is read or copied.
 * @throws request.invalid when the SAE cannot be read this way.
 */
export function withConvention(folder: SaeFolder, convention: SaeConvention): SaeFolder {
  const chosen = departures(convention);
  if (Object.keys(chosen).length === 0) return folder;
  const config = configUnder(folder.config, chosen);
  const flipped: [keyof SaeConvention, SaeTensorName][] = [
    ['transposeEncoder', 'W_enc'],
    ['transposeDecoder', 'W_dec'],
    ['transposeSkip', 'W_skip'],
  ];
  const tensors = new Map(folder.tensors);
  for (const [choice, name] of flipped) if (chosen[choice]) flip(tensors, name);
  return {
    ...folder,
    config,
    tensors,
    convention: chosen,
    read: async (name) => {
      const tensor = tensors.get(name);
      return tensor ? readTensor(name, tensor, config) : folder.read(name);
    },
  };
}

/** The choices that are made, without those left open. */
function departures(convention: SaeConvention): SaeConvention {
  return Object.fromEntries(Object.entries(convention).filter(([, value]) => value !== undefined));
}

function configUnder(declared: SaeConfig, convention: SaeConvention): SaeConfig {
  const { applyBDecToInput, centerInput, hook, inputGain, inputScale, prependBos, maskFirst } = convention;
  const named = hook === undefined ? declared : { ...declared, hookName: hook };
  if (applyBDecToInput && outputWidth(declared) !== declared.dIn) {
    throw invalid('its decoder bias has another width than its input, so it cannot be subtracted from it');
  }
  if (inputScale !== undefined && !(Number.isFinite(inputScale) && inputScale > 0)) {
    throw invalid(`the input scale must be a number above 0, not ${inputScale}`);
  }
  return {
    ...named,
    ...(applyBDecToInput !== undefined && { applyBDecToInput }),
    ...(centerInput !== undefined && { centerInput }),
    ...(inputScale !== undefined && { inputScale, outputScale: inputScale }),
    ...(prependBos !== undefined && { prependBos }),
    ...(maskFirst !== undefined && { maskFirst }),
    ...(inputGain !== undefined && { hookName: hookWithGain(named, inputGain) }),
  };
}

const withGain = 'mlp.hook_in';
const withoutGain = 'ln2.hook_normalized';

/** The MLP's input is the normalised stream times the norm's gain; `ln2.hook_normalized` is that stream before the gain. */
function hookWithGain(config: SaeConfig, inputGain: boolean): string {
  const match = /^(blocks\.\d+\.)(mlp\.hook_in|ln2\.hook_normalized)$/.exec(config.hookName);
  if (!match) {
    throw invalid(`it reads ${config.hookName}, which has no form with or without the norm's gain`);
  }
  return `${match[1]}${inputGain ? withGain : withoutGain}`;
}

/** True when the SAE could be read with or without the norm's learned gain. */
export function hasInputGain(config: Pick<SaeConfig, 'hookName'>): boolean {
  return /\.(mlp\.hook_in|ln2\.hook_normalized)$/.test(config.hookName);
}

/** True when the tensor is square, so that either way round would fit. */
export function canTranspose({ tensors }: Pick<SaeFolder, 'tensors'>, name: SaeTensorName): boolean {
  const shape = tensors.get(name)?.shape ?? [];
  return shape.length === 2 && shape[0] === shape[1];
}

function flip(tensors: Map<SaeTensorName, SaeTensor>, name: SaeTensorName): void {
  const tensor = tensors.get(name);
  if (!tensor || !canTranspose({ tensors }, name)) {
    throw invalid(
      `${name} ${tensor ? 'is not square, so it fits one way only' : 'is not among its tensors'}`,
    );
  }
  tensors.set(name, { ...tensor, transposed: !tensor.transposed });
}

function invalid(reason: string): EngineError {
  return new EngineError('request.invalid', { what: 'This convention', reason });
}
