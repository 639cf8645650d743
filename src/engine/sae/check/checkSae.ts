/**
 * The self-check of an SAE: does it reconstruct what it reads, and if not, would it when its files were read another
 * way? Silent mismatch of conventions is the commonest fault of SAEs in use.
 */

import type { CallOptions } from '../../../shared/callOptions.ts';
import type { HookName } from '../../../shared/domain.ts';
import { EngineError, isEngineError, throwIfCancelled } from '../../../shared/errors.ts';
import type { SaeCheck, SaeConvention, SaeReading } from '../../../shared/saeCheck.ts';
import type { Tokenizer } from '../../model/tokenizer.ts';
import type { Transformer } from '../../model/transformer.ts';
import { withConvention } from '../convention.ts';
import { kindOf, outputHook, type SaeFolder } from '../format.ts';
import { SparseAutoencoder } from '../sparseAutoencoder.ts';
import { checkRows } from './checkText.ts';
import { describeConvention, otherConventions } from './conventions.ts';
import { type CheckedRow, type FirstCounted, norms, reconstruction } from './reconstruction.ts';

/** Below this fraction of variance explained an SAE counts as not reconstructing. */
const poor = 0.3;

/** Above this nothing else is tried: no convention that matters leaves so much explained when it is wrong. */
const clearlyGood = 0.9;

/** Another convention has to explain so much more than the present one to be proposed. */
const clearGain = 0.1;

/** A further departure has to add so much: the fewer departures, the better. */
const furtherGain = 0.02;

/** Departures are combined at most this many at a time. */
const mostDepartures = 3;

/** Alternatives that are told. */
const toldAlternatives = 5;

export interface CheckedModel {
  readonly transformer: Transformer;
  readonly tokenizer: Tokenizer;
  readonly threads?: number;
}

export interface CheckRequest {
  /** The SAE as its format opened it: by what its files declare. */
  readonly declared: SaeFolder;
  /** How it is read now. */
  readonly convention: SaeConvention;
  /** Text to measure on; plain generated English when left out. */
  readonly text?: string;
}

/**
 * Measures the SAE as it is read now on about 512 tokens. When that is not clearly good, other conventions are tried
 * one by one, and the best ones together.
 * @throws request.invalid for a layer of a cross-layer transcoder, which reconstructs only together with the others;
 * cancelled
 */
export async function checkSae(
  model: CheckedModel,
  request: CheckRequest,
  call: CallOptions = {},
): Promise<Omit<SaeCheck, 'sae' | 'model'>> {
  if (kindOf(request.declared.config) === 'crossLayer') throw crossLayer();
  const measure = new Measure(model, request, call);
  const current = await measure.read(request.convention);
  const found = current.explainedVariance >= clearlyGood ? [] : await search(measure, request, current);
  const better = found.filter((reading) => reading.explainedVariance > current.explainedVariance);
  const alternatives = better.sort(byQuality).slice(0, toldAlternatives);
  const verdict = verdictOf(current, alternatives[0]);
  return { verdict, tokens: measure.tokens, text: measure.text, current, alternatives };
}

function verdictOf(current: SaeReading, best: SaeReading | undefined): SaeCheck['verdict'] {
  const now = Math.max(current.explainedVariance, 0);
  if (best && best.explainedVariance >= poor && best.explainedVariance - now >= clearGain) return 'other';
  return current.explainedVariance >= poor ? 'good' : 'poor';
}

/** Tries single departures, then joins the best one with each of the others, as long as that helps. */
async function search(
  measure: Measure,
  { declared, convention }: CheckRequest,
  current: SaeReading,
): Promise<SaeReading[]> {
  const now = withConvention(declared, convention);
  const singles = otherConventions(now, await measure.choices());
  const all: SaeReading[] = [];
  let best = current;
  for (let departures = 1; departures <= mostDepartures; departures++) {
    const tried = await measure.readAll(singles.map((single) => ({ ...best.convention, ...single })));
    all.push(...tried);
    const next = tried.sort(byQuality)[0];
    if (!next || next.explainedVariance < best.explainedVariance + furtherGain) break;
    best = next;
  }
  return distinct(all);
}

function distinct(readings: readonly SaeReading[]): SaeReading[] {
  return [...new Map(readings.map((reading) => [reading.what, reading])).values()];
}

/** Best first; of two that explain the same, the one that departs less. */
function byQuality(one: SaeReading, other: SaeReading): number {
  const gain = other.explainedVariance - one.explainedVariance;
  if (Math.abs(gain) > 0.005) return gain;
  return Object.keys(one.convention).length - Object.keys(other.convention).length || gain;
}

/** Reads the SAE by one convention after the other; the model runs once for each way of beginning a text. */
class Measure {
  tokens = 0;
  text = '';
  private readonly captured = new Map<string, readonly CheckedRow[]>();
  private done = 0;

  constructor(
    private readonly model: CheckedModel,
    private readonly request: CheckRequest,
    private readonly call: CallOptions,
  ) {}

  /** Those of `conventions` by which this SAE can be read at all. */
  async readAll(conventions: readonly SaeConvention[]): Promise<SaeReading[]> {
    const readings: SaeReading[] = [];
    for (const convention of conventions) {
      try {
        readings.push(await this.read(convention));
      } catch (error) {
        if (!isEngineError(error, 'request.invalid')) throw error;
      }
    }
    return readings;
  }

  async read(convention: SaeConvention): Promise<SaeReading> {
    const { signal, report } = this.call;
    throwIfCancelled(signal);
    report?.({ done: this.done++, total: 0, what: describeConvention(convention) });
    const folder = withConvention(this.request.declared, convention);
    const rows = await this.rows(folder);
    const sae = new SparseAutoencoder(folder, this.model.threads);
    try {
      const measured = await reconstruction(sae, rows, firstCounted(folder));
      return { convention, what: describeConvention(convention), ...measured };
    } finally {
      await sae.release();
    }
  }

  async choices() {
    const folder = withConvention(this.request.declared, this.request.convention);
    const found = norms(await this.rows(folder), folder.config.dIn, firstCounted(folder));
    return { ...found, hasBos: this.model.tokenizer.bosId !== undefined };
  }

  /** The values at the SAE's hooks, row by row. */
  private async rows(folder: SaeFolder): Promise<readonly CheckedRow[]> {
    const { hookName } = folder.config;
    const hooks: [HookName, HookName] = [hookName, outputHook(folder.config) ?? hookName];
    const prependBos = beginsWithBos(folder, this.model.transformer);
    const key = JSON.stringify([prependBos, ...hooks]);
    const known = this.captured.get(key) ?? (await this.capture(hooks, prependBos));
    this.captured.set(key, known);
    return known;
  }

  private async capture(hooks: readonly [HookName, HookName], prependBos: boolean): Promise<CheckedRow[]> {
    const { transformer, tokenizer } = this.model;
    const { nContext } = transformer.info;
    const { rows, text } = checkRows(tokenizer, nContext, { text: this.request.text, prependBos });
    const checked: CheckedRow[] = [];
    for (const tokens of rows) {
      throwIfCancelled(this.call.signal);
      const { signal } = this.call;
      const capture = [...new Set(hooks)];
      const run = await transformer.run({ tokens: [tokens], capture, logits: 'none', signal });
      checked.push({ x: run.hooks.get(hooks[0])!, y: run.hooks.get(hooks[1])! });
    }
    this.text ||= text;
    this.tokens ||= rows.reduce((sum, row) => sum + row.length, 0);
    return checked;
  }
}

/** As the SAE declares it; where it does not say, as the model's prompts begin. */
function beginsWithBos({ config }: SaeFolder, { info }: Transformer): boolean {
  return config.prependBos ?? info.bos === 'prepended';
}

/** A beginning-of-sequence token is no part of the text that an SAE reconstructs. */
function firstCounted({ config }: SaeFolder): FirstCounted {
  return config.prependBos || config.maskFirst ? 1 : 0;
}

function crossLayer(): EngineError {
  return new EngineError('request.invalid', {
    what: 'The check of a cross-layer transcoder',
    reason: 'one layer of it reconstructs only together with all layers below',
  });
}
