/** A task as methods run it: pairs of tokenized prompts of equal length, with the answers to tell apart. */

/** One clean prompt with its counterfactual, in the tokens of one model. */
export interface TokenPair {
  /** Token ids, the beginning-of-sequence token included where the model's policy puts one there. */
  readonly clean: Int32Array;
  /** As many tokens as `clean`. */
  readonly corrupted: Int32Array;
  /** Right next tokens after the last position of `clean`; one or more. */
  readonly answers: readonly number[];
  readonly wrongAnswers: readonly number[];
  /** Position of each role, such as IO, S1, S2, END, counted in tokens; the last token of the role's words. */
  readonly roles: Readonly<Record<string, number>>;
  /** The template it was made from, or the empty text; means over a reference distribution are taken per template. */
  readonly template: string;
}

/** A named list of pairs that are run together. Pairs may differ in length from one another. */
export interface TokenTask {
  readonly name: string;
  readonly pairs: readonly TokenPair[];
}
