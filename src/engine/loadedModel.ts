/** A model that is open: the transformer, its tokenizer, its readout, and the prompt it looked at last. */

import type { BosPolicy, Contrast, ModelId, ModelInfo } from '../shared/domain.ts';
import { EngineError } from '../shared/errors.ts';
import type { OpenOptions } from './model/openModelFolder.ts';
import type { PromptRun } from './model/promptRun.ts';
import { Readout } from './model/readout.ts';
import { buildTokenizer, requireOneToken, type Tokenizer } from './model/tokenizer.ts';
import { Transformer } from './model/transformer.ts';
import type { PromptLook } from './promptLook.ts';
import { openWindow, type PromptWindow } from './promptWindow.ts';

/** The clean run of the prompt that is being edited, and what was read off it. */
export interface LivePrompt {
  readonly run: PromptRun;
  readonly look: PromptLook;
}

/** A contrast as token ids. */
export interface TokenContrast {
  readonly position: number;
  readonly answer: number;
  readonly wrong: number;
}

/** What the handles of one model have in common; freed with the last of them. */
interface SharedWeights {
  readonly transformer: Transformer;
  readonly tokenizer: Tokenizer;
  readonly readout: Readout;
  /** Handles that are open. */
  holders: number;
}

/** How a handle is known, and how its prompts begin. */
interface HandleOptions {
  readonly id: ModelId;
  readonly bos: BosPolicy;
}

/** Everything that belongs to one open model. */
export class LoadedModel {
  readonly transformer: Transformer;
  readonly tokenizer: Tokenizer;
  readonly readout: Readout;
  /** Unchanged prefixes are taken over from here, keystroke by keystroke. */
  live: LivePrompt | undefined;
  #info: ModelInfo;
  readonly #closing = new AbortController();
  #users = 0;
  #whenUnused: (() => void) | undefined;

  private constructor(
    private readonly weights: SharedWeights,
    private readonly handle: HandleOptions,
  ) {
    weights.holders++;
    this.transformer = weights.transformer;
    this.tokenizer = weights.tokenizer;
    this.readout = weights.readout;
    this.#info = this.infoFor(handle.bos);
  }

  /** Opens the folder or file at `path`. @throws as `Transformer.open` and `buildTokenizer` */
  static async open(path: string, options: OpenOptions & Partial<HandleOptions> = {}): Promise<LoadedModel> {
    const transformer = await Transformer.open(path, options);
    const tokenizer = buildTokenizer(await transformer.readTokenizer());
    const readout = new Readout(transformer.graph, transformer.config, options.threads);
    const { id = transformer.info.id, bos = 'auto' } = options;
    return new LoadedModel({ transformer, tokenizer, readout, holders: 0 }, { id, bos });
  }

  /** A second handle on the same weights; undefined when this one is closed already. Each is released by itself. */
  view(handle: HandleOptions): LoadedModel | undefined {
    return this.#closing.signal.aborted ? undefined : new LoadedModel(this.weights, handle);
  }

  /** What is told about the model, with the beginning-of-sequence token as the policy wants it. */
  get info(): ModelInfo {
    return this.#info;
  }

  /** The token that is put before prompts, when the policy wants one. */
  get bos(): number | undefined {
    return this.#info.bos === 'prepended' ? this.tokenizer.bosId : undefined;
  }

  /** Tokens that the model reads at most. */
  get nContext(): number {
    return this.#info.nContext;
  }

  /**
   * Changes whether a beginning-of-sequence token is put before prompts from now on. A model whose tokenizer has no
   * such token goes without, whatever the policy.
   */
  setBos(policy: BosPolicy): void {
    const info = this.infoFor(policy);
    if (info.bos === this.#info.bos) return;
    this.#info = info;
    this.live = undefined;
  }

  private infoFor(policy: BosPolicy): ModelInfo {
    const { bosId, bosPolicy, tokenText } = this.tokenizer;
    const wanted = policy === 'auto' ? bosPolicy === 'prepended' : policy === 'always';
    return {
      ...this.transformer.info,
      id: this.handle.id,
      bos: wanted && bosId !== undefined ? 'prepended' : 'none',
      ...(bosId !== undefined && { bosToken: tokenText(bosId) }),
    };
  }

  /** The part of `text` that the model reads. @throws prompt.empty, prompt.tooLong */
  window(text: string): PromptWindow {
    return openWindow(text, this.tokenizer, { nContext: this.info.nContext, bos: this.bos });
  }

  /**
   * The contrast for a prompt of `length` tokens.
   * @throws answer.notOneToken; request.invalid when its position lies outside the prompt or its answers are one token.
   */
  contrast({ answer, wrong, position = -1 }: Contrast, length: number): TokenContrast {
    const place = position < 0 ? length + position : position;
    if (!Number.isInteger(place) || place < 0 || place >= length) {
      throw new EngineError('request.invalid', {
        what: `Position ${position} of the contrast`,
        reason: `the prompt has ${length} tokens`,
      });
    }
    const [answerId, wrongId] = [answer, wrong].map((text) => requireOneToken(this.tokenizer, text));
    if (answerId === wrongId) {
      throw new EngineError('request.invalid', {
        what: 'The contrast',
        reason: 'both answers are the same token; choose another wrong answer',
      });
    }
    return { position: place, answer: answerId!, wrong: wrongId! };
  }

  /**
   * Runs `work` on the model, which stays open until it ends. The signal it is given is aborted with `signal`, and
   * when the model is closed.
   * @throws handle.unknown when the model is closed already.
   */
  async use<T>(signal: AbortSignal | undefined, work: (signal: AbortSignal) => Promise<T>): Promise<T> {
    const closing = this.#closing.signal;
    if (closing.aborted) throw new EngineError('handle.unknown', { what: 'model', id: this.info.id });
    this.#users++;
    try {
      return await work(eitherOf(closing, signal));
    } finally {
      this.#users--;
      if (this.#users === 0) this.#whenUnused?.();
    }
  }

  /** Cancels what is under way, waits for its end, and frees the native memory unless another handle uses it. */
  async release(): Promise<void> {
    this.#closing.abort();
    if (this.#users > 0) {
      await new Promise<void>((resolve) => {
        this.#whenUnused = resolve;
      });
    }
    this.live = undefined;
    this.weights.holders--;
    if (this.weights.holders > 0) return;
    await this.readout.release();
    await this.transformer.release();
  }
}

/**
 * Aborted as soon as one of two signals is. `AbortSignal.any` would tie an object to the model's signal for every
 * call; the engine only ever asks whether it is aborted.
 */
function eitherOf(first: AbortSignal, second: AbortSignal | undefined): AbortSignal {
  if (!second) return first;
  return {
    get aborted() {
      return first.aborted || second.aborted;
    },
  } as AbortSignal;
}
