/**
 * Training text as rows of token ids. Every row begins where a document begins, so the model sees at
 * early positions what prompts look like; unless all shall, half of the rows begin with the separator, half
 * without, so that it works with and without a beginning-of-sequence token.
 */

import type { Progress } from '../../shared/domain.ts';
import { throwIfCancelled } from '../../shared/errors.ts';
import { seededRandom } from '../random.ts';

/** What turns text into ids; a tokenizer satisfies it. */
export interface TextEncoder {
  encode(text: string): { readonly ids: Int32Array };
}

/** Documents as one stream of ids. */
export interface TokenStream {
  /** Documents one after another, each preceded by the separator. */
  readonly ids: Int32Array;
  /** Where each document's separator stands. */
  readonly starts: Int32Array;
}

export interface StreamOptions {
  /** Ids to collect at most; the stream ends before the first document that would exceed it. */
  readonly length: number;
  readonly separator: number;
  readonly signal?: AbortSignal;
  readonly report?: (progress: Progress) => void;
}

/**
 * Encodes whole documents while they fit into `length` ids.
 * @throws cancelled; Error when not even the first document fits.
 */
export async function encodeDocuments(
  documents: Iterable<string>,
  encoder: TextEncoder,
  { length, separator, signal, report }: StreamOptions,
): Promise<TokenStream> {
  const ids = new Int32Array(length);
  const starts: number[] = [];
  let filled = 0;
  for (const text of documents) {
    const encoded = encoder.encode(text).ids;
    if (filled + encoded.length + 1 > length) break;
    starts.push(filled);
    ids[filled] = separator;
    ids.set(encoded, filled + 1);
    filled += encoded.length + 1;
    if (starts.length % 2000 === 0) {
      report?.({ done: filled, total: length, what: 'Encoding the training text' });
      await new Promise((resolve) => setImmediate(resolve));
      throwIfCancelled(signal);
    }
  }
  if (starts.length === 0) throw new Error('The training text holds no document that fits.');
  return { ids: ids.slice(0, filled), starts: Int32Array.from(starts) };
}

/**
 * Cuts a stream in two: what comes first, and at least `least` ids at the end, a tenth of all where that is more.
 * The cut falls between documents where it can, so no id is in both parts.
 */
export function holdOut(stream: TokenStream, least: number): { train: TokenStream; heldOut: TokenStream } {
  const total = stream.ids.length;
  const wanted = Math.min(Math.floor(total * 0.9), total - least);
  const cut = stream.starts.findLast((start) => start > 0 && start <= wanted) ?? wanted;
  const later = stream.starts.filter((start) => start >= cut).map((start) => start - cut);
  return {
    train: { ids: stream.ids.subarray(0, cut), starts: stream.starts.filter((start) => start < cut) },
    // The text may be one document: then its end is held out from where it was cut.
    heldOut: { ids: stream.ids.subarray(cut), starts: later.length > 0 ? later : Int32Array.of(0) },
  };
}

/** Rows to draw: `[rows, length]`. */
export interface RowShape {
  readonly rows: number;
  readonly length: number;
  /** Whether every row begins with the separator, or half of them, as when left out. */
  readonly begin?: 'separator' | 'either';
}

/**
 * Rows `[rows, length]` of step `step`, drawn with replacement. A pure function of the stream, the seed
 * and the step, so that a resumed training sees the same rows.
 * @throws Error when no document starts early enough in the stream for a whole row.
 */
export function drawRows(
  stream: TokenStream,
  shape: RowShape,
  seed: number | string,
  step: number,
): Int32Array {
  const random = seededRandom(`${seed}/${step}`);
  const out = new Int32Array(shape.rows * shape.length);
  const last = stream.ids.length - shape.length - 1;
  if (!((stream.starts[0] ?? Number.POSITIVE_INFINITY) <= last)) {
    throw new Error(`A stream of ${stream.ids.length} ids is too short for rows of ${shape.length}.`);
  }
  for (let row = 0; row < shape.rows; row++) {
    let start = last + 1;
    while (start > last) start = stream.starts[random.int(stream.starts.length)]!;
    const begin = start + (random.next() < 0.5 || shape.begin === 'separator' ? 0 : 1);
    out.set(stream.ids.subarray(begin, begin + shape.length), row * shape.length);
  }
  return out;
}
