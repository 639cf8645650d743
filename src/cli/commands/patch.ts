/** `fovea patch`: which places of the model carry what two prompts differ in. */

import type { ModelInfo } from '../../shared/domain.ts';
import { formatNumber, formatSigned, quoteToken } from '../../shared/format.ts';
import { methodDefaults } from '../../shared/methodDefaults.ts';
import type {
  AblateSweepRequest,
  Ablation,
  PathPatchRequest,
  PathReceiver,
  PromptPairs,
  SweepGrid,
  SweepName,
  SweepRequest,
  SweepTarget,
} from '../../shared/patchingApi.ts';
import { sweepNames } from '../../shared/patchingApi.ts';
import { type TaskMetric, taskMetrics } from '../../shared/task.ts';
import { CommandLineError, countOption, listOption, textOption } from '../arguments.ts';
import { type Command, type Context, chooseSae, openModel } from '../context.ts';
import { renderTable } from '../table.ts';

export const patch: Command = {
  summary: 'patch, ablate or path-patch every place between two prompts',
  usage: '<clean> <corrupted> --answer TOKEN --wrong TOKEN [options] | --task FILE [options]',
  options: {
    answer: {
      type: 'string',
      multiple: true,
      placeholder: 'TOKEN',
      about: 'right next token; may be given again',
    },
    wrong: {
      type: 'string',
      multiple: true,
      placeholder: 'TOKEN',
      about: 'wrong next token; may be given again',
    },
    task: { type: 'string', placeholder: 'FILE', about: 'a task file instead of one pair' },
    pairs: { type: 'string', placeholder: 'N', about: 'pairs of the task to run at most' },
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
      about: 'ablate instead: zero, mean, position, template or resample',
    },
    features: {
      type: 'string',
      placeholder: 'N',
      about: 'patch the N SAE features that differ most, and the error',
    },
    sae: { type: 'string', placeholder: 'HOOK', about: 'hook or folder of the SAE for --features' },
    paths: {
      type: 'string',
      placeholder: 'TO',
      about: 'path patching from every head to: logits, or heads as q:9.9,q:9.6',
    },
    at: {
      type: 'string',
      multiple: true,
      placeholder: 'POS',
      about: 'position or role of the paths; may be given again',
    },
    'freeze-mlps': { type: 'boolean', about: 'MLPs keep what they write while paths are patched' },
    estimate: { type: 'boolean', about: 'only tell what the sweep would take' },
  },
  async run(context) {
    const pairs = readPairs(context);
    const paths = textOption(context.line, 'paths');
    const receivers = paths === undefined ? undefined : readReceivers(paths);
    const metric = readMetric(context);
    const ablation = readAblation(context);
    const model = await openModel(context);
    const request = { model: model.id, pairs, ...(metric && { metric }) };
    if (receivers) return patchPaths(context, { ...request, receivers });
    const target = await readTarget(context, model);
    if (ablation) return ablate(context, { ...request, target, ablation });
    const direction = context.line.options.noising ? 'noising' : 'denoising';
    const sweep = { ...request, target, direction } as const;
    if (context.line.options.estimate) return estimate(context, sweep);
    const grid = await context.engine.patchSweep(sweep, context.call);
    context.print(grid, () => gridText(grid));
  },
};

async function ablate(context: Context, request: AblateSweepRequest): Promise<void> {
  if (context.line.options.estimate) return estimate(context, request);
  const grid = await context.engine.ablateSweep(request, context.call);
  context.print(grid, () => gridText(grid));
}

async function patchPaths(context: Context, request: PathPatchRequest): Promise<void> {
  const { line, engine, call } = context;
  const places = listOption(line, 'at').map((at) => (/^\d+$/.test(at) ? Number(at) : at));
  const freezeMlps = line.options['freeze-mlps'] === true;
  const positions = places.length > 0 ? places : undefined;
  const paths = { ...request, freezeMlps, positions, mlps: true };
  if (line.options.estimate) return estimate(context, paths);
  const grid = await engine.pathPatch(paths, call);
  context.print(grid, () => pathText(grid));
}

async function estimate(context: Context, sweep: SweepRequest): Promise<void> {
  const { outline: _, ...told } = await context.engine.estimateSweep(sweep, context.call);
  const { cells, runs, memory, seconds } = told;
  const megabytes = (memory / 1e6).toFixed(0);
  context.print(
    told,
    () => `${cells} cells, ${runs} interventions, about ${formatNumber(seconds)} s and ${megabytes} MB`,
  );
}

async function readTarget(context: Context, model: ModelInfo): Promise<SweepTarget> {
  const strongest = countOption(context.line, 'features', 0, 0);
  if (strongest === 0) return readSweep(context);
  const { id } = await chooseSae(context, model);
  return { kind: 'features', sae: id, features: { strongest }, error: true, by: 'all' };
}

function readPairs({ line }: Context): PromptPairs {
  const task = textOption(line, 'task');
  if (task !== undefined) {
    const limit = countOption(line, 'pairs', 0, 0);
    return { kind: 'task', task: { kind: 'file', path: task }, ...(limit > 0 && { limit }) };
  }
  const [clean, corrupted, ...rest] = line.words;
  const [answers, wrongAnswers] = [listOption(line, 'answer'), listOption(line, 'wrong')];
  if (clean === undefined || corrupted === undefined || rest.length > 0) {
    throw new CommandLineError(
      'Give two prompts in quotes, the clean and the corrupted one; or a task with --task.',
    );
  }
  if (answers.length === 0 || wrongAnswers.length === 0) {
    throw new CommandLineError('Name the answers: --answer " Mary" --wrong " John".');
  }
  return { kind: 'pair', clean, corrupted, answers, wrongAnswers };
}

function readSweep({ line }: Context): SweepTarget {
  const name = textOption(line, 'sweep') ?? 'resid_pre';
  const roles = listOption(line, 'role');
  if ((sweepNames as readonly string[]).includes(name)) {
    return { kind: 'sweep', name: name as SweepName, ...(roles.length > 0 && { roles }) };
  }
  throw new CommandLineError(
    `There is no sweep "${name}". There are:\n${sweepNames.map((known) => `  ${known}`).join('\n')}`,
  );
}

function readMetric({ line }: Context): TaskMetric | undefined {
  const name = textOption(line, 'metric');
  if (name === undefined || (taskMetrics as readonly string[]).includes(name))
    return name as TaskMetric | undefined;
  throw new CommandLineError(`--metric takes ${taskMetrics.join(', ')}, not "${name}".`);
}

function readAblation({ line }: Context): Ablation | undefined {
  const how = textOption(line, 'ablate');
  switch (how) {
    case undefined:
      return undefined;
    case 'zero':
      return { kind: 'zero' };
    case 'resample':
      return { kind: 'resample', reference: 'corrupted', seed: methodDefaults.seed };
    case 'mean':
      return { kind: 'mean', over: 'task', reference: 'corrupted' };
    // The second names are those of experiments.
    case 'position':
    case 'meanByPosition':
      return { kind: 'mean', over: 'position', reference: 'corrupted' };
    case 'template':
    case 'meanByTemplate':
      return { kind: 'mean', over: 'template', reference: 'corrupted' };
    default:
      throw new CommandLineError(`--ablate takes zero, mean, position, template or resample, not "${how}".`);
  }
}

function readReceivers(text: string): PathReceiver[] {
  if (text === 'logits') return [];
  return text.split(',').map((one) => {
    const match = /^([qkv]):(\d+)\.(\d+)$/.exec(one.trim());
    if (!match) throw new CommandLineError(`--paths takes logits, or heads as q:9.9,k:5.5, not "${one}".`);
    return { input: match[1] as PathReceiver['input'], layer: Number(match[2]), head: Number(match[3]) };
  });
}

/** The last two axes as a table for every choice of those before; one axis as a list. */
function gridText(grid: SweepGrid): string {
  const { axes, values, clean, corrupted, metric } = grid;
  const head = `${metric}: clean ${formatSigned(clean)}, corrupted ${formatSigned(corrupted)}`;
  const [columns, rows] = [axes.at(-1)!, axes.length > 1 ? axes.at(-2)! : { name: '', labels: [''] }];
  const size = columns.labels.length * rows.labels.length;
  const outer = axes.slice(0, -2);
  const tables: string[] = [head];
  for (let table = 0; table * size < values.length; table++) {
    if (outer.length > 0) tables.push(outerName(outer, table));
    const right = { align: 'right' } as const;
    const titles = columns.labels.map((label) => ({
      title: columnTitle(grid, columns.name, label),
      ...right,
    }));
    const lines = rows.labels.map((label, row) => [
      label,
      ...columns.labels.map((_, column) =>
        cellText(values[table * size + row * columns.labels.length + column]!),
      ),
    ]);
    tables.push(renderTable([{ title: rows.name, ...right }, ...titles], lines));
  }
  return tables.join('\n\n');
}

function outerName(axes: SweepGrid['axes'], table: number): string {
  let rest = table;
  const names: string[] = [];
  for (const { name, labels } of [...axes].reverse()) {
    names.unshift(`${name} ${labels[rest % labels.length]}`);
    rest = Math.floor(rest / labels.length);
  }
  return names.join(', ');
}

function columnTitle({ tokens }: SweepGrid, axis: string, label: string): string {
  const text = /pos$/.test(axis) ? tokens?.clean[Number(label)] : undefined;
  return text === undefined ? label : `${label} ${quoteToken(text)}`;
}

function cellText(value: number): string {
  return Number.isNaN(value) ? '' : value.toFixed(3);
}

/** The senders with the largest effects. */
function pathText({ axes, values, clean }: SweepGrid): string {
  const order = Array.from(values.keys()).sort((a, b) => Math.abs(values[b]!) - Math.abs(values[a]!));
  const rows = order.slice(0, 20).map((i) => [axes[0]!.labels[i]!, `${formatSigned(100 * values[i]!)} %`]);
  const table = renderTable([{ title: 'sender' }, { title: 'effect', align: 'right' }], rows);
  return `clean ${formatSigned(clean)}; effects as change of it\n\n${table}`;
}
