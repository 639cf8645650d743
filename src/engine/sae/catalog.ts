/** Finds SAE folders and says what is in them, without reading their weights. */

import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { readdir, readFile, realpath } from 'node:fs/promises';
import { basename, join } from 'node:path';
import type { ModelInfo, SaeId, SaeInfo } from '../../shared/domain.ts';
import { EngineError } from '../../shared/errors.ts';
import { formatText } from '../../shared/format.ts';
import type { SaeCheck, SaeConvention } from '../../shared/saeCheck.ts';
import { saeId } from '../../shared/saeId.ts';
import { siteNameOf } from '../../shared/siteNames.ts';
import { fileError } from '../files/fileErrors.ts';
import { sampleWeights } from '../files/weightsSample.ts';
import { withConvention } from './convention.ts';
import { type ToldStatistics, tellFeatureStatistics } from './featureStatistics.ts';
import { checkSaeFits, hookLayer } from './fit.ts';
import { kindOf, outputHook, type SaeFolder } from './format.ts';
import { openSae, saesIn } from './formats/registry.ts';
import { isFolder, placeOf, wholeOrPart } from './saeId.ts';

/** How deep below a named folder SAEs are looked for: caches nest repository and revision, releases layer, width, sparsity. */
const maxDepth = 6;

/** Folders that are looked into below a named one; a user may name a folder that holds everything. */
const maxFolders = 2000;

/** Folders that hold no SAEs but may hold very much else. */
const skipped = new Set(['node_modules', '.git', 'blobs', 'refs', '.no_exist', 'lost+found']);

/**
 * SAEs at or below `place`, in the order of their names: a folder, `folder#file`, or the path of a file. What is missing
 * holds none. A folder that cannot be read stands for itself: describing it says what is wrong.
 */
export async function findSaeFolders(place: string, depth = maxDepth): Promise<SaeId[]> {
  const { folder, part } = await wholeOrPart(place);
  if (part === undefined) return findBelow(folder, depth, { left: maxFolders });
  if (!(await isFolder(folder))) return [];
  const path = await realpath(folder);
  const found = await saesIn(path, part);
  // The config or the weights of a folder that is one SAE stand for the folder.
  const named = found.find((one) => one.part === part || one.part === undefined);
  return named && existsSync(join(path, part)) ? [saeId({ folder: path, part: named.part })] : [];
}

async function findBelow(folder: string, depth: number, budget: { left: number }): Promise<SaeId[]> {
  if (budget.left-- <= 0 || !(await isFolder(folder))) return [];
  try {
    const path = await realpath(folder);
    const parts = await saesIn(path);
    const own = parts.map(({ part }) => saeId({ folder: path, part })).sort(byNumber);
    if (own.length > 0 || depth === 0) return own;
    return await findInside(path, depth, budget);
  } catch (error) {
    if (isUnreadable(error)) return [folder];
    throw error;
  }
}

async function findInside(path: string, depth: number, budget: { left: number }): Promise<SaeId[]> {
  const entries = await readdir(path, { withFileTypes: true });
  const names = entries
    .filter((entry) => (entry.isDirectory() || entry.isSymbolicLink()) && !skipped.has(entry.name))
    .map((entry) => entry.name);
  const found: SaeId[] = [];
  for (const name of names.sort(byNumber))
    found.push(...(await findBelow(join(path, name), depth - 1, budget)));
  return found;
}

/** True for what the file system refuses. */
function isUnreadable(error: unknown): boolean {
  if (error instanceof EngineError) return error.code.startsWith('file.');
  return error instanceof Error && 'syscall' in error;
}

/**
 * Describes the SAE `id` as `convention` reads it, with what was measured then. What keeps it from being used with `model` is told in `problem`.
 */
export async function describeSae(
  id: SaeId,
  model: ModelInfo,
  { convention = {}, check }: { readonly convention?: SaeConvention; readonly check?: SaeCheck } = {},
): Promise<SaeInfo> {
  try {
    const opened = withConvention(await openSae(id), convention);
    return { ...(await infoOf(opened)), ...(check && { check }), ...problemOf(opened, model) };
  } catch (error) {
    if (!(error instanceof EngineError)) throw error;
    return { ...(await unknownSae(id)), problem: formatText(error.message) };
  }
}

/** What the cards of an opened SAE say. */
export async function infoOf(folder: SaeFolder): Promise<SaeInfo> {
  const { id, path, config, convention, release } = folder;
  // The name comes from a file: in one that no model has, anything may stand.
  const hook = formatText(config.hookName);
  const layer = hookLayer(config.hookName) ?? 0;
  const { statistics, fault }: ToldStatistics =
    id === path ? await tellFeatureStatistics(path, config.dSae) : {};
  const hookOut = config.target && outputHook(config);
  return {
    id,
    path,
    name: saeName(hook, layer, kindOf(config)),
    hook,
    layer,
    architecture: config.architecture,
    kind: kindOf(config),
    format: folder.format,
    ...(hookOut && { hookOut: formatText(hookOut) }),
    dIn: config.dIn,
    dSae: config.dSae,
    k: config.k,
    hash: await saeHash(folder),
    ...(release && { release }),
    ...(config.neuronpediaId && { neuronpediaId: formatText(config.neuronpediaId) }),
    ...(convention && { convention }),
    prependBos: config.prependBos,
    ...(config.maskFirst && { masksFirst: true }),
    labelSource: statistics && formatText(statistics.labelSource),
    ...(fault !== undefined && { faults: [fault] }),
  };
}

function problemOf(folder: SaeFolder, model: ModelInfo): Pick<SaeInfo, 'problem' | 'isOfOtherModel'> {
  return (
    problemIn(() => checkSaeFits(folder, model), { isOfOtherModel: true }) ??
    problemIn(() => checkReadsWholeHook(folder, model)) ?? { problem: undefined }
  );
}

function problemIn(
  check: () => void,
  more: Pick<SaeInfo, 'isOfOtherModel'> = {},
): Pick<SaeInfo, 'problem' | 'isOfOtherModel'> | undefined {
  try {
    check();
    return undefined;
  } catch (error) {
    if (error instanceof EngineError) return { problem: formatText(error.message), ...more };
    throw error;
  }
}

/** @throws sae.mismatch when the SAE does not fit the model, or reads it in a way that Fovea cannot. */
export function checkSaeUsable(folder: SaeFolder, model: ModelInfo): void {
  checkSaeFits(folder, model);
  checkReadsWholeHook(folder, model);
}

/** Encoding takes all heads of a hook side by side, so an SAE on one head would be given every head in turn. */
function checkReadsWholeHook({ path, config }: SaeFolder, model: ModelInfo): void {
  if (config.hookHeadIndex === undefined) return;
  const reason = `it reads head ${config.hookHeadIndex} alone, and Fovea runs SAEs on all heads of a hook`;
  throw new EngineError('sae.mismatch', { path, reason, model: model.name });
}

async function unknownSae(id: SaeId): Promise<SaeInfo> {
  const { folder, part } = await placeOf(id);
  const hook = formatText(part ?? basename(folder));
  return {
    id,
    path: folder,
    name: hook,
    hook,
    layer: hookLayer(hook) ?? 0,
    architecture: 'standard',
    kind: 'sae',
    format: 'unknown',
    dIn: 0,
    dSae: 0,
    hash: '',
  };
}

const kindNames = { sae: '', transcoder: ' · transcoder', crossLayer: ' · cross-layer transcoder' } as const;

function saeName(hook: string, layer: number, kind: SaeInfo['kind']): string {
  return `Layer ${layer} · ${siteNameOf(hook)}${kindNames[kind]}`;
}

/**
 * First 16 hex digits of the SHA-256 of the configs, the weights' headers and a sample of their data: cheap, and
 * another one after retraining.
 */
async function saeHash({ configFiles, tensors }: SaeFolder): Promise<string> {
  const hash = createHash('sha256');
  for (const file of configFiles) hash.update(await readWhole(file));
  const files = new Set([...tensors.values()].map((tensor) => tensor.path));
  for (const file of files) await sampleWeights(file, (piece) => hash.update(piece));
  return hash.digest('hex').slice(0, 16);
}

async function readWhole(path: string): Promise<Uint8Array> {
  return readFile(path).catch((error) => {
    throw fileError(path, error);
  });
}

let collator: Intl.Collator | undefined;

/** `blocks.2` before `blocks.10`. */
function byNumber(a: string, b: string): number {
  collator ??= new Intl.Collator('en', { numeric: true });
  return collator.compare(a, b);
}
