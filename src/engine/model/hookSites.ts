/** The hooks of one stage while its program is being built: applies edits where they act, and remembers every hook's tensor. */
import { add, mul } from '../graph/ops/elementwise.ts';
import { input } from '../graph/sources.ts';
import type { Dim, Shape, Tensor } from '../graph/tensor.ts';
import { type HookAxis, hookAxes, type StageHook, type WidthSizes } from './hooks.ts';

/**
 * The shape of an edit as a program is built for it: for every axis of the hook `1` (the same everywhere) or `n`
 * (one number for each). Programs are built per form, so that a head's ablation feeds a few numbers.
 */
export interface EditForm {
  readonly hook: StageHook;
  readonly keep: string;
  readonly add: string;
}

/** What a program is built for. */
export interface StageDemands {
  /** Hooks whose values are fetched. */
  readonly reads: ReadonlySet<StageHook>;
  readonly edits: readonly EditForm[];
  /** Hooks that gradients start from or arrive at. */
  readonly gradients: ReadonlySet<StageHook>;
  /** Gradients take what norms divide by for a constant. */
  readonly frozenNorms?: boolean;
  /** Hooks whose values are given, one row for the whole batch, instead of computed: gradients end there. */
  readonly constants?: ReadonlySet<StageHook>;
}

/** Name of the input that carries a hook's given value. */
export const constantInput = (hook: StageHook): string => `${hook}:constant`;

/** Names of the inputs that carry an edit. */
export const editInput = (hook: StageHook, part: 'keep' | 'add'): string => `${hook}:${part}`;

export class HookSites {
  /** Every hook's tensor after its edit; hooks that the program does not compute are absent. */
  readonly tensors = new Map<StageHook, Tensor>();
  readonly #demands: StageDemands;
  readonly #widths: WidthSizes;
  readonly #keys: Dim;

  /** `keys` names the axis of attended positions. */
  constructor(demands: StageDemands, widths: WidthSizes, keys: Dim) {
    this.#demands = demands;
    this.#widths = widths;
    this.#keys = keys;
  }

  /** Declares that `x` is the value of `hook`; what comes back is the value to go on with. */
  at(hook: StageHook, x: Tensor): Tensor {
    const form = this.#demands.edits.find((edit) => edit.hook === hook);
    if (this.#demands.constants?.has(hook)) return this.#constant(hook);
    const value = form ? add(mul(x, this.#editTensor(form, 'keep')), this.#editTensor(form, 'add')) : x;
    this.tensors.set(hook, value);
    return value;
  }

  /** True when gradients take what norms divide by for a constant, as direct attribution does. */
  get freezesNorms(): boolean {
    return this.#demands.frozenNorms === true;
  }

  /** True when somebody reads, changes or differentiates one of `hooks`. */
  wants(...hooks: readonly StageHook[]): boolean {
    return hooks.some((hook) => this.#demands.reads.has(hook)) || this.reaches(...hooks);
  }

  /** True when one of `hooks` is changed, given or differentiated, so that the computation has to pass through it. */
  reaches(...hooks: readonly StageHook[]): boolean {
    const { gradients, edits, constants } = this.#demands;
    return hooks.some(
      (hook) => gradients.has(hook) || constants?.has(hook) || edits.some((edit) => edit.hook === hook),
    );
  }

  #constant(hook: StageHook): Tensor {
    const value = input(constantInput(hook), 'float32', [1, ...this.shape(hook).slice(1)]);
    this.tensors.set(hook, value);
    return value;
  }

  #editTensor(form: EditForm, part: 'keep' | 'add'): Tensor {
    const full = this.shape(form.hook);
    const shape = full.map((dim, axis): Dim => (form[part][axis] === 'n' ? dim : 1));
    return input(editInput(form.hook, part), 'float32', shape);
  }

  /** The shape of a hook's value, run-time sizes by name. */
  shape(hook: StageHook): Shape {
    const { nHeads, nKeyValueHeads = nHeads, dModel, dHead, dMlp, dVocab } = this.#widths;
    const dims: Readonly<Record<HookAxis, Dim>> = {
      batch: 'batch',
      position: 'position',
      key: this.#keys,
      head: nHeads,
      keyValueHead: nKeyValueHeads,
      dModel,
      dHead,
      dMlp,
      dVocab,
      one: 1,
    };
    return hookAxes(hook).map((axis) => dims[axis]);
  }
}
