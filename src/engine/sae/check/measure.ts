/** Reads one SAE by one convention after the other, on the same text: the model runs once for each beginning of it. */

import type { CallOptions } from '../../../shared/callOptions.ts';
import { describeConvention } from '../../../shared/describeConvention.ts';
import type { HookName } from '../../../shared/domain.ts';
import { isEngineError, throwIfCancelled } from '../../../shared/errors.ts';
import { conventionKey, type SaeConvention, type SaeReading } from '../../../shared/saeCheck.ts';
import type { FloatValue, Value } from '../../graph/value.ts';
import { floatsOf, floatValue } from '../../graph/value.ts';
import { locateHook } from '../../model/hooks.ts';
import type { Tokenizer } from '../../model/tokenizer.ts';
import type { RunResult, Transformer } from '../../model/transformer.ts';
import { withConvention } from '../convention.ts';
import { outputHook, type SaeFolder } from '../format.ts';
import { SparseAutoencoder } from '../sparseAutoencoder.ts';
import { type CheckRows, checkRows } from './checkText.ts';
import { type ConventionChoices, departuresFrom, neighbouringHooks } from './conventions.ts';
import { type CheckedRow, type FirstCounted, norms, reconstruction } from './reconstruction.ts';

/** Multiplications of a matrix with a token that one alternative may cost: well below a second for most SAEs. */
const alternativeCost = 2 ** 29;

/** Fewer tokens than this would tell nothing. */
const fewestTokens = 48;

export interface CheckedModel {
  readonly transformer: Transformer;
  readonly tokenizer: Tokenizer;
  readonly threads?: number;
  /** Whether prompts begin with a beginning-of-sequence token now; as the tokenizer has it when left out. */
  readonly bos?: boolean;
}

export interface CheckRequest {
  /** The SAE as its format opened it: by what its files declare. */
  readonly declared: SaeFolder;
  /** How it is read now. */
  readonly convention: SaeConvention;
  /** Text to measure on; plain generated English when left out. */
  readonly text?: string;
  /** What people call the text. */
  readonly textName?: string;
}

export class Measure {
  /** Whether prompts begin with a beginning-of-sequence token now. */
  readonly bos: boolean;
  private readonly texts = new Map<boolean, CheckRows>();
  private readonly runs = new Map<string, Promise<RunResult>>();
  /** The SAE of the reading before: hooks and beginnings change without compiling anew. */
  private open: { readonly key: string; readonly sae: SparseAutoencoder } | undefined;
  private done = 0;

  constructor(
    private readonly model: CheckedModel,
    private readonly request: CheckRequest,
    private readonly call: CallOptions,
  ) {
    this.bos = model.bos ?? model.transformer.info.bos === 'prepended';
  }

  /** Tokens that `read` measures on, and which text they are of. */
  get text(): { readonly tokens: number; readonly text: string } {
    const { rows, text } = this.textOf(this.bos);
    const { textName = text } = this.request;
    return { tokens: rows.reduce((sum, row) => sum + row.length, 0), text: textName };
  }

  /** Tokens on which an alternative is tried first; fewer for a wide SAE. */
  get fewTokens(): number {
    const { dIn, dSae } = this.request.declared.config;
    return Math.max(fewestTokens, Math.floor(alternativeCost / (dIn * dSae)));
  }

  /** True when alternatives are tried on fewer tokens than there are. */
  get isSampling(): boolean {
    return this.fewTokens < this.text.tokens;
  }

  /** Those of `conventions` by which this SAE can be read at all, each on a few tokens. */
  async tryAll(conventions: readonly SaeConvention[]): Promise<SaeReading[]> {
    const readings: SaeReading[] = [];
    for (const convention of conventions) {
      try {
        readings.push(await this.read(convention, this.fewTokens));
      } catch (error) {
        if (!isEngineError(error, 'request.invalid')) throw error;
      }
    }
    return readings;
  }

  /** Measures the reading on all tokens, or about so many. */
  async read(given: SaeConvention, most = Number.POSITIVE_INFINITY): Promise<SaeReading> {
    const { signal, report } = this.call;
    throwIfCancelled(signal);
    const convention = departuresFrom(this.request.declared, given, this.bos);
    const what = describeConvention(convention);
    report?.({ done: this.done++, total: 0, what });
    const folder = withConvention(this.request.declared, convention);
    const bos = convention.prependBos ?? this.bos;
    const rows = await this.rows(folder, bos, most);
    const sae = await this.saeOf(convention);
    const measured = await reconstruction(sae, rows, firstCounted(folder, bos));
    return { convention, what, ...measured };
  }

  /** What the activations under the present reading and the tokenizer allow. */
  async choices(): Promise<ConventionChoices> {
    const folder = withConvention(this.request.declared, this.request.convention);
    const { transformer, tokenizer } = this.model;
    const rows = await this.rows(folder, this.bos, Number.POSITIVE_INFINITY);
    return {
      ...norms(rows, folder.config.dIn, firstCounted(folder, this.bos)),
      hasBos: tokenizer.bosId !== undefined,
      bos: this.bos,
      hooks: neighbouringHooks(this.request.declared, transformer.info),
    };
  }

  async release(): Promise<void> {
    const { open } = this;
    this.open = undefined;
    await open?.sae.release();
  }

  private async saeOf(convention: SaeConvention): Promise<SparseAutoencoder> {
    const { hook: _hook, prependBos: _bos, ...own } = convention;
    const key = conventionKey(own);
    if (this.open?.key === key) return this.open.sae;
    await this.release();
    const sae = new SparseAutoencoder(withConvention(this.request.declared, own), this.model.threads);
    this.open = { key, sae };
    return sae;
  }

  /** The values at the SAE's hooks, row by row, as far as `most` tokens go. */
  private async rows(folder: SaeFolder, bos: boolean, most: number): Promise<readonly CheckedRow[]> {
    const { hookName } = folder.config;
    const written = outputHook(folder.config) ?? hookName;
    const checked: CheckedRow[] = [];
    let left = most;
    for (const [index, tokens] of this.textOf(bos).rows.entries()) {
      if (left <= 0) break;
      throwIfCancelled(this.call.signal);
      const { hooks } = await this.run(index, bos, [hookName, written]);
      const count = Math.min(left, tokens.length);
      const [x, y] = [hooks.get(hookName)!, hooks.get(written)!];
      checked.push({ x: beginningOf(x, count), y: beginningOf(y, count) });
      left -= count;
    }
    return checked;
  }

  /** One row of tokens through the model, with every hook that may be asked about. */
  private run(row: number, bos: boolean, needed: readonly HookName[]): Promise<RunResult> {
    const near = neighbouringHooks(this.request.declared, this.model.transformer.info);
    const capture = [...new Set([...needed, ...near])];
    const key = JSON.stringify([row, bos, capture]);
    const known = this.runs.get(key);
    if (known) return known;
    const { transformer } = this.model;
    const layers = capture.map((hook) => locateHook(hook, transformer.info.nLayers).layer);
    const running = transformer.run({
      tokens: [this.textOf(bos).rows[row]!],
      capture,
      stopAtLayer: Math.min(Math.max(...layers) + 1, transformer.info.nLayers),
      logits: 'none',
      signal: this.call.signal,
    });
    this.runs.set(key, running);
    return running;
  }

  private textOf(bos: boolean): CheckRows {
    const { transformer, tokenizer } = this.model;
    const known = this.texts.get(bos);
    if (known) return known;
    const { text } = this.request;
    const rows = checkRows(tokenizer, transformer.info.nContext, { text, prependBos: bos });
    this.texts.set(bos, rows);
    return rows;
  }
}

/** The first `count` positions of `[1, position, …]`. */
function beginningOf(value: Value, count: number): Value {
  const [, positions = 1, ...rest] = value.dims;
  if (count >= positions) return value;
  const width = value.data.length / positions;
  const data = floatsOf(value).subarray(0, count * width);
  return floatValue(data, [1, count, ...rest]) satisfies FloatValue;
}

/** A beginning-of-sequence token is no part of the text that an SAE reconstructs. */
function firstCounted({ config }: SaeFolder, bos: boolean): FirstCounted {
  return bos || config.maskFirst ? 1 : 0;
}
