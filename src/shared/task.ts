/** What a task is to whoever asks for one: where its pairs come from, and what is measured on them. */

/**
 * What is measured at the last position of a prompt. `logitDifference`: mean logit of the answers minus that of the
 * wrong ones. `answerSetLogOdds`: log of how much more probable the set of answers is than the set of wrong ones.
 * `probability`: of the answers together. `probabilityDifference`: of the answers minus that of the wrong ones.
 * `crossEntropy`: −log of `probability`, in nats. `kl`: KL(clean run ‖ this run), in nats. `accuracy`: 1 when the
 * answers are together more probable than the wrong ones, else 0.
 */
export type TaskMetric =
  | 'logitDifference'
  | 'answerSetLogOdds'
  | 'probability'
  | 'probabilityDifference'
  | 'crossEntropy'
  | 'kl'
  | 'accuracy';

/** All metrics, the usual one first. */
export const taskMetrics: readonly TaskMetric[] = [
  'logitDifference',
  'answerSetLogOdds',
  'probability',
  'probabilityDifference',
  'crossEntropy',
  'kl',
  'accuracy',
];

/** Tasks that can be written by the dozen. */
export type TaskGenerator = 'ioi' | 'agreement' | 'greaterThan' | 'induction' | 'pronoun' | 'bios';

/** All generators. */
export const taskGenerators: readonly TaskGenerator[] = [
  'ioi',
  'agreement',
  'greaterThan',
  'induction',
  'pronoun',
  'bios',
];

/**
 * Sentences of the generator `agreement` (Marks et al. 2024). `simple`: the N V. `nounpp`: the N1 P the N2 V. `rc`: the N1 that the
 * N2 V1 V. `within_rc`: the N1 that the N2 V.
 */
export type AgreementStructure = 'simple' | 'nounpp' | 'rc' | 'within_rc';

/** The four structures. */
export const agreementStructures: readonly AgreementStructure[] = ['simple', 'nounpp', 'rc', 'within_rc'];

/** Options of the generators: one word for each; docs/tasks.md lists what each generator takes. */
export type TaskOptions = Readonly<Record<string, string>>;

/** Pairs to be written. The same source gives the same pairs with the same tokenizer. */
export interface GeneratedTask {
  readonly name: TaskGenerator;
  /** Pairs; all different. */
  readonly count: number;
  readonly seed: number;
  readonly options?: TaskOptions;
}

/** Where the pairs of a task come from. */
export type TaskSource =
  | { readonly kind: 'file'; readonly path: string }
  | ({ readonly kind: 'generator' } & GeneratedTask);

/** The prompts of a method: one pair, or a task. */
export type PromptPairs =
  | {
      readonly kind: 'pair';
      readonly clean: string;
      /** As many tokens as `clean`. */
      readonly corrupted: string;
      /** Single tokens that continue `clean`, with their leading space. */
      readonly answers: readonly string[];
      readonly wrongAnswers: readonly string[];
    }
  | { readonly kind: 'task'; readonly task: TaskSource /** Pairs at most. */; readonly limit?: number };
