/**
 * The errors that cross a border. The engine throws a code with data; the host and the command line
 * put it into words with the one template given here, so a message says the same everywhere.
 */

/** What each error code carries. Every template below uses these names in braces. */
export interface ErrorData {
  'file.missing': { path: string };
  'file.unreadable': { path: string; reason: string };
  'file.malformed': { path: string; field: string; expected: string; found: string };
  'file.changed': { path: string };
  'model.unsupported': { path: string; architecture: string; supported: string };
  'model.invalidConfig': { path: string; field: string; expected: string; found: string };
  'model.missingWeight': { path: string; tensor: string };
  'model.wrongShape': { path: string; tensor: string; expected: string; found: string };
  'model.tooLarge': { path: string; needed: string; available: string };
  'tokenizer.missing': { path: string };
  'sae.mismatch': { path: string; reason: string; model: string };
  'sae.unsupported': { path: string; architecture: string; supported: string };
  'hub.notFound': { repo: string; what: string };
  'hub.refused': { repo: string; reason: string };
  'hub.unreachable': { endpoint: string; reason: string };
  'hub.corrupt': { path: string };
  'prompt.empty': Record<string, never>;
  'prompt.tooLong': { characters: number; limit: number };
  'handle.unknown': { what: string; id: string };
  'request.invalid': { what: string; reason: string };
  'answer.notOneToken': { text: string; pieces: string };
  'training.diverged': { step: number };
  'engine.stopped': { reason: string };
  cancelled: Record<string, never>;
}

export type ErrorCode = keyof ErrorData;

/** English templates: what happened, and what to do. The host translates them, the command line prints them. */
export const errorTemplates: { readonly [C in ErrorCode]: string } = {
  'file.missing': 'There is no file at {path}. Check the path, or choose another model or SAE.',
  'file.unreadable':
    '{path} cannot be read: {reason}. Check that the file is whole and that you may read it.',
  'file.malformed':
    '{path} is damaged or not of the expected format: {field} should be {expected}, but is {found}. Download or export the file again.',
  'file.changed': '{path} has changed on disk since it was opened. Open the model again.',
  'model.unsupported':
    '{path} holds a model of the kind "{architecture}", which Fovea cannot run yet. It runs: {supported}.',
  'model.invalidConfig':
    '{path}: {field} should be {expected}, but is {found}. Correct the config or export the model again.',
  'model.missingWeight': '{path} lacks the tensor {tensor}. Export the model again with all of its weights.',
  'model.wrongShape':
    '{path}: the tensor {tensor} has shape {found}, but the config asks for {expected}. The config and the weights belong to different models.',
  'model.tooLarge': '{path} needs about {needed} of memory, and {available} is free. Choose a smaller model.',
  'tokenizer.missing':
    '{path} has no tokenizer.json. Save the tokenizer into the model folder (tokenizer.save_pretrained) and open the model again.',
  'sae.mismatch':
    'The SAE in {path} does not fit the model {model}: {reason}. Choose an SAE trained on this model.',
  'sae.unsupported':
    '{path} holds an SAE of the kind "{architecture}", which Fovea cannot run yet. It runs: {supported}.',
  'hub.notFound': 'The hub has no {what} in {repo}. Check the name and the revision.',
  'hub.refused':
    'The hub does not hand out {repo}: {reason}. If access has to be granted, accept its terms on the hub and set a token with "Fovea: Set Hub Token…".',
  'hub.unreachable':
    '{endpoint} cannot be reached: {reason}. Check the network, or the mirror in the setting fovea.hub.endpoint; what was downloaded stays and is resumed.',
  'hub.corrupt':
    '{path} did not arrive as the hub says it should be (its SHA-256 differs), so it was thrown away. Download it again.',
  'prompt.empty': 'The prompt is empty. Type some text to see what the model computes.',
  'prompt.tooLong':
    'The prompt has {characters} characters; Fovea reads at most {limit}. Select the part you want to inspect.',
  'handle.unknown': 'The {what} "{id}" is not loaded. Load it again.',
  'request.invalid': '{what} cannot be used: {reason}.',
  'answer.notOneToken':
    '"{text}" is not one token of this model (it is {pieces}). Choose an answer that is a single token; most words start with a space.',
  'training.diverged':
    'The loss stopped being a finite number at step {step}. Lower the learning rate and resume from the last checkpoint.',
  'engine.stopped': 'The Fovea engine stopped ({reason}). It starts again with your next request.',
  cancelled: 'Cancelled.',
};

/** An expected failure: a code and its data. Bugs stay plain `Error`s. */
export class EngineError<C extends ErrorCode = ErrorCode> extends Error {
  constructor(
    readonly code: C,
    readonly data: ErrorData[C],
  ) {
    super(describeError(code, data));
    this.name = 'EngineError';
  }
}

/** Fills the English template of `code` with `data`. */
export function describeError<C extends ErrorCode>(code: C, data: ErrorData[C]): string {
  const values = data as Record<string, unknown>;
  return errorTemplates[code].replace(/\{(\w+)\}/g, (_, name: string) => String(values[name] ?? ''));
}

/** True when `value` is an `EngineError` (with this code, when given). */
export function isEngineError<C extends ErrorCode>(value: unknown, code?: C): value is EngineError<C> {
  return value instanceof EngineError && (code === undefined || value.code === code);
}

/** Throws `cancelled` when the signal has been aborted. Call it between pieces of long work. */
export function throwIfCancelled(signal: AbortSignal | undefined): void {
  if (signal?.aborted) throw new EngineError('cancelled', {});
}
