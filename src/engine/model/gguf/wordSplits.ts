/**
 * How byte-level tokenizers split a text into words. GGUF files name the way (`tokenizer.ggml.pre`) instead of giving
 * the pattern; the patterns are those of the `tokenizer.json` that each name was made for.
 */

export interface WordSplit {
  /** The `pre_tokenizer` of a `tokenizer.json`. */
  readonly preTokenizer: unknown;
  /** Words that are a token as a whole are not put together from merges. */
  readonly wholeWords: boolean;
  /** Whether a text begins with the beginning-of-sequence token when the file does not say. */
  readonly addsBos: boolean;
}

const contractions = "(?i:'s|'t|'re|'ve|'m|'ll|'d)";
const afterWords = String.raw` ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+`;
const anyWord = String.raw`[^\r\n\p{L}\p{N}]?\p{L}+`;
const [upper, lower] = [String.raw`[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]`, String.raw`[\p{Ll}\p{Lm}\p{Lo}\p{M}]`];
const casedStart = String.raw`[^\r\n\p{L}\p{N}]?`;
const afterCasedWords = String.raw` ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+`;

const llama3Pattern = String.raw`${contractions}|${anyWord}|\p{N}{1,3}|${afterWords}`;
const qwen2Pattern = String.raw`${contractions}|${anyWord}|\p{N}|${afterWords}`;
const tekkenPattern = String.raw`${casedStart}${upper}*${lower}+|${casedStart}${upper}+${lower}*|\p{N}|${afterCasedWords}`;
const gpt4oPattern = String.raw`${casedStart}${upper}*${lower}+${contractions}?|${casedStart}${upper}+${lower}*${contractions}?|\p{N}{1,3}|${afterCasedWords}`;

const bytes = { type: 'ByteLevel', add_prefix_space: false, trim_offsets: true };

function byPattern(pattern: string): unknown {
  const split = { type: 'Split', pattern: { Regex: pattern }, behavior: 'Isolated', invert: false };
  return { type: 'Sequence', pretokenizers: [split, { ...bytes, use_regex: false }] };
}

const gpt2: WordSplit = { preTokenizer: { ...bytes, use_regex: true }, wholeWords: false, addsBos: false };
const singleDigits: WordSplit = {
  ...gpt2,
  preTokenizer: {
    type: 'Sequence',
    pretokenizers: [
      { type: 'Digits', individual_digits: true },
      { ...bytes, use_regex: true },
    ],
  },
};
const llama3: WordSplit = { preTokenizer: byPattern(llama3Pattern), wholeWords: true, addsBos: true };
const cl100k: WordSplit = { ...llama3, wholeWords: false, addsBos: false };
const qwen2: WordSplit = { ...gpt2, preTokenizer: byPattern(qwen2Pattern) };
const tekken: WordSplit = { ...llama3, preTokenizer: byPattern(tekkenPattern) };
const gpt4o: WordSplit = { ...gpt2, preTokenizer: byPattern(gpt4oPattern) };

function rows(split: WordSplit, ...names: readonly string[]): readonly (readonly [string, WordSplit])[] {
  return names.map((name) => [name, split] as const);
}

/** By name. */
export const wordSplits: ReadonlyMap<string, WordSplit> = new Map([
  ...rows(gpt2, 'gpt-2', 'gpt2', 'phi-2', 'mpt', 'olmo', 'jais', 'roberta-bpe', 'gigachat'),
  ...rows(singleDigits, 'smollm', 'starcoder', 'refact', 'command-r', 'codeshell', 'exaone', 'minerva-7b'),
  ...rows(llama3, 'llama3', 'llama-v3', 'llama-bpe', 'falcon3', 'falcon-h1', 'pixtral', 'midm-2.0', 'lfm2'),
  ...rows(cl100k, 'dbrx', 'smaug-bpe'),
  ...rows(qwen2, 'qwen2', 'stablelm2', 'deepseek-r1-qwen', 'kormo', 'f2llmv2', 'megrez'),
  ...rows(tekken, 'tekken'),
  ...rows(gpt4o, 'gpt-4o', 'llama4', 'kanana2'),
]);

/**
 * The way that `name` stands for; undefined when nobody knows. Files from before the name was written down (`default`)
 * are told apart by what they hold.
 */
export function wordSplitOf(
  name: string,
  architecture: string,
  bosToken: string | null,
): WordSplit | undefined {
  if (name !== 'default') return wordSplits.get(name);
  if (architecture === 'qwen2') return qwen2;
  return bosToken === '<|begin_of_text|>' ? llama3 : gpt2;
}
