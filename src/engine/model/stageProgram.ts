/** Builds the programs of a model's stages: forward with hooks and edits, and backward from seeds to gradients. */
import { gradients } from '../graph/backward.ts';
import { forFewRows } from '../graph/fewRows.ts';
import { add } from '../graph/ops/elementwise.ts';
import { type Program, program } from '../graph/program.ts';
import { input } from '../graph/sources.ts';
import { substitute } from '../graph/substitute.ts';
import type { Tensor } from '../graph/tensor.ts';
import { type ModelStages, names } from './families/family.ts';
import { type EditForm, HookSites } from './hookSites.ts';
import { compareHooks, type StageHook, type WidthSizes } from './hooks.ts';

/** A stage of the model: the embedding, a block by its number, or the final norm with the unembedding. */
export type Stage = 'embed' | 'final' | number;

/** What a forward program is built for. `past` says whether a block attends to reused positions as well. */
export interface ForwardVariant {
  readonly stage: Stage;
  readonly reads: readonly StageHook[];
  readonly edits: readonly EditForm[];
  readonly past: boolean;
}

/** What a backward program is built for: from gradients at `seeds` to gradients at `targets` and at the stage's input. */
export interface BackwardVariant {
  readonly stage: Exclude<Stage, 'embed'>;
  readonly seeds: readonly StageHook[];
  readonly targets: readonly StageHook[];
  readonly edits: readonly EditForm[];
  /** What norms divide by is a constant, and the logits' soft cap is left out. */
  readonly direct: boolean;
  /** Hooks whose values are given, each under `constantInput(hook)`: gradients end there. */
  readonly constants?: readonly StageHook[];
  /** Hooks whose values are given, each under `savedInput(hook)`, so that they are not computed again; gradients pass. */
  readonly saved?: readonly StageHook[];
  /** The seed of the logits holds those of some tokens only, which are given under `seedTokens`. */
  readonly tokens?: boolean;
  /** All prompts together have few positions; see `forFewRows`. */
  readonly fewRows?: boolean;
}

/** Name of the input with the tokens `[token]` that the seed of the logits is about. */
export const seedTokens = 'seedTokens';

/** Name of the input that carries the gradient at a hook. */
export const seedInput = (hook: StageHook): string => `${hook}:seed`;

/** Name of the input that carries a hook's value of the run. */
export const savedInput = (hook: StageHook): string => `${hook}:saved`;

/** Equal for variants that need the same program. */
export function variantKey(variant: ForwardVariant | BackwardVariant): string {
  const edits = [...variant.edits]
    .sort((a, b) => compareHooks(a.hook, b.hook))
    .map(({ hook, keep, add: plus }) => `${hook}*${keep}+${plus}`);
  const sorted = (hooks: readonly StageHook[]) => [...new Set(hooks)].sort(compareHooks).join();
  const work =
    'seeds' in variant
      ? `backward${variant.direct ? ' direct' : ''} ${sorted(variant.seeds)} to ${sorted(variant.targets)} given ${sorted(variant.constants ?? [])} saved ${sorted(variant.saved ?? [])}${variant.tokens ? ' tokens' : ''}${variant.fewRows ? ' few' : ''}`
      : `forward${variant.past ? ' past' : ''} ${sorted(variant.reads)}`;
  return `${variant.stage} ${work} ${edits.join()}`;
}

/**
 * The forward program of a stage. Inputs and outputs are called as in `names`; hooks' values by the hook's name.
 * The final stage puts out its logits as `unembed.hook_out` and hands on nothing.
 */
export function forwardProgram(stages: ModelStages, widths: WidthSizes, variant: ForwardVariant): Program {
  const { stage, past } = variant;
  const isBlock = typeof stage === 'number';
  const demands = { reads: new Set(variant.reads), edits: variant.edits, gradients: new Set<StageHook>() };
  const sites = new HookSites(demands, widths, isBlock && past ? 'past+position' : 'position');
  const outputs = stageOutputs(stages, widths, stage, sites, past);
  for (const hook of demands.reads) outputs[hook] = hookTensor(sites, hook);
  return program(outputs);
}

/**
 * The backward program of a stage. It recomputes the stage from its input `residual`; every seed is fed under
 * `seedInput(hook)`. Gradients come out under the targets' names, the one of the stage's input as `residualGradient`.
 */
export function backwardProgram(stages: ModelStages, widths: WidthSizes, variant: BackwardVariant): Program {
  const reached = new Set([...variant.seeds, ...variant.targets]);
  const sites = new HookSites(
    {
      reads: new Set(),
      edits: variant.edits,
      gradients: reached,
      frozenNorms: variant.direct,
      constants: new Set(variant.constants),
    },
    widths,
    'position',
  );
  const residual = residualInput(widths);
  const fed = (hook: StageHook) => {
    const shape = sites.shape(hook);
    const ofTokens = variant.tokens && hook === 'unembed.hook_out';
    return input(seedInput(hook), 'float32', ofTokens ? [...shape.slice(0, -1), 'token'] : shape);
  };
  let seeds: { tensor: Tensor; gradient: Tensor }[];
  if (variant.stage === 'final') {
    seeds = finalSeeds(stages, sites, residual, variant, fed);
  } else {
    stages.block(variant.stage, sites, residual);
    seeds = variant.seeds.map((hook) => ({ tensor: hookTensor(sites, hook), gradient: fed(hook) }));
  }
  const targets = variant.targets.map((hook) => hookTensor(sites, hook));
  const results = gradients(seeds, [...targets, residual]);
  const outputs: Record<string, Tensor> = { [names.residualGradient]: results.at(-1)! };
  variant.targets.forEach((hook, i) => {
    outputs[hook] = results[i]!;
  });
  const saved = (variant.saved ?? []).flatMap((hook) => {
    const tensor = sites.tensors.get(hook);
    return tensor ? [[tensor, input(savedInput(hook), 'float32', tensor.shape)] as const] : [];
  });
  const wanted = substitute(outputs, saved);
  return program(variant.fewRows ? forFewRows(wanted) : wanted);
}

function stageOutputs(
  stages: ModelStages,
  widths: WidthSizes,
  stage: Stage,
  sites: HookSites,
  past: boolean,
): Record<string, Tensor> {
  if (stage === 'embed') return { [names.nextResidual]: stages.embed(sites) };
  const residual = residualInput(widths);
  if (stage === 'final') {
    sites.at('unembed.hook_out', stages.unembed(stages.finalNorm(sites, residual)));
    return {};
  }
  const { nHeads, nKeyValueHeads = nHeads, dHead } = widths;
  const pastInput = (name: string) => input(name, 'float32', ['batch', 'past', nKeyValueHeads, dHead]);
  const earlier = past ? { keys: pastInput(names.pastKeys), values: pastInput(names.pastValues) } : undefined;
  const { residual: next, keys, values, headWrites } = stages.block(stage, sites, residual, earlier);
  return {
    [names.nextResidual]: next,
    [names.keys]: keys,
    [names.values]: values,
    ...(headWrites && { [names.headWrites]: headWrites }),
  };
}

/** Seeds of the final stage; the logits' is led through the unembedding by hand, which keeps its weight uncopied. */
function finalSeeds(
  stages: ModelStages,
  sites: HookSites,
  residual: Tensor,
  { seeds, direct, tokens: ofTokens }: BackwardVariant,
  fed: (hook: StageHook) => Tensor,
): { tensor: Tensor; gradient: Tensor }[] {
  const normalized = stages.finalNorm(sites, residual);
  const merged = new Map<StageHook, Tensor>();
  const tokens = ofTokens ? input(seedTokens, 'int32', ['token']) : undefined;
  const throughUnembedding = (gradient: Tensor) =>
    direct
      ? stages.projectTransposed(gradient, tokens)
      : stages.unembedGradient(gradient, normalized, tokens);
  for (const hook of seeds) {
    const isLogits = hook === 'unembed.hook_out';
    const gradient = isLogits ? throughUnembedding(fed(hook)) : fed(hook);
    const at: StageHook = isLogits ? 'unembed.hook_in' : hook;
    const before = merged.get(at);
    merged.set(at, before ? add(before, gradient) : gradient);
  }
  return [...merged].map(([hook, gradient]) => ({
    tensor: hook === 'unembed.hook_in' ? normalized : hookTensor(sites, hook),
    gradient,
  }));
}

function residualInput({ dModel }: WidthSizes): Tensor {
  return input(names.residual, 'float32', ['batch', 'position', dModel]);
}

function hookTensor(sites: HookSites, hook: StageHook): Tensor {
  const tensor = sites.tensors.get(hook);
  if (!tensor) throw new Error(`The program does not compute ${hook}.`);
  return tensor;
}
