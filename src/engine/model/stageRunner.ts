/** Runs single stages of a model with hooks and edits: chooses the program, compiles it once, feeds it. */
import { EngineError } from '../../shared/errors.ts';
import { fewRows } from '../graph/fewRows.ts';
import { type CompiledProgram, compile } from '../graph/session.ts';
import { floatValue, intValue, type Value } from '../graph/value.ts';
import type { ModelConfig } from './config.ts';
import type { HookEdit } from './edits.ts';
import { type ModelStages, names } from './families/family.ts';
import { constantInput, type EditForm, editInput } from './hookSites.ts';
import { compareHooks, costlyHooks, hookDims, type RunSizes, type StageHook } from './hooks.ts';
import { stageHooks } from './modelHooks.ts';
import { ProgramCache } from './programCache.ts';
import { fedInput, type PartOutput, type PartVariant, partKey, partProgram } from './stageParts.ts';
import {
  type BackwardVariant,
  backwardProgram,
  type ForwardVariant,
  forwardProgram,
  type Stage,
  savedInput,
  seedInput,
  seedTokens,
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
  /**
   * Attribute directly: what norms divide by is a constant, and the logits' soft cap is left out, so that the stage is
   * linear in what is added to the stream. Default false.
   */
  readonly direct?: boolean;
  /**
   * Hooks at which gradients end, with the values that stand there, `[1, …]`, the same for every row: attention
   * patterns and norms' scales that are frozen. A value may be undefined where no gradient that is asked for needs it.
   */
  readonly constants?: ReadonlyMap<StageHook, Value | undefined>;
  /** Values that hooks had in the run, after its edits: what only they need is not computed again. */
  readonly saved?: ReadonlyMap<StageHook, Value>;
  /** The tokens that the last axis of the seed at the logits is about, when it is not all of them. */
  readonly tokens?: readonly number[];
}

/** A part of one block, from the values of some hooks on. */
export interface BlockPart {
  readonly layer: number;
  /** The residual stream that enters the block, and keys and values before it where attention is computed. */
  readonly feeds: Readonly<Record<string, Value>>;
  /** Values of hooks that take the place of what the block would compute there. */
  readonly fed?: ReadonlyMap<StageHook, Value>;
  readonly outputs: readonly PartOutput[];
}

/** Values that a block puts out under another name anyway, so that they need no program of their own. */
type Aliases = Readonly<Partial<Record<StageHook, string>>>;

function blockAliases({ positions, queryKeyNorm, clipQkv }: ModelConfig): Aliases {
  const isRotary = positions === 'rotary';
  const isPlain = clipQkv === undefined;
  return {
    hook_resid_post: names.nextResidual,
    ...(isRotary && { 'attn.hook_rot_k': names.keys }),
    ...(!isRotary && !queryKeyNorm && isPlain && { 'attn.hook_k': names.keys }),
    ...(isPlain && { 'attn.hook_v': names.values }),
  };
}

export class StageRunner {
  readonly #stages: ModelStages;
  readonly #config: ModelConfig;
  readonly #aliases: Aliases;
  readonly #options: StageRunnerOptions;
  readonly #programs: ProgramCache;

  constructor(stages: ModelStages, config: ModelConfig, options: StageRunnerOptions) {
    this.#stages = stages;
    this.#config = config;
    this.#aliases = blockAliases(config);
    this.#options = options;
    this.#programs = new ProgramCache(options.programs);
  }

  /** Outputs and hooks of one stage, each under its name. */
  async forward(request: ForwardStage): Promise<Readonly<Record<string, Value>>> {
    const { stage, edits, hooks, outputs, feeds } = request;
    const isBlock = typeof stage === 'number';
    const named = this.#outputNames(stage, hooks);
    const fed = isBlock && !edits.has('hook_resid_pre') && named.delete('hook_resid_pre');
    const forms = this.#formEdits(edits, request.sizes);
    const variant = this.#forwardVariant(stage, named, forms.forms);
    const fetches = [...new Set([...outputs, ...named.values()])];
    if (fetches.length === 0) return fed ? { hook_resid_pre: feeds[names.residual]! } : {};
    const results = await this.#use(variant, (program) =>
      program.run({ ...feeds, ...forms.feeds }, { fetches }),
    );
    for (const [hook, name] of named) results[hook] = results[name]!;
    if (fed) results.hook_resid_pre = feeds[names.residual]!;
    return results;
  }

  /** Computes no more of a block than what `outputs` need from the given values on. */
  async part({
    layer,
    feeds,
    fed = new Map(),
    outputs,
  }: BlockPart): Promise<Readonly<Record<string, Value>>> {
    const variant: PartVariant = { layer, fed: [...fed.keys()], outputs };
    const build = () =>
      compile(partProgram(this.#stages, this.#config, variant), {
        threads: this.#options.threads,
        prepacking: false,
        // Every layer has parts of its own: what each would keep of its largest wave adds up to gigabytes.
        arena: false,
      });
    const given: Record<string, Value> = { ...feeds };
    for (const [hook, value] of fed) given[fedInput(hook)] = value;
    return this.#programs.use(partKey(variant), build, (ready) => ready.run(given));
  }

  /** Gradients at `targets` under their names, and at the stage's input as `residualGradient`. */
  async backward(request: BackwardStage): Promise<Readonly<Record<string, Value>>> {
    const {
      stage,
      edits,
      residual,
      sizes,
      seeds,
      targets,
      direct = false,
      constants,
      saved,
      tokens,
    } = request;
    const { forms, feeds } = this.#formEdits(edits, sizes);
    const all = stageHooks(this.#config, stage);
    // One program serves all ordinary targets. The logits' gradient is where others start, and `ln1` has none of its
    // own when heads read by separate paths.
    const isSplit = [...seeds.keys(), ...edits.keys(), ...targets].some((hook) => hook.endsWith('_input'));
    const ordinary = all.filter(
      (hook) =>
        !costlyHooks.has(hook) && hook !== 'unembed.hook_out' && !(isSplit && hook.startsWith('ln1.')),
    );
    // What constants cut off need not be computed, so that only what is asked for has to be there.
    const sharesProgram = targets.length > 0 && !constants;
    const variant: BackwardVariant = {
      stage,
      seeds: [...seeds.keys()].sort(compareHooks),
      targets: [...new Set([...(sharesProgram ? ordinary : []), ...targets])].sort(compareHooks),
      edits: forms,
      direct,
      ...(constants && { constants: [...constants.keys()].sort(compareHooks) }),
      ...(saved && { saved: [...saved.keys()].sort(compareHooks) }),
      ...(tokens && { tokens: true }),
      ...(sizes.batch * sizes.positions <= fewRows && { fewRows: true }),
    };
    const seedFeeds: Record<string, Value> = {};
    for (const [hook, seed] of seeds) seedFeeds[seedInput(hook)] = seed;
    for (const [hook, value] of constants ?? []) if (value) seedFeeds[constantInput(hook)] = value;
    for (const [hook, value] of saved ?? []) seedFeeds[savedInput(hook)] = value;
    if (tokens) seedFeeds[seedTokens] = intValue(tokens);
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
          ? backwardProgram(this.#stages, this.#config, variant)
          : forwardProgram(this.#stages, this.#config, variant),
        {
          threads: this.#options.threads,
          // Weights laid out anew make the live path fast but are a copy for every program; the others read the file's.
          prepacking: !isBackward && variant.edits.length === 0,
          // What each block would keep for its next run adds up to an eighth of the weights, at little gain.
          arena: typeof variant.stage !== 'number',
        },
      );
    return this.#programs.use(variantKey(variant), build, run);
  }

  #formEdits(edits: StageEdits, sizes: RunSizes): { forms: EditForm[]; feeds: Record<string, Value> } {
    const forms: EditForm[] = [];
    const feeds: Record<string, Value> = {};
    for (const [hook, edit] of edits) {
      const dims = hookDims(hook, this.#config, sizes);
      const [keep, add] = [editValue(edit, 'keep', dims), editValue(edit, 'add', dims)];
      feeds[editInput(hook, 'keep')] = keep;
      feeds[editInput(hook, 'add')] = add;
      forms.push({ hook, keep: formOf(keep), add: formOf(add) });
    }
    return { forms: forms.sort((a, b) => compareHooks(a.hook, b.hook)), feeds };
  }

  /** Hooks of a stage in the order in which the model computes them. */
  inOrder(stage: Stage, hooks: Iterable<StageHook>): StageHook[] {
    const order = stageHooks(this.#config, stage);
    return [...new Set(hooks)].sort((a, b) => order.indexOf(a) - order.indexOf(b));
  }

  /** The output that carries each hook. */
  #outputNames(stage: Stage, hooks: readonly StageHook[]): Map<StageHook, string> {
    const isBlock = typeof stage === 'number';
    return new Map(hooks.map((hook) => [hook, isBlock ? (this.#aliases[hook] ?? hook) : hook]));
  }

  #forwardVariant(
    stage: Stage,
    named: ReadonlyMap<StageHook, string>,
    edits: readonly EditForm[],
  ): ForwardVariant {
    const own = [...named].filter(([hook, name]) => hook === name).map(([hook]) => hook);
    return { stage, reads: this.#readSet(stage, own), edits, past: typeof stage === 'number' };
  }

  /** All ordinary hooks of the stage when one of them is wanted: they are computed anyway, and one program serves all. */
  #readSet(stage: Stage, wanted: readonly StageHook[]): readonly StageHook[] {
    const all = stageHooks(this.#config, stage);
    // Hooks of an RMSNorm cost nothing (measured), so that one program with its weights serves runs with and without.
    const isFree = typeof stage === 'number' && this.#config.norm.kind === 'rms';
    if (wanted.length === 0 && !isFree) return [];
    if (stage === 'embed') return all;
    if (stage === 'final') {
      const onlyLogits = wanted.every((hook) => hook === 'unembed.hook_out');
      return onlyLogits ? wanted : all;
    }
    return all.filter((hook) => (costlyHooks.has(hook) ? wanted.includes(hook) : !this.#aliases[hook]));
  }
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
