/** Trains an SAE or a transcoder on any open model, on the user's text or on the built-in generator's. */

import { readFile } from 'node:fs/promises';
import type { CallOptions, SaeMetrics, TrainSaeRequest } from '../../shared/engineApi.ts';
import { EngineError } from '../../shared/errors.ts';
import { fileError } from '../files/fileErrors.ts';
import type { LoadedModel } from '../loadedModel.ts';
import { isPerPosition, locateHook } from '../model/hooks.ts';
import { openSaeLens } from '../sae/formats/saelens.ts';
import { measureSae } from '../sae/metrics.ts';
import { SparseAutoencoder } from '../sae/sparseAutoencoder.ts';
import { corpus } from '../task/corpus.ts';
import { collectActivations } from './activationStore.ts';
import { drawRows, encodeDocuments, holdOut } from './tokenRows.ts';
import { trainTopK } from './trainTopK.ts';
import { trainTranscoderSite } from './trainTranscoderSite.ts';

/** Activations in a batch. */
const batch = 2048;

/** Each activation is seen about this many times, as far as the cap allows. */
const passes = 8;

/** Activations kept in memory at most. */
const maxActivations = 400_000;

/** The text must hold this many rows. */
const shortestText = 6;

/** Rows that the quality is measured on, drawn from the end of the text, which is not trained on. */
const heldOutRows = 64;

const learningRate = 2e-3;

/** The learning rate rises, holds and falls; fewer steps have no room for that. */
const leastSteps = 3;

/** Longer paragraphs of the user's text are taken apart: a document has to fit into the stream as a whole. */
const maxDocument = 2000;

/**
 * Trains a TopK SAE at `request.hook`, or a transcoder from there to `request.hookOut`, writes it to `request.out`, and measures it on held-out rows. Where the model
 * reads prompts behind a beginning-of-sequence token, so do the rows; that token itself is not trained on.
 * @throws request.invalid, file.missing, cancelled
 */
export async function trainSaeOnModel(
  model: LoadedModel,
  request: TrainSaeRequest,
  call: CallOptions = {},
): Promise<SaeMetrics> {
  const hooks = request.hookOut === undefined ? [request.hook] : [request.hook, request.hookOut];
  checkHooks(hooks, model.info.nLayers);
  checkCounts(request);
  const length = Math.min(128, model.info.nContext);
  const wanted = Math.min(maxActivations, Math.max(8 * batch, Math.ceil((request.steps * batch) / passes)));
  const trainingRows = Math.ceil(wanted / length);
  const own = await readDocuments(request.corpus);
  const documents = own.length > 0 ? own : corpus({ seed: `${request.seed}/sae` });
  const stream = await encodeDocuments(documents, model.tokenizer, {
    length: (trainingRows + heldOutRows) * length * 2,
    separator: model.bos ?? model.tokenizer.bosId ?? model.tokenizer.eosId ?? 0,
    ...call,
  });
  const least = shortestText * length;
  if (stream.ids.length < least) {
    const reason = `it has ${stream.ids.length} tokens, and training needs at least ${least}`;
    throw new EngineError('request.invalid', { what: 'The training text', reason });
  }
  const parts = holdOut(stream, 2 * length);
  const prependBos = model.bos !== undefined;
  const begin = prependBos ? 'separator' : 'either';
  const rowsOf = (part: keyof typeof parts, count: number): Int32Array[] =>
    splitRows(drawRows(parts[part], { rows: count, length, begin }, `${request.seed}/${part}`, 0), length);
  const stores = await collectActivations(model.transformer, hooks, rowsOf('train', trainingRows), {
    ...call,
    before: prependBos ? 1 : 0,
  });
  const site = {
    folder: request.out,
    hook: request.hook,
    modelName: model.info.name,
    contextSize: length,
    prependBos,
    dataset: request.corpus.length > 0 ? request.corpus.join(', ') : 'built-in generator',
  };
  const { dSae, k, steps, seed } = request;
  const recipe = { dSae, k, batch, steps, learningRate, seed };
  const [input, output] = hooks.map((hook) => stores.get(hook)!);
  if (output) {
    await trainTranscoderSite({ ...site, hookOut: hooks[1]! }, { input: input!, output }, recipe, call);
  } else {
    await trainTopK(site, input!, recipe, call);
  }
  const sae = new SparseAutoencoder(await openSaeLens(request.out));
  try {
    return await measureSae(model.transformer, sae, rowsOf('heldOut', heldOutRows), {
      ...call,
      maskFirst: prependBos,
    });
  } finally {
    await sae.release();
  }
}

function checkHooks(hooks: readonly string[], nLayers: number): void {
  for (const name of hooks) {
    const { hook, layer } = locateHook(name, nLayers);
    if (isPerPosition(hook) && layer < nLayers) continue;
    const reason = 'an SAE needs a hook of the embedding or of a block with one row per position';
    throw new EngineError('request.invalid', { what: `The hook "${name}"`, reason });
  }
  if (hooks.length === 2 && hooks[0] === hooks[1]) {
    const reason = 'it is where the transcoder reads; leave it out to train an SAE';
    throw new EngineError('request.invalid', { what: `The output hook "${hooks[1]}"`, reason });
  }
}

function checkCounts({ dSae, k, steps }: TrainSaeRequest): void {
  if (Number.isInteger(steps) && steps < leastSteps) {
    throw new EngineError('request.invalid', {
      what: 'steps',
      reason: `training needs at least ${leastSteps}`,
    });
  }
  for (const [what, value] of Object.entries({ dSae, k, steps })) {
    if (!Number.isInteger(value) || value < 1) {
      throw new EngineError('request.invalid', {
        what,
        reason: `it must be a whole number above 0, not ${value}`,
      });
    }
  }
  if (k > dSae)
    throw new EngineError('request.invalid', { what: 'k', reason: `it is larger than d_sae, ${dSae}` });
}

/** `[rows, length]` as one array per row. */
export function splitRows(rows: Int32Array, length: number): Int32Array[] {
  return Array.from({ length: rows.length / length }, (_, i) => rows.slice(i * length, (i + 1) * length));
}

/** The paragraphs of the user's files, long ones in pieces that end between words where there are some. @throws file.missing, file.unreadable */
export async function readDocuments(paths: readonly string[]): Promise<string[]> {
  const found: string[] = [];
  for (const path of paths) {
    const text = await readFile(path, 'utf8').catch((error) => {
      throw fileError(path, error);
    });
    const paragraphs = text.split(/\n\s*\n/).filter((part) => part.trim().length > 0);
    found.push(...paragraphs.flatMap(piecesOf));
  }
  return found;
}

function piecesOf(paragraph: string): string[] {
  const pieces: string[] = [];
  let rest = paragraph;
  while (rest.length > maxDocument) {
    const space = rest.lastIndexOf(' ', maxDocument);
    const end = space > 0 ? space : maxDocument;
    pieces.push(rest.slice(0, end));
    rest = rest.slice(end);
  }
  return [...pieces, rest];
}
