/** The places in a block that SAEs read, in words. */

const names: ReadonlyMap<string, string> = new Map([
  ['hook_resid_pre', 'residual stream before'],
  ['hook_resid_mid', 'residual stream between'],
  ['hook_resid_post', 'residual stream'],
  ['hook_attn_out', 'attention output'],
  ['hook_mlp_out', 'MLP output'],
  ['attn.hook_z', 'attention heads'],
  ['mlp.hook_post', 'MLP neurons'],
  ['mlp.hook_in', 'MLP input'],
  ['hook_mlp_in', 'stream before the MLP'],
  ['ln2.hook_normalized', 'normalised MLP input'],
]);

/** `attention output` for `blocks.3.hook_attn_out`; the hook without its block where there is no word for it. */
export function siteNameOf(hook: string): string {
  const site = hook.replace(/^blocks\.\d+\./, '');
  return names.get(site) ?? site;
}
