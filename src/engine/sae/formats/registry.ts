/** Every layout of SAE files that is read, and how a folder is given to one of them. */
import { readdir, realpath } from 'node:fs/promises';
import { join } from 'node:path';
import type { SaeId } from '../../../shared/domain.ts';
import { EngineError } from '../../../shared/errors.ts';
import type { SaeConvention } from '../../../shared/saeCheck.ts';
import { fileError, shorten } from '../../files/fileErrors.ts';
import { checkLinks } from '../../files/insideFolder.ts';
import { openTensorFile } from '../../files/openTensorFile.ts';
import { withConvention } from '../convention.ts';
import type { SaeConfig, SaeFolder } from '../format.ts';
import { releasedAs, releasedAt } from '../releases.ts';
import { wholeOrPart } from '../saeId.ts';
import { circuitTracer } from './circuitTracer.ts';
import { dictionaryLearning } from './dictionaryLearning.ts';
import { gemmaScope } from './gemmaScope.ts';
import { gemmaScope2 } from './gemmaScope2.ts';
import { llamaScope } from './llamaScope.ts';
import { llamascopium } from './llamascopium.ts';
import type { FolderNames, SaeFormat } from './saeFormat.ts';
import { saeLens } from './saelens.ts';
import { sparsify } from './sparsify.ts';
import { temporal } from './temporal.ts';
import { checkpointFormats } from './torchCheckpoints.ts';

/** In the order in which they are asked. */
export const saeFormats: readonly SaeFormat[] = [
  saeLens,
  sparsify,
  gemmaScope,
  gemmaScope2,
  circuitTracer,
  dictionaryLearning,
  llamaScope,
  llamascopium,
  temporal,
  ...checkpointFormats,
];

/** An SAE that a folder holds. */
export interface FoundPart {
  readonly format: SaeFormat;
  readonly part: string | undefined;
}

/**
 * The SAEs in the folder at the real path `folder`; none when no layout fits. With `part`, at least the SAE of that file.
 * @throws file.unreadable
 */
export async function saesIn(folder: string, part?: string): Promise<readonly FoundPart[]> {
  const all = await namesIn(folder);
  // Checkpoints are told apart by opening them: of one that is named, the neighbours need not be.
  const isWanted = (name: string) => part === undefined || name === part || !/\.pth?$/.test(name);
  const names = { ...all, files: new Set([...all.files].filter(isWanted)) };
  for (const format of saeFormats) {
    const parts = await format.find(names);
    if (parts.length > 0) return parts.map((part) => ({ format, part }));
  }
  return [];
}

/**
 * Opens the SAE that `id` names: a folder, `folder#file`, or the path of such a file. No weights are read.
 * @throws file.missing, file.unreadable, file.malformed, sae.unsupported.
 */
export async function openSae(id: SaeId): Promise<SaeFolder> {
  const { folder, part } = await wholeOrPart(id);
  const path = await realpath(folder).catch((error) => {
    throw fileError(folder, error);
  });
  await checkLinks(path);
  const found = await saesIn(path, part);
  const match = part === undefined && found.length === 1 ? found[0] : found.find((one) => one.part === part);
  if (match) return asReleased(await match.format.open(path, match.part), match.part);
  throw await unknownLayout(path, part, found);
}

/** What its release says beyond the files is as good as declared by them, in the cache or in a copy elsewhere. */
async function asReleased(given: SaeFolder, part: string | undefined): Promise<SaeFolder> {
  const folder = withStatedL0(given);
  const cached = await releasedAt(folder.path, part);
  const released = cached ?? (await releasedAs(saidBy(folder)));
  if (!released) return folder;
  const { release, id, neuronpediaId, normalize, l0 } = released;
  const convention = cached ? released.convention : unfolded(folder, released.convention);
  const { convention: _, config, ...rest } = withConvention(folder, convention ?? {});
  // All of OpenAI's fifth version keep 32 features.
  const k = l0 ?? (/^gpt2-small-.*-v5-/.test(release) ? 32 : undefined);
  return {
    ...rest,
    config: {
      ...config,
      ...(neuronpediaId && { neuronpediaId }),
      ...(l0 !== undefined && l0 > 0 && { statedL0: l0 }),
      ...(normalize === 'constant_norm_rescale' && { normalizeActivations: normalize }),
      ...(lacksK(config) && Number.isInteger(k) && { architecture: 'topk', k }),
    },
    release: `${release}/${id}`,
  };
}

/** What a config says of where it comes from. */
function saidBy({ config: { neuronpediaId, hookName: hook, metadata } }: SaeFolder) {
  const { sae_lens_release: lens, release = lens, sae_id: id } = metadata;
  return { ...(neuronpediaId !== undefined && { neuronpediaId }), release, id, hook };
}

/** Libraries that write a release out again have folded its scale into the weights, unless the config still asks for it. */
function unfolded({ config }: SaeFolder, convention: SaeConvention | undefined): SaeConvention | undefined {
  if (!convention || config.normalizeActivations === 'expected_average_only_in') return convention;
  const { inputScale: _, ...rest } = convention;
  return rest;
}

/** Releases of Gemma Scope state L0 in the names of folders: `average_l0_71`. */
function withStatedL0(folder: SaeFolder): SaeFolder {
  const stated = /average_l0_(\d+)(?=$|[\\/])/.exec(folder.path)?.[1];
  if (stated === undefined) return folder;
  return { ...folder, config: { ...folder.config, statedL0: Number(stated) } };
}

/** Old SAELens configs that name TopK but not its k are read as ReLU; where the release says L0, that is k. */
function lacksK({ architecture, extra }: SaeConfig): boolean {
  return architecture === 'standard' && extra.activation_fn === 'topk';
}

async function unknownLayout(path: string, part: string | undefined, found: readonly FoundPart[]) {
  const names = [...(await namesIn(path)).files].sort();
  const damaged = found.length === 0 ? await damageOf(path, part === undefined ? names : [part]) : undefined;
  if (damaged) return damaged;
  if (part !== undefined) return new EngineError('file.missing', { path: join(path, part) });
  if (found.length > 1) {
    const reason = `it holds ${found.length} SAEs; name one of them, such as ${path}#${found[0]!.part}`;
    return new EngineError('request.invalid', { what: `The folder ${path}`, reason });
  }
  const listed = shorten(names.slice(0, 8).join(', ') || 'no files', 120);
  return new EngineError('sae.unsupported', {
    path,
    architecture: `unknown layout: ${listed}`,
    supported: [...new Set(saeFormats.map(({ name }) => name))].join(', '),
  });
}

/** A checkpoint that cannot be read at all is told from one of another layout by what is wrong with it. */
async function damageOf(path: string, names: readonly string[]): Promise<EngineError | undefined> {
  const checkpoints = names.filter((name) => /\.(pt|pth|safetensors|npz)$/.test(name));
  if (checkpoints.length !== 1) return undefined;
  try {
    await openTensorFile(join(path, checkpoints[0]!));
    return undefined;
  } catch (error) {
    if (error instanceof EngineError) return error;
    throw error;
  }
}

async function namesIn(path: string): Promise<FolderNames> {
  const entries = await readdir(path, { withFileTypes: true }).catch((error) => {
    throw fileError(path, error);
  });
  // Files of the hub's cache are links; whether one leads to a file is found out when it is opened.
  const files = entries.filter((entry) => entry.isFile() || entry.isSymbolicLink());
  return { path, files: new Set(files.map(({ name }) => name)) };
}
