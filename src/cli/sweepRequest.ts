/** What `fovea patch` is asked: the cells of the sweep, what takes ablated values' place, and ends of paths. */

import type { ModelInfo } from '../shared/domain.ts';
import { methodDefaults } from '../shared/methodDefaults.ts';
import type {
  Ablation,
  PathPatchRequest,
  PathReceiver,
  PathSender,
  SweepName,
  SweepTarget,
} from '../shared/patchingApi.ts';
import { sweepNames } from '../shared/patchingApi.ts';
import { type CommandLine, CommandLineError, countOption, listOption, textOption } from './arguments.ts';
import { type Context, chooseSae } from './context.ts';
import { isGiven, refuseUnused } from './unusedOptions.ts';

/** @throws CommandLineError for options that the others leave without effect. */
export function refuseUnusedPatchOptions(line: CommandLine): void {
  const given = (name: string): boolean => isGiven(line, name);
  const [ablates, paths] = [given('ablate'), given('paths')];
  const features = given('features') || given('feature');
  const samples = ablates && textOption(line, 'ablate') !== 'zero';
  refuseUnused(line, [
    [
      paths,
      ['sweep', 'features', 'feature', 'ablate', 'role', 'noising'],
      'Paths go from heads and MLPs to --paths; leave out one of both',
    ],
    [!paths, ['at', 'from', 'freeze-mlps'], 'It is about path patching: say where paths end with --paths'],
    [ablates, ['noising'], 'Ablation changes the clean run; leave out --ablate to patch'],
    [
      !samples,
      ['reference'],
      'It says whose means or draws are taken: give --ablate mean, meanByPosition, meanByTemplate or resample',
    ],
    [features, ['sweep', 'role'], 'With --features or --feature, the features of one SAE are the cells'],
    [!features, ['sae', 'by-position'], 'It is about features: give --features N or --feature NUMBER'],
    [given('feature'), ['features'], 'Features are named with --feature already'],
    [
      /_all_pos(_|$)/.test(textOption(line, 'sweep') ?? ''),
      ['role'],
      'This sweep changes all positions at once; choose one by position',
    ],
  ]);
}

/** The cells that the line asks for. @throws CommandLineError */
export async function readTarget(context: Context, model: ModelInfo): Promise<SweepTarget> {
  const { line } = context;
  const named = listOption(line, 'feature')
    .flatMap((one) => one.split(','))
    .map(readFeature);
  const strongest = countOption(line, 'features', 0, 0);
  if (strongest === 0 && named.length === 0) return readSweep(line);
  const { id } = await chooseSae(context, model);
  const by = line.options['by-position'] ? 'position' : 'all';
  return { kind: 'features', sae: id, features: named.length > 0 ? named : { strongest }, error: true, by };
}

function readFeature(text: string): number {
  if (/^\d+$/.test(text.trim())) return Number(text);
  throw new CommandLineError(`--feature takes numbers of features, as 12 or 12,40, not "${text}".`);
}

function readSweep(line: CommandLine): SweepTarget {
  const name = textOption(line, 'sweep') ?? 'resid_pre';
  const roles = listOption(line, 'role');
  if ((sweepNames as readonly string[]).includes(name)) {
    return { kind: 'sweep', name: name as SweepName, ...(roles.length > 0 && { roles }) };
  }
  throw new CommandLineError(
    `There is no sweep "${name}". There are:\n${sweepNames.map((known) => `  ${known}`).join('\n')}`,
  );
}

/** What takes the place of ablated values, if the line ablates. @throws CommandLineError */
export function readAblation(line: CommandLine): Ablation | undefined {
  const how = textOption(line, 'ablate');
  const reference = readReference(line);
  switch (how) {
    case undefined:
      return undefined;
    case 'zero':
      return { kind: 'zero' };
    case 'resample':
      return { kind: 'resample', reference, seed: countOption(line, 'seed', methodDefaults.seed, 0) };
    case 'mean':
      return { kind: 'mean', over: 'task', reference };
    // Shorter names for the same.
    case 'position':
    case 'meanByPosition':
      return { kind: 'mean', over: 'position', reference };
    case 'template':
    case 'meanByTemplate':
      return { kind: 'mean', over: 'template', reference };
    default:
      throw new CommandLineError(
        `--ablate takes zero, mean, meanByPosition, meanByTemplate or resample, not "${how}".`,
      );
  }
}

function readReference(line: CommandLine): 'clean' | 'corrupted' {
  const named = textOption(line, 'reference') ?? 'corrupted';
  if (named === 'clean' || named === 'corrupted') return named;
  throw new CommandLineError(`--reference takes clean or corrupted, not "${named}".`);
}

/** Where paths begin and end, if the line patches paths. @throws CommandLineError */
export function readPaths(
  line: CommandLine,
): Pick<PathPatchRequest, 'receivers' | 'senders' | 'mlps' | 'positions' | 'freezeMlps'> | undefined {
  const to = textOption(line, 'paths');
  if (to === undefined) return undefined;
  const senders = listOption(line, 'from')
    .flatMap((one) => one.split(','))
    .map(readSender);
  const places = listOption(line, 'at').map((at) => (/^\d+$/.test(at) ? Number(at) : at));
  return {
    receivers: readReceivers(to),
    ...(senders.length > 0 && { senders }),
    mlps: true,
    positions: places.length > 0 ? places : undefined,
    freezeMlps: line.options['freeze-mlps'] === true,
  };
}

function readReceivers(text: string): PathReceiver[] {
  if (text === 'logits') return [];
  return text.split(',').map((one) => {
    const match = /^([qkv]):(\d+)\.(\d+)$/.exec(one.trim());
    if (!match) throw new CommandLineError(`--paths takes logits, or heads as q:9.9,k:5.5, not "${one}".`);
    return { input: match[1] as PathReceiver['input'], layer: Number(match[2]), head: Number(match[3]) };
  });
}

function readSender(text: string): PathSender {
  const match = /^(?:(\d+)\.(\d+)|mlp ?(\d+))$/.exec(text.trim());
  if (!match) throw new CommandLineError(`--from takes heads and MLPs as 2.5,mlp 1, not "${text}".`);
  const [, layer, head, mlp] = match;
  return mlp === undefined ? { layer: Number(layer), head: Number(head) } : { layer: Number(mlp) };
}
