/** What a kind of PyTorch checkpoint has to say: how it is told from others, and how it is read. */
import type { TensorFile } from '../../files/tensorFile.ts';
import type { SaeConfig, SaeTensor, SaeTensorName } from '../format.ts';
import type { FolderNames } from './saeFormat.ts';

/** What a checkpoint is read as. */
export interface CheckpointContent {
  readonly config: SaeConfig;
  readonly tensors: ReadonlyMap<SaeTensorName, SaeTensor>;
  readonly configFiles?: readonly string[];
}

/** One kind of checkpoint. */
export interface CheckpointKind {
  readonly name: string;
  /** Tensors that this kind has and others do not. */
  readonly has: readonly string[];
  /** True when the names of the file and its neighbours fit too; they always do when left out. */
  fits?(file: string, names: FolderNames): boolean;
  /** @throws file.malformed, naming what the file or its path does not say. */
  read(file: TensorFile, path: string, part: string): Promise<CheckpointContent>;
}
