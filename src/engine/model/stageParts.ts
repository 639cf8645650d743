/**
 * Parts of a block: programs that start from the values of some hooks and compute no more than what is asked for. Methods
 * that change one place restart right there, and what lies before it is not computed again.
 */
import { type Program, program } from '../graph/program.ts';
import { input } from '../graph/sources.ts';
import type { Tensor } from '../graph/tensor.ts';
import { type ModelStages, names } from './families/family.ts';
import { HookSites } from './hookSites.ts';
import { compareHooks, type StageHook, type WidthSizes } from './hooks.ts';

/** What a part can put out beside hooks; see `names`. */
export type PartOutput = StageHook | 'nextResidual' | 'keys' | 'values';

/** What a program of a part is built for. */
export interface PartVariant {
  readonly layer: number;
  /** Hooks whose values are fed instead of computed. */
  readonly fed: readonly StageHook[];
  readonly outputs: readonly PartOutput[];
}

/** Name of the input that carries a hook's value. */
export const fedInput = (hook: StageHook): string => `${hook}:value`;

/** Equal for variants that need the same program. */
export function partKey({ layer, fed, outputs }: PartVariant): string {
  return `${layer} part ${[...fed].sort(compareHooks).join()} to ${[...outputs].sort().join()}`;
}

/** Hook sites some of which are given their values from outside; what would compute these drops out of the program. */
class FedSites extends HookSites {
  readonly #fed: ReadonlySet<StageHook>;

  constructor(fed: ReadonlySet<StageHook>, reads: ReadonlySet<StageHook>, widths: WidthSizes) {
    // A hook that is fed has to be passed through, as if it were changed.
    super({ reads, edits: [], gradients: fed }, widths, 'past+position');
    this.#fed = fed;
  }

  override at(hook: StageHook, x: Tensor): Tensor {
    if (!this.#fed.has(hook)) return super.at(hook, x);
    const value = input(fedInput(hook), 'float32', this.shape(hook));
    this.tensors.set(hook, value);
    return value;
  }
}

/** The program of a part. Inputs that nothing needs are not among its inputs. */
export function partProgram(
  stages: ModelStages,
  widths: WidthSizes,
  { layer, fed, outputs }: PartVariant,
): Program {
  const reads = outputs.filter((name): name is StageHook => !isStream(name));
  const sites = new FedSites(new Set(fed), new Set(reads), widths);
  const { nHeads, nKeyValueHeads = nHeads, dHead, dModel } = widths;
  const past = (name: string) => input(name, 'float32', ['batch', 'past', nKeyValueHeads, dHead]);
  const residual = input(names.residual, 'float32', ['batch', 'position', dModel]);
  const earlier = { keys: past(names.pastKeys), values: past(names.pastValues) };
  const result = stages.block(layer, sites, residual, earlier);
  const streams = { nextResidual: result.residual, keys: result.keys, values: result.values };
  const wanted = outputs.map((name): [string, Tensor] => {
    const tensor = isStream(name) ? streams[name] : sites.tensors.get(name);
    if (!tensor) throw new Error(`The program does not compute ${name}.`);
    return [name, tensor];
  });
  return program(Object.fromEntries(wanted));
}

function isStream(name: PartOutput): name is 'nextResidual' | 'keys' | 'values' {
  return name === names.nextResidual || name === names.keys || name === names.values;
}
