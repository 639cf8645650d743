/** Runs single stages of a model with hooks and edits: chooses the program, compiles it once, feeds it. */
import { EngineError } from '../../shared/errors.ts';
import { type CompiledProgram, compile } from '../graph/session.ts';
import { floatValue, type Value } from '../graph/value.ts';
import type { HookEdit } from './edits.ts';
import { type ModelStages, names } from './families/family.ts';
import { type EditForm, editInput } from './hookSites.ts';
import {
  blockHookAxes,
  compareHooks,
  costlyHooks,
  embedHookAxes,
  finalHookAxes,
  hookDims,
  type RunSizes,
  type StageHook,
  type WidthSizes,
} from './hooks.ts';
import { ProgramCache } from './programCache.ts';
import {
  type BackwardVariant,
  backwardProgram,
  type ForwardVariant,
  forwardProgram,
  type Stage,
  seedInput,
  variantKey,
} from './stageProgram.ts';

export interface StageRunnerOptions {
  /** Threads inside one operation; the number of physical cores when left out. */
  readonly threads?: number;
  /** Programs that stay compiled. */
  readonly programs: number;
}

/** Composed edits of one stage, at most one per hook. */
export type StageEdits = ReadonlyMap<StageHook, HookEdit>;

export interface ForwardStage {
  readonly stage: Stage;
  readonly sizes: RunSizes;
  readonly feeds: Readonly<Record<string, Value>>;
  readonly edits: StageEdits;
  readonly hooks: readonly StageHook[];
  /** Outputs wanted beside the hooks, by the names in `names`. */
  readonly outputs: readonly string[];
}

export interface BackwardStage {
  readonly stage: Exclude<Stage, 'embed'>;
  readonly sizes: RunSizes;
  /** What entered the stage: `[batch, position, d_model]`. */
  readonly residual: Value;
  readonly edits: StageEdits;
  /** Gradients of the scalar at hooks of this stage, in the hooks' shapes. */
  readonly seeds: ReadonlyMap<StageHook, Value>;
  readonly targets: readonly StageHook[];
}

/** Values that a block puts out under another name anyway, so that they need no program of their own. */
const aliases: Readonly<Partial<Record<StageHook, string>>> = {
  hook_resid_post: names.nextResidual,
  'attn.hook_k': names.keys,
  'attn.hook_v': names.values,
};

export class StageRunner {
  readonly #stages: ModelStages;
  readonly #widths: WidthSizes;
  readonly #options: StageRunnerOptions;
  readonly #programs: ProgramCache;

  constructor(stages: ModelStages, widths: WidthSizes, options: StageRunnerOptions) {
    this.#stages = stages;
    this.#widths = widths;
    this.#options = options;
    this.#programs = new ProgramCache(options.programs);
  }

  /** Outputs and hooks of one stage, each under its name. */
  async forward(request: ForwardStage): Promise<Readonly<Record<string, Value>>> {
    const { stage, edits, hooks, outputs, feeds } = request;
    const isBlock = typeof stage === 'number';
    const named = outputNames(stage, hooks);
    const fed = isBlock && !edits.has('hook_resid_pre') && named.delete('hook_resid_pre');
    const forms = this.#formEdits(edits, request.sizes);
    const variant = forwardVariant(stage, named, forms.forms);
    const fetches = [...new Set([...outputs, ...named.values()])];
    if (fetches.length === 0) return fed ? { hook_resid_pre: feeds[names.residual]! } : {};
    const results = await this.#use(variant, (program) =>
      program.run({ ...feeds, ...forms.feeds }, { fetches }),
    );
    for (const [hook, name] of named) results[hook] = results[name]!;
    if (fed) results.hook_resid_pre = feeds[names.residual]!;
    return results;
  }

  /** Gradients at `targets` under their names, and at the stage's input as `residualGradient`. */
  async backward(request: BackwardStage): Promise<Readonly<Record<string, Value>>> {
    const { stage, edits, residual, sizes, seeds, targets } = request;
    const { forms, feeds } = this.#formEdits(edits, sizes);
    const all = Object.keys(stage === 'final' ? finalHookAxes : blockHookAxes) as StageHook[];
    // One program serves all ordinary targets. The logits' gradient is where others start, and `ln1` has none of its
    // own when heads read by separate paths.
    const isSplit = [...seeds.keys(), ...edits.keys(), ...targets].some((hook) => hook.endsWith('_input'));
    const ordinary = all.filter(
      (hook) =>
        !costlyHooks.has(hook) && hook !== 'unembed.hook_out' && !(isSplit && hook.startsWith('ln1.')),
    );
    const variant: BackwardVariant = {
      stage,
      seeds: [...seeds.keys()].sort(compareHooks),
      targets: targets.length === 0 ? [] : [...new Set([...ordinary, ...targets])].sort(compareHooks),
      edits: forms,
    };
    const seedFeeds: Record<string, Value> = {};
    for (const [hook, seed] of seeds) seedFeeds[seedInput(hook)] = seed;
    const fetches = [names.residualGradient, ...targets];
    return this.#use(variant, (program) =>
      program.run({ [names.residual]: residual, ...feeds, ...seedFeeds }, { fetches }),
    );
  }

  release(): Promise<void> {
    return this.#programs.release();
  }

  #use<T>(
    variant: ForwardVariant | BackwardVariant,
    run: (program: CompiledProgram) => Promise<T>,
  ): Promise<T> {
    const isBackward = 'seeds' in variant;
    const build = () =>
      compile(
        isBackward
          ? backwardProgram(this.#stages, this.#widths, variant)
          : forwardProgram(this.#stages, this.#widths, variant),
        // Weights laid out anew make the live path fast but are a copy for every program; the others read the file's.
        { threads: this.#options.threads, prepacking: !isBackward && variant.edits.length === 0 },
      );
    return this.#programs.use(variantKey(variant), build, run);
  }

  #formEdits(edits: StageEdits, sizes: RunSizes): { forms: EditForm[]; feeds: Record<string, Value> } {
    const forms: EditForm[] = [];
    const feeds: Record<string, Value> = {};
    for (const [hook, edit] of edits) {
      const dims = hookDims(hook, this.#widths, sizes);
      const [keep, add] = [editValue(edit, 'keep', dims), editValue(edit, 'add', dims)];
      feeds[editInput(hook, 'keep')] = keep;
      feeds[editInput(hook, 'add')] = add;
      forms.push({ hook, keep: formOf(keep), add: formOf(add) });
    }
    return { forms: forms.sort((a, b) => compareHooks(a.hook, b.hook)), feeds };
  }
}

/** The output that carries each hook. */
function outputNames(stage: Stage, hooks: readonly StageHook[]): Map<StageHook, string> {
  const isBlock = typeof stage === 'number';
  return new Map(hooks.map((hook) => [hook, isBlock ? (aliases[hook] ?? hook) : hook]));
}

function forwardVariant(
  stage: Stage,
  named: ReadonlyMap<StageHook, string>,
  edits: readonly EditForm[],
): ForwardVariant {
  const own = [...named].filter(([hook, name]) => hook === name).map(([hook]) => hook);
  return { stage, reads: readSet(stage, own), edits, past: typeof stage === 'number' };
}

/** All ordinary hooks of the stage when one of them is wanted: they are computed anyway, and one program serves all. */
function readSet(stage: Stage, wanted: readonly StageHook[]): readonly StageHook[] {
  if (wanted.length === 0) return [];
  if (stage === 'embed') return Object.keys(embedHookAxes) as StageHook[];
  if (stage === 'final') {
    const onlyLogits = wanted.every((hook) => hook === 'unembed.hook_out');
    return onlyLogits ? wanted : (Object.keys(finalHookAxes) as StageHook[]);
  }
  const all = Object.keys(blockHookAxes) as StageHook[];
  return all.filter((hook) => (costlyHooks.has(hook) ? wanted.includes(hook) : !aliases[hook]));
}

/** @throws request.invalid when the edit does not broadcast to the hook's dimensions. */
function editValue(edit: HookEdit, part: 'keep' | 'add', dims: readonly number[]): Value {
  const value = edit[part];
  if (typeof value === 'number')
    return floatValue(
      [value],
      dims.map(() => 1),
    );
  const fits =
    value.dtype === 'float32' &&
    value.dims.length === dims.length &&
    value.dims.every((dim, axis) => dim === 1 || dim === dims[axis]);
  if (fits) return value;
  const reason = `its ${part} has dimensions [${value.dims.join(', ')}], the hook has [${dims.join(', ')}]`;
  throw new EngineError('request.invalid', { what: `The edit at ${edit.hook}`, reason });
}

function formOf({ dims }: Value): string {
  return dims.map((dim) => (dim === 1 ? '1' : 'n')).join('');
}
