/** What was set for each document: the answers that are compared, and the other prompt. Kept while others are looked at. */

import type { Contrast, ModelId } from '../shared/domain.ts';
import type { OtherPrompt } from './prompt.ts';

interface Setting {
  readonly contrast?: Contrast;
  /** The model whose tokens the contrast's answers are not; it counts again in another. */
  readonly unfitFor?: ModelId;
  readonly other?: OtherPrompt;
}

/** The settings of all documents of a session, by their address. Without a document there is nothing to set. */
export class DocumentSettings {
  private readonly settings = new Map<string, Setting>();

  /** The two answers that are compared; nothing when none were chosen, or none that are tokens of the model. */
  contrast(uri: string | undefined, model: ModelId | undefined): Contrast | undefined {
    const { contrast, unfitFor } = this.of(uri);
    return unfitFor !== undefined && unfitFor === model ? undefined : contrast;
  }

  /** The prompt the document is compared with. */
  other(uri: string | undefined): OtherPrompt | undefined {
    return this.of(uri).other;
  }

  setContrast(uri: string | undefined, contrast: Contrast | undefined): void {
    this.change(uri, { contrast, unfitFor: undefined });
  }

  setOther(uri: string | undefined, other: OtherPrompt | undefined): void {
    this.change(uri, { other });
  }

  /** The answers are no tokens of `model`; they wait for another. */
  leaveOut(uri: string | undefined, model: ModelId): void {
    this.change(uri, { unfitFor: model });
  }

  private of(uri: string | undefined): Setting {
    return this.settings.get(uri ?? '') ?? {};
  }

  private change(uri: string | undefined, change: Setting): void {
    if (uri !== undefined) this.settings.set(uri, { ...this.of(uri), ...change });
  }
}
