/** Each method of an experiment as a line of a TransformerLens script, and the functions that the line needs. */

import type { ModelInfo, SaeInfo } from '../domain.ts';
import { EngineError } from '../errors.ts';
import type { SweepName } from '../patchingApi.ts';
import type { TaskMetric } from '../task.ts';
import type { AblationChoice, ExperimentMethod, MethodKind, MethodOf, SweepChoice } from './experiment.ts';
import type { PairText } from './pairTexts.ts';
import { type PythonValue, pythonLiteral } from './pythonText.ts';
import { readReceiver, readSender } from './runSweeps.ts';
import type { ScriptPart } from './transformerLensParts.ts';

/** What the methods are run on. */
export interface ScriptContext {
  readonly model: ModelInfo;
  readonly metric: TaskMetric;
  readonly pairs: readonly PairText[];
  /** The SAEs and features of the methods that have them. */
  readonly features: ReadonlyMap<ExperimentMethod, ScriptFeatures>;
  /** Where the tuned lenses of the methods lie that name one. */
  readonly lenses: ReadonlyMap<ExperimentMethod, string>;
}

/** Which features a script changes. */
export interface ScriptFeatures {
  readonly sae: SaeInfo;
  /** By number: a script does not look for the strongest. */
  readonly features: readonly number[];
}

/** A Python expression, and the parts of a script that it calls. */
export interface MethodScript {
  readonly code: string;
  readonly parts: readonly ScriptPart[];
}

/** Hooks and axes of sweeps; the layer is the first axis of all. */
const places: Readonly<Record<SweepName, readonly [hooks: readonly string[], axes: readonly string[]]>> = {
  resid_pre: [['hook_resid_pre'], ['pos']],
  resid_mid: [['hook_resid_mid'], ['pos']],
  resid_post: [['hook_resid_post'], ['pos']],
  attn_out: [['hook_attn_out'], ['pos']],
  mlp_out: [['hook_mlp_out'], ['pos']],
  attn_out_all_pos: [['hook_attn_out'], []],
  mlp_out_all_pos: [['hook_mlp_out'], []],
  attn_head_out_by_pos: [['attn.hook_z'], ['pos', 'head']],
  attn_head_q_by_pos: [['attn.hook_q'], ['pos', 'head']],
  attn_head_k_by_pos: [['attn.hook_k'], ['pos', 'head']],
  attn_head_v_by_pos: [['attn.hook_v'], ['pos', 'head']],
  attn_head_pattern_by_pos: [['attn.hook_pattern'], ['head', 'dest_pos']],
  attn_head_pattern_dest_src_pos: [['attn.hook_pattern'], ['head', 'dest_pos', 'src_pos']],
  attn_head_out_all_pos: [['attn.hook_z'], ['head']],
  attn_head_q_all_pos: [['attn.hook_q'], ['head']],
  attn_head_k_all_pos: [['attn.hook_k'], ['head']],
  attn_head_v_all_pos: [['attn.hook_v'], ['head']],
  attn_head_pattern_all_pos: [['attn.hook_pattern'], ['head']],
  attn_head_all_pos_every: [
    ['attn.hook_z', 'attn.hook_q', 'attn.hook_k', 'attn.hook_v', 'attn.hook_pattern'],
    ['head'],
  ],
  attn_head_by_pos_every: [
    ['attn.hook_z', 'attn.hook_q', 'attn.hook_k', 'attn.hook_v', 'attn.hook_pattern'],
    ['pos', 'head'],
  ],
  block_every: [['hook_resid_pre', 'hook_attn_out', 'hook_mlp_out'], ['pos']],
};

/** Sweeps that TransformerLens has no function for. */
const unnamed: ReadonlySet<SweepName> = new Set(['resid_post', 'attn_out_all_pos', 'mlp_out_all_pos']);

/** @throws request.invalid when TransformerLens has no equivalent. */
export function methodScript(method: ExperimentMethod, context: ScriptContext): MethodScript {
  switch (method.kind) {
    case 'patch':
      return patchScript(method);
    case 'ablate':
      return ablateScript(method);
    case 'patchFeatures':
    case 'ablateFeatures':
      return featuresScript(method, context);
    case 'patchPaths':
      return pathScript(method, context);
    case 'directLogitAttribution':
      requireDifference(method.kind, context);
      return { code: entry(method.kind, 'direct_logit_attribution()'), parts: ['directLogitAttribution'] };
    case 'logitLens': {
      if (context.pairs.length !== 1) throw refuse('the logit lens of a task', 'give one pair');
      const tuned = literal(context.lenses.get(method) ?? null);
      return { code: entry(method.kind, `logit_lens(${method.top ?? 3}, ${tuned})`), parts: ['logitLens'] };
    }
    case 'attributeEdges':
      return edgeScript(method, context);
    default:
      throw withoutEquivalent(method.kind);
  }
}

/** @throws request.invalid when a method is of a kind that no script has, whatever its fields say */
export function requireScripts(methods: readonly ExperimentMethod[]): void {
  for (const { kind } of methods) if (isRefused(kind)) throw withoutEquivalent(kind);
}

function isRefused(kind: MethodKind): kind is Refused {
  return Object.hasOwn(refused, kind);
}

type Refused =
  | 'acdc'
  | 'gradientCircuit'
  | 'sparseFeatureCircuit'
  | 'attributionGraph'
  | 'indirectObjectStudy'
  | 'shift';

/** What each of these is called, and what comes near to it. */
const refused: Readonly<Record<Refused, readonly [saying: string, advice: string]>> = {
  acdc: ['ACDC', 'the library auto-circuit runs it on TransformerLens models'],
  gradientCircuit: ['circuits by gradients', '"attributeEdges" has a script'],
  sparseFeatureCircuit: ['sparse feature circuits', '"ablateFeatures" checks single features in a script'],
  attributionGraph: ['attribution graphs', 'the library circuit-tracer finds them'],
  indirectObjectStudy: ['the study of indirect objects', 'its steps "patchPaths" and "ablate" have scripts'],
  shift: ['SHIFT', '"ablateFeatures" checks single features in a script'],
};

function withoutEquivalent(kind: Refused): EngineError {
  const [saying, advice] = refused[kind];
  return refuse(
    `${saying} (${kind})`,
    `TransformerLens has nothing like it, and it would be a program of its own. Take this method out; ${advice}`,
  );
}

function patchScript(method: MethodOf<'patch'>): MethodScript {
  const { sweep, direction = 'denoising', layers, roles } = method;
  const chosen = `layers=${literal(layers ?? null)}, direction=${literal(direction)}`;
  if (unnamed.has(sweep) || roles) {
    const [hooks, axes] = places[sweep];
    const call = `patch_sweep(${literal(hooks)}, ${literal(axes)}, roles=${literal(roles ?? null)}, ${chosen})`;
    return { code: entry(method.kind, call, sweep), parts: ['sweepByHook', 'patchBase', 'patchByHook'] };
  }
  const call = `patch(patching.get_act_patch_${sweep}, layer_axis=${sweep.endsWith('_every') ? 1 : 0}, ${chosen})`;
  return { code: entry(method.kind, call, sweep), parts: ['sweepByName'] };
}

function ablateScript(method: MethodOf<'ablate'>): MethodScript {
  const { sweep, layers, roles }: SweepChoice = method;
  const [hooks, axes] = places[sweep];
  const chosen = `layers=${literal(layers ?? null)}, roles=${literal(roles ?? null)}`;
  const call = `ablate_sweep(${literal(hooks)}, ${literal(axes)}, ${chosen}, ${standIn(method)})`;
  return { code: entry(method.kind, call, sweep), parts: ['sweepByHook', 'ablateBase', 'ablateByHook'] };
}

function standIn({ value, reference = 'corrupted' }: AblationChoice): string {
  return `value=${literal(value)}, reference=${literal(reference)}`;
}

function featuresScript(
  method: MethodOf<'patchFeatures' | 'ablateFeatures'>,
  context: ScriptContext,
): MethodScript {
  const { sae, features } = context.features.get(method)!;
  requirePlain(sae);
  const parts = method.error ? [...features, 'error'] : features;
  const chosen = `${literal(sae.hook)}, ${literal(sae.path)}, ${literal(parts)}, by=${literal(method.by ?? 'all')}`;
  if (method.kind === 'ablateFeatures') {
    const call = `ablate_features(${chosen}, ${standIn(method)})`;
    return { code: entry(method.kind, call), parts: ['features', 'ablateBase', 'ablateFeatures'] };
  }
  const call = `patch_features(${chosen}, direction=${literal(method.direction ?? 'denoising')})`;
  return { code: entry(method.kind, call), parts: ['features', 'patchBase', 'patchFeatures'] };
}

/** The script reads SAELens's own files, as they say. */
function requirePlain({ name, id, path, format, architecture, convention }: SaeInfo): void {
  const isKnown = format === 'SAELens' && ['standard', 'topk', 'jumprelu'].includes(architecture);
  if (isKnown && id === path && convention === undefined) return;
  throw refuse(
    `the SAE ${name}`,
    'it reads folders of SAELens with the architecture standard, topk or jumprelu; “Fovea: Export SAE…” writes one',
  );
}

function pathScript(method: MethodOf<'patchPaths'>, { model }: ScriptContext): MethodScript {
  const { receivers = [], positions, freezeMlps = false } = method;
  const senders = sendersOf(method, model).map(({ layer, head }) => [layer, head ?? null]);
  const targets = receivers.map(readReceiver).map(({ layer, head, input }) => [layer, head, input]);
  const at = positions ?? (receivers.length === 0 ? [-1] : null);
  const call = `patch_paths(${literal(senders)}, ${literal(targets)}, positions=${literal(at)}, freeze_mlps=${literal(freezeMlps)})`;
  return { code: entry(method.kind, call), parts: ['patchPaths'] };
}

function sendersOf({ senders, mlps }: MethodOf<'patchPaths'>, { nLayers, nHeads }: ModelInfo) {
  if (senders) return senders.map(readSender);
  const layers = Array.from({ length: nLayers }, (_, layer) => layer);
  const heads = layers.flatMap((layer) => Array.from({ length: nHeads }, (_, head) => ({ layer, head })));
  return [...heads, ...(mlps ? layers.map((layer) => ({ layer, head: undefined })) : [])];
}

function edgeScript(method: MethodOf<'attributeEdges'>, { model, metric }: ScriptContext): MethodScript {
  const { gradients, steps = 5, keep = { top: 100 } } = method;
  if (model.blockHooks && !model.blockHooks.includes('hook_resid_mid')) {
    throw refuse('edges of a model whose attention and MLP run side by side', 'take a model without that');
  }
  if (gradients === 'eap-ig-activations') {
    throw refuse('integrated gradients along activations', 'take "eap-ig", which goes along the inputs');
  }
  if (metric === 'accuracy')
    throw refuse('attribution of accuracy', 'it has no gradient; use logitDifference');
  const [[rule, bound] = ['top', 100]] = Object.entries<number>(keep);
  const chosen = `${rule}=${literal(bound)}`;
  const call = `attribute_edges(steps=${gradients === 'eap' ? 0 : steps}, ${chosen})`;
  return { code: entry(method.kind, call), parts: ['edges'] };
}

function entry(kind: MethodKind, call: string, sweep?: string): string {
  const named = sweep === undefined ? '' : `, "sweep": ${literal(sweep)}`;
  return `{"method": ${literal(kind)}${named}, "values": ${call}}`;
}

const literal = (value: PythonValue): string => pythonLiteral(value);

function requireDifference(kind: 'directLogitAttribution', { metric }: ScriptContext): void {
  if (metric !== 'logitDifference') throw refuse(`${kind} of ${metric}`, 'use logitDifference');
}

function refuse(what: string, why: string): EngineError {
  return new EngineError('request.invalid', {
    what: 'The TransformerLens script',
    reason: `it cannot say ${what}: ${why}`,
  });
}
