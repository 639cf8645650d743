/** Which SAEs SHIFT looks at when nobody says: the same on the command line and in the editor. */

import type { ModelInfo, SaeInfo } from './domain.ts';

/** Sites of a block that the stream behind it is computed from, one row for each position. */
const sites = /^blocks\.\d+\.(hook_(resid_pre|resid_mid|resid_post|attn_out|mlp_out)|attn\.hook_z)$/;

/**
 * The SAEs that the classifier's `hook` is computed from, or that sit at it; one for each hook. Without `hook`, below the
 * stream after the middle layer. For a hook inside a block, none of the same block but its own.
 */
export function saesBelow(
  { nLayers }: Pick<ModelInfo, 'nLayers'>,
  saes: readonly SaeInfo[],
  hook = `blocks.${Math.floor(nLayers / 2)}.hook_resid_post`,
): readonly SaeInfo[] {
  const top = Number(/^blocks\.(\d+)\./.exec(hook)?.[1] ?? 0);
  const isWhole = hook.endsWith('hook_resid_post');
  const usable = saes.filter(
    (sae) =>
      !sae.problem &&
      sae.kind === 'sae' &&
      sites.test(sae.hook) &&
      (sae.layer < top || (sae.layer === top && (isWhole || sae.hook === hook))),
  );
  return usable.filter((sae, i) => usable.findIndex((other) => other.hook === sae.hook) === i);
}

/** Those at streams; all, when there are none. */
export function saesOfStreams(saes: readonly SaeInfo[]): readonly SaeInfo[] {
  const streams = saes.filter(({ hook }) => hook.endsWith('hook_resid_post'));
  return streams.length > 0 ? streams : saes;
}
