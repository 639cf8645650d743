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
  'model.notSafetensors': { path: string; found: string };
  'disk.full': { path: string; folder: string; needed: string; available: string };
  'model.tooLarge': { path: string; needed: string; available: string };
  'tokenizer.missing': { path: string };
  'sae.tooLarge': { path: string; needed: string; available: string };
  'sae.mismatch': { path: string; reason: string; model: string };
  'sae.unsupported': { path: string; architecture: string; supported: string };
  'hub.notFound': { repo: string; what: string };
  'hub.refused': { repo: string; reason: string };
  'hub.unreachable': { endpoint: string; reason: string };
  'hub.corrupt': { path: string };
  'labels.unavailable': { endpoint: string; source: string; reason: string };
  'hub.malformed': { endpoint: string; reason: string };
  'hub.noSafetensors': { repo: string; found: string; gguf: readonly string[] };
  'hub.noSpace': { path: string; needed: string; free: string };
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
  'model.notSafetensors':
    '{path} holds its weights only as {found}, a format that Fovea does not read. Convert them: load the model with transformers and call save_pretrained(folder, safe_serialization=True), then open that folder.',
  'disk.full':
    '{path} has to be converted first, which takes {needed} of disk in {folder}, and {available} is free. Free some space, or choose a smaller model.',
  'model.tooLarge': '{path} needs about {needed} of memory, and {available} is free. Choose a smaller model.',
  'tokenizer.missing':
    '{path} has no tokenizer.json. Save the tokenizer into the model folder (tokenizer.save_pretrained) and open the model again.',
  'sae.tooLarge':
    '{path} needs about {needed} of memory, and {available} is free. Choose a smaller SAE or model.',
  'sae.mismatch':
    'The SAE in {path} does not fit the model {model}: {reason}. Choose an SAE trained on this model.',
  'sae.unsupported':
    '{path} holds an SAE of the kind "{architecture}", which Fovea cannot run yet. It runs: {supported}.',
  'hub.notFound':
    '{repo}: the hub has no such {what}. Check the name and the revision; a private repository also needs a token ("Fovea: Set Hub Token…").',
  'hub.refused':
    'The hub does not hand out {repo}: {reason}. If access has to be granted, accept its terms on the hub and set a token with "Fovea: Set Hub Token…".',
  'hub.unreachable':
    '{endpoint} cannot be reached: {reason}. Check the network, or the mirror in the setting fovea.hub.endpoint; what was downloaded stays and is resumed.',
  'hub.corrupt':
    '{path} did not arrive as the hub says it should be (its checksum differs), so it was thrown away. Download it again.',
  'hub.malformed':
    'What {endpoint} answered is not what a hub says: {reason}. Check the setting fovea.hub.endpoint, and whether the network asks you to sign in first.',
  'hub.noSafetensors':
    '{repo} has no safetensors weights of a model (it holds: {found}). Choose a repository with model.safetensors, or a GGUF file.',
  'hub.noSpace':
    'The download needs {needed} at {path}, and {free} is free. Make room, or set HF_HUB_CACHE to a folder on another disk.',
  'labels.unavailable':
    '{endpoint} gives no labels of {source}: {reason}. Try again later, or download the export of this source and import it with "Fovea: Import Labels…".',
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
