/**
 * SAEs that are one PyTorch checkpoint each, several of them in a folder: Goodfire, DeepSeek, Qwen Scope, OpenAI, and
 * the attention-output SAEs of Kissane et al. Their tensors' names tell them apart; their files' names tell the layer.
 */
import { join } from 'node:path';
import { EngineError } from '../../../shared/errors.ts';
import { openTensorFile } from '../../files/openTensorFile.ts';
import type { TensorFile } from '../../files/tensorFile.ts';
import type { SaeFolder } from '../format.ts';
import { openedSae } from '../openedSae.ts';
import { attentionOutput } from './attentionOutput.ts';
import type { CheckpointKind } from './checkpointKind.ts';
import { deepSeek, goodfire } from './linearCheckpoint.ts';
import { openAi } from './openAi.ts';
import { qwenScope } from './qwenScope.ts';
import type { FolderNames, SaeFormat } from './saeFormat.ts';

const kinds: readonly CheckpointKind[] = [attentionOutput, qwenScope, openAi, goodfire, deepSeek];

/** A folder with more checkpoints than this is something else. */
const mostFiles = 200;

/** The layouts of single checkpoints, each under its own name. */
export const checkpointFormats: readonly SaeFormat[] = kinds.map((kind) => ({
  name: kind.name,
  find: (names) => partsOf(kind, names),
  open: (path, part) => openCheckpoint(kind, path, part ?? ''),
}));

async function partsOf(kind: CheckpointKind, names: FolderNames): Promise<readonly string[]> {
  const files = [...names.files].filter((name) => /\.(pt|pth)$/.test(name));
  if (files.length === 0 || files.length > mostFiles) return [];
  const found: string[] = [];
  for (const name of files) {
    if (kind.fits && !kind.fits(name, names)) continue;
    const file = await openOrNothing(join(names.path, name));
    // One whose name says it all is shown even when it is damaged, with what is wrong.
    const isOwn = file ? kind.has.every((tensor) => file.tensors.has(tensor)) : kind.fits !== undefined;
    if (isOwn) found.push(name);
  }
  return found;
}

/** Folders hold checkpoints of all sorts; one that cannot be read is none of these. */
async function openOrNothing(path: string): Promise<TensorFile | undefined> {
  try {
    return await openTensorFile(path);
  } catch (error) {
    if (error instanceof EngineError) return undefined;
    throw error;
  }
}

async function openCheckpoint(kind: CheckpointKind, path: string, part: string): Promise<SaeFolder> {
  const file = await openTensorFile(join(path, part));
  const { config, tensors, configFiles = [] } = await kind.read(file, path, part);
  return openedSae({ path, part, format: kind.name, config, tensors, configFiles });
}
