/** One look at a prompt: the clean run with its reused prefix, the run with interventions, and what changed. */

import type { Analysis, AttentionSource, Effect } from '../shared/analysis.ts';
import type { HookName, Provenance } from '../shared/domain.ts';
import type { AnalyzeRequest } from '../shared/engineApi.ts';
import { EngineError } from '../shared/errors.ts';
import { AnalyzedRun } from './analyzedRun.ts';
import { floatsOf, type Value } from './graph/value.ts';
import type { LoadedModel, TokenContrast } from './loadedModel.ts';
import type { LoadedSaes } from './loadedSaes.ts';
import { type EditContext, planEdits } from './model/applyEdits.ts';
import { collectStrongest, watchPatterns } from './model/attentionSources.ts';
import type { RunEdit } from './model/edits.ts';
import { locateHook } from './model/hooks.ts';
import { pickPositions } from './model/kvCache.ts';
import { type PromptRun, runPrompt } from './model/promptRun.ts';
import type { RunResult } from './model/transformer.ts';
import { klDivergence, topOfLogits } from './predictions.ts';
import { lookAt, type PromptLook, type SaeInput } from './promptLook.ts';
import type { PromptWindow } from './promptWindow.ts';
import { kindOf, outputHook } from './sae/format.ts';
import type { SparseAutoencoder } from './sae/sparseAutoencoder.ts';

export interface PromptAnalysis {
  readonly id: string;
  readonly model: LoadedModel;
  readonly saes: LoadedSaes;
  readonly request: AnalyzeRequest;
  readonly provenance: Provenance;
  readonly signal?: AbortSignal;
}

interface OpenSae {
  readonly id: string;
  readonly sae: SparseAutoencoder;
  readonly hook: HookName;
}

/** Runs the prompt and reads off it what the views show. */
export async function analyzePrompt(work: PromptAnalysis): Promise<{ run: AnalyzedRun; analysis: Analysis }> {
  const { id, model, request, signal } = work;
  const started = performance.now();
  const window = model.window(request.text);
  const contrast = request.contrast && model.contrast(request.contrast, window.ids.length);
  const saes = await openSaes(work);
  const { run: clean, look } = await lookAtClean(work, window, contrast, saes);
  const used = new Set<SparseAutoencoder>();
  const edits = await planEdits(editContext(work, window.ids, used), request.edits);
  requireBelowReadout(edits, model.info.nLayers);
  const common = {
    run: id,
    strip: window.strip,
    reused: clean.reused,
    provenance: work.provenance,
  };
  if (edits.length === 0) {
    const run = new AnalyzedRun(id, model, window.ids, window.strip, clean.residualReader(), []);
    const analysis: Analysis = {
      ...common,
      features: look.features,
      predictions: look.predictions,
      probabilities: look.probabilities,
      attention: clean.strongestAttention ?? [],
      contrast: contrastValue(look),
      milliseconds: performance.now() - started,
    };
    return { run, analysis };
  }
  const edited = await runEdited(model, clean, edits, saes, signal);
  const changed = await lookAtEdited(work, window, contrast, saes, edited);
  const effect = await measureEffect(work, clean, edited, contrast, [look, changed]);
  const residual = editedReader(edited.residuals, clean);
  const run = new AnalyzedRun(id, model, window.ids, window.strip, residual, edits, [...used]);
  const analysis: Analysis = {
    ...common,
    features: changed.features,
    predictions: changed.predictions,
    probabilities: changed.probabilities,
    attention: edited.strongest,
    contrast: contrastValue(changed),
    effect,
    milliseconds: performance.now() - started,
  };
  return { run, analysis };
}

/** The streams of an edited run; below the first edit they are those of the clean run. Holds on to nothing else. */
function editedReader(residuals: RunResult['residuals'], clean: PromptRun): (layer: number) => Value {
  const unedited = clean.residualReader(residuals.findIndex((residual) => residual !== undefined));
  return (layer) => residuals[layer] ?? unedited(layer);
}

/** Predictions, lens and attribution read the residual stream out themselves: an edit behind it would go unseen. */
function requireBelowReadout(edits: readonly RunEdit[], nLayers: number): void {
  const late = edits.find(({ hook }) => locateHook(hook, nLayers).layer >= nLayers);
  if (!late) return;
  const reason = 'interventions act on the embedding and inside the blocks; choose a hook there';
  throw new EngineError('request.invalid', { what: `The hook "${late.hook}"`, reason });
}

async function openSaes({ model, saes, request }: PromptAnalysis): Promise<OpenSae[]> {
  const opened: OpenSae[] = [];
  for (const id of request.saes) {
    const sae = await saes.open(id, model.info);
    opened.push({ id, sae, hook: sae.config.hookName });
  }
  return opened;
}

async function lookAtClean(
  { model, request, signal }: PromptAnalysis,
  window: PromptWindow,
  contrast: TokenContrast | undefined,
  saes: readonly OpenSae[],
): Promise<{ run: PromptRun; look: PromptLook }> {
  const before = model.live;
  const run = await runPrompt(model.transformer, window.ids, {
    hooks: [...new Set(saes.map(({ hook }) => hook))],
    attention: true,
    previous: before?.run,
    signal,
  });
  const look = await lookAt(model, {
    ...lookRequest(request, window, contrast),
    finalResidual: run.residual(model.info.nLayers),
    saes: saes.map(({ id, sae, hook }): SaeInput => ({ id, sae, value: run.hook(hook) })),
    reused: run.reused,
    previous: before?.look,
    signal,
  });
  model.live = { run, look };
  return { run, look };
}

function lookAtEdited(
  { model, request, signal }: PromptAnalysis,
  window: PromptWindow,
  contrast: TokenContrast | undefined,
  saes: readonly OpenSae[],
  edited: RunResult,
): Promise<PromptLook> {
  return lookAt(model, {
    ...lookRequest(request, window, contrast),
    finalResidual: edited.residuals[model.info.nLayers]!,
    saes: saes.map(({ id, sae, hook }): SaeInput => ({ id, sae, value: edited.hooks.get(hook)! })),
    reused: 0,
    signal,
  });
}

function lookRequest(request: AnalyzeRequest, { ids }: PromptWindow, contrast: TokenContrast | undefined) {
  const { topFeatures, topPredictions } = request;
  const ask = contrast
    ? [contrast.answer, contrast.wrong].map((token) => ({ position: contrast.position, token }))
    : [];
  return { ids, topFeatures, topPredictions, ask };
}

function contrastValue({ asked: [answer, wrong] }: PromptLook): number | undefined {
  return answer === undefined || wrong === undefined ? undefined : answer - wrong;
}

interface EditedRun extends RunResult {
  /** By position: the head that looks back hardest. */
  readonly strongest: readonly (AttentionSource | undefined)[];
}

/** Runs the blocks from the first edited one on, from the clean residual stream that enters it. */
async function runEdited(
  model: LoadedModel,
  clean: PromptRun,
  edits: readonly RunEdit[],
  saes: readonly OpenSae[],
  signal?: AbortSignal,
): Promise<EditedRun> {
  const { nLayers } = model.info;
  const layers = edits.map(({ hook }) => locateHook(hook, nLayers).layer);
  const first = Math.min(...layers);
  // Layers below the first edit attend as they did in the clean run.
  const strongest = [...(clean.strongestBelow(Math.max(0, first)) ?? [])];
  const see = (pattern: Value, layer: number) => collectStrongest(strongest, pattern, layer);
  const hooks = saes.map(({ hook }) => hook);
  const runs = (hook: HookName): boolean => locateHook(hook, nLayers).layer >= first;
  const result = await model.transformer.run({
    ...(first < 0 ? { tokens: [clean.tokens] } : { from: { layer: first, residual: clean.residual(first) } }),
    edits,
    capture: hooks.filter(runs),
    watch: watchPatterns(nLayers, see, Math.max(0, first)),
    logits: 'none',
    signal,
  });
  const untouched = hooks.filter((hook) => !runs(hook));
  return {
    ...result,
    strongest,
    hooks: new Map([...result.hooks, ...untouched.map((hook) => [hook, clean.hook(hook)] as const)]),
  };
}

async function measureEffect(
  { model, request }: PromptAnalysis,
  clean: PromptRun,
  edited: RunResult,
  contrast: TokenContrast | undefined,
  [before, after]: readonly [PromptLook, PromptLook],
): Promise<Effect> {
  const { nLayers } = model.info;
  const position = contrast?.position ?? clean.tokens.length - 1;
  const read = async (residual: Value): Promise<Float32Array> =>
    floatsOf(await model.transformer.readOut(pickPositions(residual, [position])));
  const [p, q] = [await read(clean.residual(nLayers)), await read(edited.residuals[nLayers]!)];
  const [cleanValue, editedValue] = [contrastValue(before), contrastValue(after)];
  return {
    ...(cleanValue !== undefined &&
      editedValue !== undefined && { contrast: { clean: cleanValue, edited: editedValue } }),
    kl: klDivergence(p, q),
    before: topOfLogits(p, request.topPredictions, model.tokenizer),
    after: topOfLogits(q, request.topPredictions, model.tokenizer),
  };
}

/** `used` takes the SAEs that edits compute with. */
function editContext(
  { model, saes, signal }: PromptAnalysis,
  ids: Int32Array,
  used: Set<SparseAutoencoder>,
): EditContext {
  const { transformer, info } = model;
  const reference = async (hook: HookName, text?: string): Promise<Value> => {
    const tokens = text === undefined ? ids : model.window(text).ids;
    const { layer } = locateHook(hook, info.nLayers);
    const run = await transformer.run({
      tokens: [tokens],
      capture: [hook],
      stopAtLayer: layer + 1,
      logits: 'none',
      signal,
    });
    return run.hooks.get(hook)!;
  };
  return {
    config: transformer.config,
    positions: ids.length,
    before: model.bos === undefined ? 0 : 1,
    reference,
    featureSource: async (feature) => {
      const sae = await saes.open(feature.sae, info);
      // Refuses an index that the SAE does not have.
      await saes.featureInfo(feature);
      used.add(sae);
      return { ...featureHooks(sae), sae };
    },
  };
}

/** Where an SAE's features are read and written. @throws request.invalid when that is not within one block. */
function featureHooks({ config }: SparseAutoencoder): { hook: HookName; writes?: HookName } {
  const { hookName: hook } = config;
  const writes = outputHook(config);
  const blockOf = (name: string) => /^blocks\.\d+\./.exec(name)?.[0];
  if (kindOf(config) !== 'crossLayer' && writes !== undefined) {
    if (writes === hook) return { hook };
    if (blockOf(writes) !== undefined && blockOf(writes) === blockOf(hook)) return { hook, writes };
  }
  throw new EngineError('request.invalid', {
    what: `A feature of the ${kindOf(config) === 'crossLayer' ? 'cross-layer ' : ''}transcoder at ${hook}`,
    reason:
      'interventions act within one block, and it writes to others; choose an SAE or a per-layer transcoder',
  });
}
