/** `fovea patch`: which places of the model carry what two prompts differ in. */

import { resolve } from 'node:path';
import type { CallOptions } from '../../shared/callOptions.ts';
import type { ModelInfo, Progress } from '../../shared/domain.ts';
import type { EngineApi } from '../../shared/engineApi.ts';
import { isEngineError } from '../../shared/errors.ts';
import { fewPromptsWarning } from '../../shared/fewPrompts.ts';
import { formatNumber } from '../../shared/format.ts';
import type { SweepGrid, SweepRequest } from '../../shared/patchingApi.ts';
import { taskMetrics } from '../../shared/task.ts';
import { textOption } from '../arguments.ts';
import { type Command, type Context, openModel } from '../context.ts';
import { KnownSweep } from '../knownSweep.ts';
import { promptOptions, promptUsage, readPromptPairs, tellLeftOut } from '../promptPairs.ts';
import { readAblation, readPaths, readTarget, refuseUnusedPatchOptions } from '../sweepRequest.ts';
import { sweepText } from '../sweepText.ts';
import { readMetric } from './attribute.ts';

export const patch: Command = {
  summary: 'patch, ablate or path-patch every place between two prompts',
  usage: `${promptUsage} [options]`,
  options: {
    ...promptOptions,
    sweep: {
      type: 'string',
      placeholder: 'NAME',
      about: 'as in TransformerLens, e.g. resid_pre (default), attn_head_out_all_pos',
    },
    role: {
      type: 'string',
      multiple: true,
      placeholder: 'NAME',
      about: 'roles of the task in place of positions',
    },
    noising: { type: 'boolean', about: 'patch corrupted values into the clean run' },
    metric: { type: 'string', placeholder: 'NAME', about: taskMetrics.join(', ') },
    ablate: {
      type: 'string',
      placeholder: 'HOW',
      about: 'ablate instead: zero, mean, meanByPosition, meanByTemplate or resample',
    },
    reference: {
      type: 'string',
      placeholder: 'clean|corrupted',
      about: 'whose means or draws take the ablated place (default corrupted)',
    },
    features: {
      type: 'string',
      placeholder: 'N',
      about: 'patch the N SAE features that differ most, and the error',
    },
    feature: {
      type: 'string',
      multiple: true,
      placeholder: 'NUMBER,…',
      about: 'patch these SAE features, and the error; may be given again',
    },
    'by-position': { type: 'boolean', about: 'features at one position after another instead of at all' },
    sae: { type: 'string', placeholder: 'HOOK|FOLDER', about: 'the SAE of the features' },
    paths: {
      type: 'string',
      placeholder: 'TO',
      about: 'path patching to: logits, or heads as q:9.9,q:9.6',
    },
    from: {
      type: 'string',
      multiple: true,
      placeholder: 'HEADS',
      about: 'senders of the paths as 2.5,mlp 1 (default: all heads and MLPs)',
    },
    at: {
      type: 'string',
      multiple: true,
      placeholder: 'POS',
      about: 'position or role of the paths; may be given again',
    },
    'freeze-mlps': { type: 'boolean', about: 'MLPs keep what they write while paths are patched' },
    keep: {
      type: 'string',
      placeholder: 'FILE',
      about: 'keep finished cells here, and go on from those that are there (.json)',
    },
    estimate: { type: 'boolean', about: 'only tell what the sweep would take' },
  },
  async run(context) {
    const { line } = context;
    refuseUnusedPatchOptions(line);
    const ablation = readAblation(line);
    const pairs = readPromptPairs(line, ablation?.kind === 'resample');
    const paths = readPaths(line);
    const metric = readMetric(line);
    const model = await openModel(context);
    const base = { model: model.id, pairs, ...(metric && { metric }) };
    const leftOut = await tellLeftOut(context, model, pairs);
    const request = paths ? { ...base, ...paths } : await sweepRequest(context, model, base, ablation);
    if (line.options.estimate) return estimate(context, request);
    await sweep(context, model, request, leftOut);
  },
};

async function sweepRequest(
  context: Context,
  model: ModelInfo,
  base: Pick<SweepRequest, 'model' | 'pairs' | 'metric'>,
  ablation: ReturnType<typeof readAblation>,
): Promise<SweepRequest> {
  const target = await readTarget(context, model);
  if (ablation) return { ...base, target, ablation };
  return { ...base, target, direction: context.line.options.noising ? 'noising' : 'denoising' };
}

/** Runs the sweep; when it is cancelled, what is finished is printed all the same. */
async function sweep(
  context: Context,
  model: ModelInfo,
  request: SweepRequest,
  extra: object,
): Promise<void> {
  const { line, engine, call, print, warn } = context;
  const file = textOption(line, 'keep');
  const cells = new KnownSweep(keyOf(request, model), file === undefined ? undefined : resolve(file));
  const report = (progress: Progress): void => {
    if (progress.partial) cells.add(progress.partial);
    call.report?.(progress);
  };
  const hook = await hookOf(context, request);
  const show = (grid: SweepGrid): void => {
    const warning = fewPromptsWarning(grid.referencePrompts);
    if (warning) warn(`Warning: ${warning}`);
    print({ ...grid, ...extra, ...(warning && { warning }) }, () => sweepText(request, grid, hook));
  };
  try {
    show(await runSweep(engine, { ...request, known: cells.known() }, { ...call, report }));
  } catch (error) {
    const grid = isEngineError(error, 'cancelled')
      ? cells.grid('direction' in request ? 'share' : 'change')
      : undefined;
    if (grid) {
      show(grid);
      warn(`Only ${cells.count} of ${grid.values.length} cells are known.`);
    }
    throw error;
  } finally {
    await cells.write();
  }
}

function runSweep(engine: EngineApi, request: SweepRequest, call: CallOptions): Promise<SweepGrid> {
  if ('receivers' in request) return engine.pathPatch(request, call);
  return 'ablation' in request ? engine.ablateSweep(request, call) : engine.patchSweep(request, call);
}

/** Which sweep cells belong to: the same question to the same model. The engine compares the pairs themselves. */
function keyOf({ model: _, pairs: __, ...question }: SweepRequest, { hash, bos }: ModelInfo): string {
  return JSON.stringify([hash, bos, question]);
}

/** Where the SAE of a sweep over features reads. */
async function hookOf({ engine, call }: Context, request: SweepRequest): Promise<string | undefined> {
  if (!('target' in request) || request.target.kind !== 'features') return undefined;
  const { sae } = request.target;
  const saes = await engine.listSaes({ model: request.model, folders: [sae.split('#')[0]!] }, call);
  return saes.find(({ id }) => id === sae)?.hook;
}

async function estimate(context: Context, sweep: SweepRequest): Promise<void> {
  const { outline, ...told } = await context.engine.estimateSweep(sweep, context.call);
  const warning = fewPromptsWarning(outline.referencePrompts);
  if (warning) context.warn(`Warning: ${warning}`);
  const { cells, runs, memory, seconds } = told;
  const megabytes = (memory / 1e6).toFixed(0);
  context.print(
    told,
    () => `${cells} cells, ${runs} interventions, about ${formatNumber(seconds)} s and ${megabytes} MB`,
  );
}
