/** Translates names of places in a model, as other libraries spell them, into the hook names used here. */
import type { HookName } from '../../../shared/domain.ts';
import { malformed } from '../../files/fileErrors.ts';

/** The layer that a name or path speaks of: the last number behind one of the usual words. */
export function layerIn(text: string): number | undefined {
  const found = [...text.matchAll(/(?<![a-z])(?:layers?|blocks?|h)[._/-]?(\d{1,4})(?!\d)/gi)].at(-1)?.[1];
  return found === undefined ? undefined : Number(found);
}

const blockPrefix =
  /^(?:model\.|transformer\.|gpt_neox\.|language_model\.|text_model\.|base_model\.|module\.)*(?:layers|h|blocks)\.(\d{1,4})(?:\.(.+))?$/;

const embedding = /(?:^|\.)(?:embed_tokens|wte|embed_in|tok_embeddings)(?:\.(?:output|weight))?$/;

/** Inside a block: what a module's output is called here, and its input. */
const modules: readonly (readonly [RegExp, string])[] = [
  [/^$/, 'hook_resid_post'],
  [/^output(\.0)?$/, 'hook_resid_post'],
  [/^input$/, 'hook_resid_pre'],
  [/^(?:self_attn|attn|attention)(?:\.output)?$/, 'hook_attn_out'],
  [/^(?:self_attn|attn|attention)\.(?:o_proj|c_proj|out_proj|dense)\.input$/, 'attn.hook_z'],
  [/^mlp\.input$/, 'mlp.hook_in'],
  [/^mlp(?:\.output)?$/, 'hook_mlp_out'],
  [/^mlp\.(?:down_proj|c_proj|dense_4h_to_h)\.input$/, 'mlp.hook_post'],
  [/^mlp\.act(?:_fn)?(?:\.output)?$/, 'mlp.hook_post'],
  // In Gemma 2 and 3 the norm before the MLP; with its learned gain.
  [/^pre_feedforward_layernorm(?:\.output)?$/, 'mlp.hook_in'],
  [/^post_feedforward_layernorm(?:\.output)?$/, 'hook_mlp_out'],
];

/**
 * The hook that a module path of Hugging Face transformers names, such as `model.layers.3.mlp`: the module's output,
 * unless it ends in `.input`. Hook names come back as they are; undefined when it is neither.
 */
export function hookOfModule(name: string): HookName | undefined {
  if (/(^|\.)hook_\w+$/.test(name)) return name;
  if (embedding.test(name)) return 'hook_embed';
  const match = blockPrefix.exec(name);
  if (!match) return undefined;
  const rest = match[2] ?? '';
  const hook = modules.find(([pattern]) => pattern.test(rest))?.[1];
  return hook && blockHook(Number(match[1]), hook);
}

/** `blocks.3.hook_mlp_out`. */
export function blockHook(layer: number, hook: string): HookName {
  return `blocks.${layer}.${hook}`;
}

/** `hook_z` lays its heads side by side. */
export function reshapeAt(hook: HookName): 'none' | 'hook_z' {
  return hook.endsWith('hook_z') ? 'hook_z' : 'none';
}

/** @throws file.malformed for a name that is none of a hook. */
export function knownHook(path: string, field: string, name: string): string {
  const hook = hookOfModule(name);
  if (!hook) throw malformed(path, field, 'the name of a hook', name);
  return hook;
}
