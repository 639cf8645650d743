/** Which hooks a model has. What a family does not compute has no hook, as in TransformerLens. */
import type { HookName } from '../../shared/domain.ts';
import { EngineError } from '../../shared/errors.ts';
import { formatText } from '../../shared/format.ts';
import type { ModelConfig } from './config.ts';
import {
  type BlockHook,
  blockHookAxes,
  type EmbedHook,
  embedHookAxes,
  finalHookAxes,
  type HookPlace,
  locateHook,
  type StageHook,
} from './hooks.ts';
import type { Stage } from './stageProgram.ts';

/** What of a config decides on hooks. */
export type HookedShape = Pick<ModelConfig, 'positions' | 'norm' | 'gated' | 'parallel'>;

const order = {
  embed: Object.keys(embedHookAxes) as EmbedHook[],
  block: Object.keys(blockHookAxes) as BlockHook[],
  final: Object.keys(finalHookAxes) as StageHook[],
};

/** The hooks of a stage in the order in which the model computes them. */
export function stageHooks(shape: HookedShape, stage: Stage): readonly StageHook[] {
  if (stage === 'final') return order.final;
  if (stage === 'embed') return order.embed.filter((hook) => !reasonWithout(shape, hook));
  return blockHooks(shape);
}

function blockHooks(shape: HookedShape): readonly BlockHook[] {
  const hooks = order.block.filter((hook) => !reasonWithout(shape, hook));
  if (shape.norm.place !== 'after') return hooks;
  // These norms stand behind their sublayers.
  return moved('ln2', 'mlp.hook_out', moved('ln1', 'attn.hook_out', hooks));
}

/** `hooks` with those of a norm put right behind another one. */
function moved(norm: 'ln1' | 'ln2', behind: BlockHook, hooks: readonly BlockHook[]): BlockHook[] {
  const own = hooks.filter((hook) => hook.startsWith(`${norm}.`));
  const others = hooks.filter((hook) => !own.includes(hook));
  return others.flatMap((hook) => (hook === behind ? [hook, ...own] : [hook]));
}

/**
 * Finds the place of a hook in a model.
 * @throws request.invalid when there is no such hook, saying why when the family lacks it.
 */
export function locateModelHook(
  config: HookedShape & Pick<ModelConfig, 'nLayers'>,
  name: HookName,
): HookPlace {
  const place = locateHook(name, config.nLayers);
  const reason = reasonWithout(config, place.hook);
  if (reason === undefined) return place;
  throw new EngineError('request.invalid', { what: `The hook "${formatText(name)}"`, reason });
}

/** Why a model has no such hook; undefined when it has. */
function reasonWithout(
  { positions, norm, gated, parallel }: HookedShape,
  hook: StageHook,
): string | undefined {
  if (hook === 'hook_pos_embed' && positions !== 'learned') {
    return 'this model has no position embedding; it rotates queries and keys (attn.hook_rot_q, attn.hook_rot_k)';
  }
  if (/^attn\.hook_rot_[qk]$/.test(hook) && positions !== 'rotary') {
    return 'this model does not rotate queries and keys; it adds a position embedding (hook_pos_embed)';
  }
  if (hook === 'mlp.hook_pre_linear' && !gated) return 'the MLPs of this model have no gate';
  if (hook === 'hook_resid_mid' && parallel) {
    return 'attention and MLP of this model work side by side on hook_resid_pre, so there is no stream between them';
  }
  if (/^(attn|mlp)\.hook_out$/.test(hook) && norm.place !== 'both' && norm.place !== 'after') {
    return 'this model has no norm behind its sublayers; what they give is hook_attn_out and hook_mlp_out';
  }
  if (/^ln[12]_post\./.test(hook) && norm.place !== 'both') {
    return 'this model has one norm per sublayer (ln1, ln2)';
  }
  return undefined;
}
