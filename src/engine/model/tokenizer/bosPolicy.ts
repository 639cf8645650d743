/** What a tokenizer's files say about a beginning-of-sequence token: which it is, and whether it comes before a text. */
import type { TokenizerConfig, TokenizerJson } from '../tokenizerFile.ts';

export interface BosRule {
  readonly id: number | undefined;
  /** Whether the tokenizer by itself puts it before a text. */
  readonly prepends: boolean;
}

/**
 * A post-processor that puts a token first decides, as in transformers 5. Where none does, `add_bos_token` of the
 * config counts: transformers makes the post-processor from it. `find` gives the id of a token's text.
 */
export function bosRule(
  json: TokenizerJson,
  config: TokenizerConfig,
  find: (token: string) => number | undefined,
): BosRule {
  const first = firstOfTemplate(json.post_processor);
  const prepended = first === undefined ? undefined : find(first);
  if (prepended !== undefined) return { id: prepended, prepends: true };
  const declared = config.bos_token == null ? undefined : find(config.bos_token);
  // GPT-2's kin have one token for begin and end; where no begin is declared it is what comes closest.
  const id = declared ?? find('<|endoftext|>');
  return { id, prepends: config.add_bos_token === true && declared !== undefined };
}

/** The token that a post-processor puts before a text. */
function firstOfTemplate(part: unknown, depth = 0): string | undefined {
  if (typeof part !== 'object' || part === null || depth > 8) return undefined;
  const { type, processors, single, cls } = part as Record<string, unknown>;
  if (type === 'Sequence' && Array.isArray(processors)) {
    for (const inner of processors) {
      const found = firstOfTemplate(inner, depth + 1);
      if (found !== undefined) return found;
    }
  }
  if (type === 'TemplateProcessing' && Array.isArray(single)) {
    const id: unknown = single[0]?.SpecialToken?.id;
    return typeof id === 'string' ? id : undefined;
  }
  const isPair = type === 'BertProcessing' || type === 'RobertaProcessing';
  return isPair && Array.isArray(cls) && typeof cls[0] === 'string' ? cls[0] : undefined;
}
