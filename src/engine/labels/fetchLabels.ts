/** Asks Neuronpedia's API for labels: in batches, slowly, and only because the user asked. */

import * as v from 'valibot';
import type { CallOptions } from '../../shared/callOptions.ts';
import { EngineError, throwIfCancelled } from '../../shared/errors.ts';
import { type LabelRow, labelRows } from './neuronpediaRows.ts';

export const neuronpedia = 'https://www.neuronpedia.org';

/** Features of one request; answers carry activations beside the labels, so batches stay small. */
const batchSize = 25;

/** Between two requests. The API grants 25,000 requests an hour: this asks for at most a seventh of that. */
const pauseMilliseconds = 1000;

const requestMilliseconds = 60_000;

/** Larger answers are refused: a batch of labels is far smaller. */
const maxAnswerCharacters = 50_000_000;

export interface LabelQuestion {
  /** `gpt2-small/8-res-jb`. */
  readonly source: string;
  readonly indices: readonly number[];
  readonly endpoint?: string;
  readonly key?: string;
  /** Milliseconds between requests; for tests. */
  readonly pause?: number;
}

/**
 * Labels of the features `indices` of one source. `keep` is given those of each batch as it comes, so that a refusal or
 * a cancellation later on loses nothing.
 * @throws labels.unavailable, request.invalid (no such form of source), cancelled
 */
export async function fetchLabels(
  question: LabelQuestion,
  { signal, report }: CallOptions = {},
  keep: (rows: readonly LabelRow[]) => Promise<void> = async () => undefined,
): Promise<readonly LabelRow[]> {
  const { source, indices, pause = pauseMilliseconds } = question;
  if (!/^[^/\s]+\/[^/\s]+$/.test(source)) {
    const reason = 'Neuronpedia names its sources like gpt2-small/8-res-jb';
    throw new EngineError('request.invalid', { what: `The source "${source}"`, reason });
  }
  const wanted = [...new Set(indices)];
  const rows: LabelRow[] = [];
  for (let start = 0; start < wanted.length; start += batchSize) {
    throwIfCancelled(signal);
    report?.({ done: start, total: wanted.length, what: 'Asking Neuronpedia for labels' });
    if (start > 0) await sleep(pause, signal);
    const batch = new Set(wanted.slice(start, start + batchSize));
    const answer = await ask(question, [...batch], signal);
    // Answers do not come in the order of the question: every row says for itself which feature it is about.
    const wantedRows = answer.filter((row) => row.source === source && batch.has(row.index));
    await keep(wantedRows);
    rows.push(...wantedRows);
  }
  return rows;
}

async function ask(
  question: LabelQuestion,
  indices: readonly number[],
  signal: AbortSignal | undefined,
): Promise<readonly LabelRow[]> {
  const { source, endpoint = neuronpedia, key } = question;
  const [modelId, layer] = source.split('/');
  const body = JSON.stringify(indices.map((index) => ({ modelId, layer, index, maxActsToReturn: 0 })));
  const headers = { 'content-type': 'application/json', ...(key && { 'x-api-key': key }) };
  const text = await post(
    `${endpoint.replace(/\/+$/, '')}/api/features`,
    { headers, body },
    question,
    signal,
  );
  const answer = v.safeParse(v.array(v.unknown()), parse(text));
  if (!answer.success) throw unavailable(question, 'its answer is not a list of features');
  return answer.output.flatMap((feature) => labelRows(feature) ?? []);
}

async function post(
  url: string,
  init: { readonly headers: Readonly<Record<string, string>>; readonly body: string },
  question: LabelQuestion,
  signal: AbortSignal | undefined,
): Promise<string> {
  const stop = new AbortController();
  const timer = setTimeout(() => stop.abort(), requestMilliseconds);
  const cancel = (): void => stop.abort();
  signal?.addEventListener?.('abort', cancel, { once: true });
  try {
    // A key must not travel on to another address.
    const response = await fetch(url, { ...init, method: 'POST', redirect: 'error', signal: stop.signal });
    if (!response.ok) throw unavailable(question, describeStatus(response));
    return await boundedText(response, question);
  } catch (error) {
    if (error instanceof EngineError) throw error;
    throwIfCancelled(signal);
    throw unavailable(question, describeFailure(error));
  } finally {
    clearTimeout(timer);
    signal?.removeEventListener?.('abort', cancel);
  }
}

async function boundedText(response: Response, question: LabelQuestion): Promise<string> {
  const decoder = new TextDecoder();
  let text = '';
  for await (const piece of response.body ?? []) {
    text += decoder.decode(piece as Uint8Array, { stream: true });
    if (text.length > maxAnswerCharacters) throw unavailable(question, 'its answer is too long');
  }
  return text + decoder.decode();
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function unavailable({ source, endpoint = neuronpedia }: LabelQuestion, reason: string): EngineError {
  return new EngineError('labels.unavailable', { endpoint, source, reason });
}

function describeStatus({ status, headers }: Response): string {
  if (status === 404) return 'it knows no such features';
  const wait = headers.get('retry-after');
  if (status === 429)
    return wait ? `it was asked too often, and asks to wait ${wait} s` : 'it was asked too often';
  return `it answers with status ${status}`;
}

/** What fetch throws says little; the cause tells whether the name or the connection failed. */
function describeFailure(error: unknown): string {
  const cause = error instanceof Error && error.cause instanceof Error ? error.cause : error;
  if (cause instanceof Error && cause.name === 'AbortError') return 'it did not answer in time';
  return cause instanceof Error ? cause.message : String(cause);
}

/** @throws cancelled */
async function sleep(milliseconds: number, signal: AbortSignal | undefined): Promise<void> {
  for (let left = milliseconds; left > 0; left -= 100) {
    throwIfCancelled(signal);
    await new Promise((done) => setTimeout(done, Math.min(left, 100)));
  }
}
