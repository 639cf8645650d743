/** Temporal SAEs: recognised and refused, since their features depend on earlier positions through attention layers. */
import { join } from 'node:path';
import { EngineError } from '../../../shared/errors.ts';
import { type SaeFormat, wholeFolder } from './saeFormat.ts';

/** The layout of temporal SAEs. */
export const temporal: SaeFormat = {
  name: 'Temporal SAE',
  find: async ({ files }) => wholeFolder(files.has('conf.yaml') && files.has('latest_ckpt.safetensors')),
  open: async (path) => {
    throw new EngineError('sae.unsupported', {
      path: join(path, 'latest_ckpt.safetensors'),
      architecture: 'temporal (its features at a position depend on the positions before)',
      supported: 'SAEs and transcoders whose features are computed at each position by itself',
    });
  },
};
