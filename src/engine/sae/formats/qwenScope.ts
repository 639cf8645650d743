/** Qwen Scope: `layerN.sae.pt` in repositories whose names say k, such as `SAE-Res-Qwen3-1.7B-Base-W32K-L0_50`. */
import { join } from 'node:path';
import { malformed } from '../../files/fileErrors.ts';
import type { SaeTensor, SaeTensorName } from '../format.ts';
import { tensorOf } from '../openedSae.ts';
import type { CheckpointKind } from './checkpointKind.ts';
import { declaredConfig } from './declaredConfig.ts';
import { blockHook } from './hookNames.ts';

const fileName = /^layer(\d{1,4})\.sae\.pt$/;

/** The layout of Qwen Scope. */
export const qwenScope: CheckpointKind = {
  name: 'Qwen Scope',
  has: ['W_enc', 'W_dec', 'b_enc', 'b_dec'],
  fits: (file) => fileName.test(file),
  read: async (file, path, part) => {
    const repository = /SAE-Res-(.+?)-W\d+K-L0_(\d{1,6})/.exec(path);
    if (!repository) {
      const expected = 'a repository name with W and L0, such as SAE-Res-Qwen3-1.7B-Base-W32K-L0_50';
      throw malformed(join(path, part), 'the path', expected, path);
    }
    const tensors = new Map<SaeTensorName, SaeTensor>([
      ['W_enc', tensorOf(file, 'W_enc', { transposed: true })],
      ['b_enc', tensorOf(file, 'b_enc')],
      ['W_dec', tensorOf(file, 'W_dec', { transposed: true })],
      ['b_dec', tensorOf(file, 'b_dec')],
    ]);
    const [dSae = 0, dIn = 0] = tensors.get('W_enc')!.shape;
    const config = declaredConfig({
      architecture: 'topk',
      k: Math.min(Number(repository[2]), dSae),
      dIn,
      dSae,
      applyBDecToInput: false,
      hookName: blockHook(Number(fileName.exec(part)![1]), 'hook_resid_post'),
      modelName: `Qwen/${repository[1]}`,
      prependBos: true,
    });
    return { config, tensors };
  },
};
