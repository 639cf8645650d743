/** Each method of an experiment as a line of a TransformerLens script, and the functions that the line needs. */

import type { ModelInfo } from '../domain.ts';
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
    case 'patchPaths':
      return pathScript(method, context);
    case 'directLogitAttribution':
      requireDifference(method.kind, context);
      return { code: entry(method.kind, 'direct_logit_attribution()'), parts: ['directLogitAttribution'] };
    case 'logitLens':
      if (method.tuned !== undefined) throw refuse('a tuned lens', 'leave "tuned" out');
      if (context.pairs.length !== 1) throw refuse('the logit lens of a task', 'give one pair');
      return { code: entry(method.kind, `logit_lens(${method.top ?? 3})`), parts: ['logitLens'] };
    case 'attributeEdges':
      return edgeScript(method, context);
    default:
      throw withoutEquivalent(method.kind);
  }
}

const sayings: Readonly<Record<Exclude<MethodKind, 'patch' | 'ablate' | 'patchPaths'>, string>> = {
  directLogitAttribution: 'direct logit attribution',
  logitLens: 'the logit lens',
  attributeEdges: 'attribution of edges',
  patchFeatures: 'patching of SAE features',
  ablateFeatures: 'ablation of SAE features',
  acdc: 'ACDC',
  gradientCircuit: 'circuits by gradients',
  sparseFeatureCircuit: 'sparse feature circuits',
  attributionGraph: 'attribution graphs',
  indirectObjectStudy: 'the study of indirect objects',
  shift: 'SHIFT',
};

function withoutEquivalent(kind: Exclude<MethodKind, 'patch' | 'ablate' | 'patchPaths'>): EngineError {
  return refuse(
    `${sayings[kind]} (${kind})`,
    'TransformerLens has no equivalent; take this method out, or export the others from a file of their own',
  );
}

function patchScript(method: MethodOf<'patch'>): MethodScript {
  requireNoRoles(method);
  const { sweep, direction = 'denoising', layers } = method;
  const chosen = `layers=${literal(layers ?? null)}, direction=${literal(direction)}`;
  if (unnamed.has(sweep)) {
    const [hooks, axes] = places[sweep];
    const call = `patch_sweep(${literal(hooks)}, ${literal(axes)}, ${chosen})`;
    return { code: entry(method.kind, call, sweep), parts: ['sweepByHook', 'patchByHook'] };
  }
  const call = `patch(patching.get_act_patch_${sweep}, layer_axis=${sweep.endsWith('_every') ? 1 : 0}, ${chosen})`;
  return { code: entry(method.kind, call, sweep), parts: ['sweepByName'] };
}

function ablateScript(method: MethodOf<'ablate'>): MethodScript {
  requireNoRoles(method);
  const { sweep, layers, value, reference = 'corrupted' }: SweepChoice & AblationChoice = method;
  if (value === 'resample') {
    throw refuse(
      'ablation by resampling',
      'its prompts are drawn by a generator of Fovea’s own; take a mean',
    );
  }
  const [hooks, axes] = places[sweep];
  const call = `ablate_sweep(${literal(hooks)}, ${literal(axes)}, layers=${literal(layers ?? null)}, value=${literal(value)}, reference=${literal(reference)})`;
  return { code: entry(method.kind, call, sweep), parts: ['sweepByHook', 'ablateByHook'] };
}

function pathScript(method: MethodOf<'patchPaths'>, { model }: ScriptContext): MethodScript {
  const { receivers = [], positions, freezeMlps = false } = method;
  if (positions?.some((position) => typeof position === 'string')) {
    throw refuse('roles as positions', 'give positions as numbers');
  }
  const senders = sendersOf(method, model).map(({ layer, head }) => [layer, head ?? null]);
  const targets = receivers.map(readReceiver).map(({ layer, head, input }) => [layer, head, input]);
  const at = positions ?? (receivers.length === 0 ? [-1] : null);
  const call = `patch_paths(${literal(senders)}, ${literal(targets)}, positions=${literal(at as PythonValue)}, freeze_mlps=${literal(freezeMlps)})`;
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
  if ('greedy' in keep) throw refuse('a circuit grown from the logits', 'keep the strongest edges ("top")');
  const chosen = 'top' in keep ? `top=${keep.top}` : `threshold=${literal(keep.threshold)}`;
  const call = `attribute_edges(steps=${gradients === 'eap' ? 0 : steps}, ${chosen})`;
  return { code: entry(method.kind, call), parts: ['edges'] };
}

function entry(kind: MethodKind, call: string, sweep?: string): string {
  const named = sweep === undefined ? '' : `, "sweep": ${literal(sweep)}`;
  return `{"method": ${literal(kind)}${named}, "values": ${call}}`;
}

const literal = (value: PythonValue): string => pythonLiteral(value);

function requireNoRoles({ roles }: SweepChoice): void {
  if (roles) throw refuse('roles in place of positions', 'sweep by position, or over all positions');
}

function requireDifference(kind: 'directLogitAttribution', { metric }: ScriptContext): void {
  if (metric !== 'logitDifference') throw refuse(`${sayings[kind]} of ${metric}`, 'use logitDifference');
}

function refuse(what: string, why: string): EngineError {
  return new EngineError('request.invalid', {
    what: 'The TransformerLens script',
    reason: `it cannot say ${what}: ${why}`,
  });
}
