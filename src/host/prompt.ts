/** The prompt as the host knows it: where its text is from, and what one look at it gave. */

import type { Analysis, PromptComparison } from '../shared/analysis.ts';
import type { ModelInfo } from '../shared/domain.ts';
import type { TokenHeat } from '../shared/viewApi.ts';

/** A piece of a document. */
export interface Prompt {
  readonly uri: string;
  /** The document's name for people. */
  readonly name: string;
  readonly text: string;
  /** Where the text starts in its document, in UTF-16 units. */
  readonly start: number;
  /** Whether only a part of the document is meant. */
  readonly narrowed: boolean;
}

/** Another prompt to compare with, or to patch from. */
export interface OtherPrompt {
  readonly name: string;
  readonly text: string;
  /** The document it was read from, when there is one. */
  readonly uri?: string;
}

/** One finished look: a prompt and what the model made of it. */
export interface Look {
  readonly prompt: Prompt;
  readonly model: ModelInfo;
  readonly analysis: Analysis;
  readonly heat: TokenHeat | undefined;
  /** How the prompt compares with the other one, when there is one. */
  readonly comparison: PromptComparison | undefined;
}
