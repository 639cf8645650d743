/** `fovea train`: trains an SAE or a transcoder on a model, or the embedded model from nothing. */

import { existsSync, readdirSync, statSync } from 'node:fs';
import { rename, rm } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { miniRecipe } from '../../engine/training/mini/recipe.ts';
import { trainMini } from '../../engine/training/mini/trainMini.ts';
import { CommandLineError, countOption, listOption, textOption } from '../arguments.ts';
import { type Command, type Context, openModel } from '../context.ts';

export const train: Command = {
  summary: 'train an SAE or a transcoder on a model, or the embedded model',
  usage:
    'sae --hook HOOK --out FOLDER [options] | transcoder --layer N --out FOLDER [options] | mini [--out FOLDER]',
  options: {
    hook: { type: 'string', placeholder: 'HOOK', about: 'hook to train on, e.g. blocks.1.hook_resid_post' },
    to: {
      type: 'string',
      placeholder: 'HOOK',
      about: 'hook whose value is imitated, which makes it a transcoder',
    },
    layer: { type: 'string', placeholder: 'N', about: "transcoder of this layer's MLP" },
    out: { type: 'string', placeholder: 'FOLDER', about: 'folder to write' },
    corpus: {
      type: 'string',
      multiple: true,
      placeholder: 'FILE',
      about: 'text to train on (default: built-in text)',
    },
    features: {
      type: 'string',
      placeholder: 'N',
      about: 'number of features (default 8 × width, at most 4096)',
    },
    k: { type: 'string', placeholder: 'N', about: 'features active per token (default 24)' },
    steps: { type: 'string', placeholder: 'N', about: 'training steps (default 1000)' },
    seed: { type: 'string', placeholder: 'N', about: 'random seed (default 0)' },
  },
  async run(context) {
    const what = context.line.words[0];
    if (what === 'sae') return trainSae(context);
    if (what === 'transcoder') return trainTranscoder(context);
    if (what === 'mini') return trainEmbedded(context);
    throw new CommandLineError('Say what to train: "sae", "transcoder" or "mini".');
  },
};

async function trainSae(context: Context): Promise<void> {
  const { line } = context;
  const hook = textOption(line, 'hook');
  if (!hook) throw new CommandLineError('Name the hook: --hook blocks.1.hook_resid_post.');
  if (textOption(line, 'layer') !== undefined)
    throw new CommandLineError('An SAE is trained at a hook; --layer is for "train transcoder".');
  return trainAt(context, hook, textOption(line, 'to'));
}

/** From the MLP's input to its output, unless hooks are named. */
async function trainTranscoder(context: Context): Promise<void> {
  const { line } = context;
  const [hook, to] = [textOption(line, 'hook'), textOption(line, 'to')];
  if (hook && to) return trainAt(context, hook, to);
  if (hook || to || textOption(line, 'layer') === undefined) {
    throw new CommandLineError(
      'Name the layer whose MLP is imitated, --layer 1, or both hooks with --hook and --to.',
    );
  }
  const layer = countOption(line, 'layer', 0, 0);
  return trainAt(context, `blocks.${layer}.mlp.hook_in`, `blocks.${layer}.hook_mlp_out`);
}

async function trainAt(context: Context, hook: string, hookOut: string | undefined): Promise<void> {
  const { line } = context;
  const out = resolve(requireOut(context));
  const model = await openModel(context);
  const metrics = await context.engine.trainSae(
    {
      model: model.id,
      hook,
      ...(hookOut !== undefined && { hookOut }),
      out,
      corpus: listOption(line, 'corpus').map((path) => resolve(path)),
      dSae: countOption(line, 'features', Math.min(4096, 8 * model.dModel)),
      k: countOption(line, 'k', 24),
      steps: countOption(line, 'steps', 1000),
      seed: countOption(line, 'seed', 0, 0),
    },
    context.call,
  );
  context.print({ out, hook, ...(hookOut !== undefined && { hookOut }), ...metrics }, () =>
    [
      `Wrote ${out}`,
      `L0 ${metrics.l0.toFixed(1)}`,
      `variance explained ${metrics.explainedVariance.toFixed(3)}`,
      `cross-entropy recovered ${metrics.ceRecovered.toFixed(3)}`,
      `features that never fired on ${metrics.tokens} tokens: ${(100 * metrics.deadFraction).toFixed(1)} %`,
    ].join('\n'),
  );
}

/**
 * Trains beside the old model and puts the new one in its place when it is whole: an interrupted training
 * loses nothing and goes on with the next call.
 */
async function trainEmbedded(context: Context): Promise<void> {
  const folder = resolve(textOption(context.line, 'out') ?? join('models', 'mini'));
  refuseForeignFolder(folder);
  const workshop = `${folder}.training`;
  const made = join(workshop, 'model');
  const report = await trainMini(miniRecipe, {
    ...context.call,
    folder: made,
    work: join(workshop, 'checkpoints'),
    log: (line) => process.stderr.write(`${line}\n`),
  });
  const old = join(workshop, 'replaced');
  if (existsSync(folder)) await rename(folder, old);
  await rename(made, folder);
  await rm(workshop, { recursive: true, force: true });
  const tasks = Object.fromEntries(report.tasks);
  const saes = Object.fromEntries(report.saes);
  context.print({ folder, tasks, saes }, () => `Wrote ${folder}`);
}

/** The folder is replaced as a whole, so it must be new, empty, or one that an earlier training made. */
function refuseForeignFolder(folder: string): void {
  if (!existsSync(folder) || existsSync(join(folder, 'training.json'))) return;
  if (statSync(folder).isDirectory() && readdirSync(folder).length === 0) return;
  throw new CommandLineError(
    `${folder} holds other things than a trained model. Name a new folder with --out.`,
  );
}

function requireOut(context: Context): string {
  const out = textOption(context.line, 'out');
  if (!out) throw new CommandLineError('Name the folder to write: --out FOLDER.');
  return out;
}
