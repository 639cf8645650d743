/** SAEs on attention outputs by Kissane, Krzyzanowski et al. 2024: `X.pt` beside `X_cfg.json`, on all heads side by side. */
import { join } from 'node:path';
import * as v from 'valibot';
import { readJson } from '../../files/json.ts';
import type { SaeTensor, SaeTensorName } from '../format.ts';
import { tensorOf } from '../openedSae.ts';
import type { CheckpointKind } from './checkpointKind.ts';
import { declaredConfig } from './declaredConfig.ts';
import { knownHook } from './hookNames.ts';

const count = v.pipe(v.number(), v.integer(), v.minValue(1), v.maxValue(100_000_000));

const schema = v.looseObject({ act_size: count, dict_size: count, act_name: v.string() });

/** The layout of these SAEs. */
export const attentionOutput: CheckpointKind = {
  name: 'Attention-output SAEs',
  has: ['W_enc', 'W_dec', 'b_enc', 'b_dec'],
  fits: (file, { files }) => files.has(configOf(file)),
  read: async (file, path, part) => {
    const configPath = join(path, configOf(part));
    const declared = await readJson(configPath, schema);
    const names = ['W_enc', 'b_enc', 'W_dec', 'b_dec'] as const;
    const tensors = new Map<SaeTensorName, SaeTensor>(names.map((name) => [name, tensorOf(file, name)]));
    const config = declaredConfig({
      architecture: 'standard',
      dIn: declared.act_size,
      dSae: declared.dict_size,
      applyBDecToInput: true,
      hookName: knownHook(configPath, 'act_name', declared.act_name),
      modelName: 'gpt2-small',
      prependBos: true,
      metadata: declared,
    });
    return { config, tensors, configFiles: [configPath] };
  },
};

function configOf(file: string): string {
  return `${file.replace(/\.pth?$/, '')}_cfg.json`;
}
