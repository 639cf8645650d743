/** The engine: keeps what is loaded, looks up handles, and calls the modules that do the work. */

import { realpath } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type {
  AttributeEdgesRequest,
  ComponentLens,
  EvaluateEdgesRequest,
  FeatureAttribution,
  RunAcdcRequest,
} from '../shared/attributionApi.ts';
import type {
  Analysis,
  AttentionPattern,
  CircuitEvaluation,
  CircuitGraph,
  FeatureInfo,
  FeatureRef,
  LogitLens,
  ModelInfo,
  Prediction,
  PromptComparison,
  Provenance,
  ResidualAttribution,
  SaeId,
  SaeInfo,
} from '../shared/domain.ts';
import type {
  AnalyzeRequest,
  CallOptions,
  CircuitEvaluationRequest,
  CircuitRequest,
  ContrastSuggestionRequest,
  EngineApi,
  FeatureHeatRequest,
  OpenModelRequest,
  SaeMetrics,
  TrainSaeRequest,
} from '../shared/engineApi.ts';
import { EngineError, isEngineError, throwIfCancelled } from '../shared/errors.ts';
import type { DownloadPlan, LocalModel } from '../shared/hubApi.ts';
import { labelSourceOf } from '../shared/labelSource.ts';
import type { AblateSweepRequest, PatchSweepRequest, PathPatchRequest } from '../shared/patchingApi.ts';
import type { SaeRelease } from '../shared/saeApi.ts';
import type { SaeCheck } from '../shared/saeCheck.ts';
import type { AnalyzedRun } from './analyzedRun.ts';
import { analyzePrompt } from './analyzePrompt.ts';
import { attributeEdges, evaluateEdges, runAcdc } from './attribution.ts';
import { readCircuitRequest, requireSameTokens } from './circuitRequest.ts';
import { collectGarbage } from './collectGarbage.ts';
import { fileError } from './files/fileErrors.ts';
import { floatsOf } from './graph/value.ts';
import { Hub } from './hub/hub.ts';
import { LabelStore } from './labels/labelStore.ts';
import { Labels } from './labels/labels.ts';
import { LoadedModel } from './loadedModel.ts';
import { LoadedSaes } from './loadedSaes.ts';
import { readLogitSum } from './logitSumRequest.ts';
import { comparePrompts } from './method/alignTokens.ts';
import { evaluateCircuit } from './method/circuitEvaluation.ts';
import { attributeFeatures, componentLens } from './method/directLogitAttribution.ts';
import { gradientCircuit } from './method/gradientCircuit.ts';
import { requestedEstimate, requestedStudy } from './method/ioi/studyRequest.ts';
import { logitLens } from './method/logitLens.ts';
import { attributeLogits } from './method/residualAttribution.ts';
import { parseModelConfig } from './model/config.ts';
import { blockHookName, locateHook, writesStream } from './model/hooks.ts';
import { ablateSweep, estimatePatching, type PatchingContext, patchSweep, pathPatch } from './patching.ts';
import { topOfLogits } from './predictions.ts';
import { RecentMap } from './recentMap.ts';
import { checkSaeUsable, describeSae, findSaeFolders, infoOf } from './sae/catalog.ts';
import { checkSae } from './sae/check/checkSae.ts';
import { withConvention } from './sae/convention.ts';
import { exportSae } from './sae/exportSae.ts';
import { outputHooks } from './sae/format.ts';
import { openSae } from './sae/formats/registry.ts';
import { listReleases } from './sae/releases.ts';
import { openTunedLens } from './sae/tunedLens.ts';
import { defaultStorage } from './storage.ts';
import { checkTask } from './task/checkTask.ts';
import { generateTask } from './task/generateTask.ts';
import { readTaskFile, readTaskText, writeTaskFile } from './task/taskFile.ts';
import { trainSaeOnModel } from './training/trainSaeOnModel.ts';

/** Stands in every result's provenance. Replaced by the package's version when the engine is bundled. */
declare const FOVEA_VERSION: string | undefined;
const version = typeof FOVEA_VERSION === 'string' ? FOVEA_VERSION : 'development';

/** Runs that can still be asked about. A view asks about the newest one, or the one before while that is computed. */
const keptRuns = { entries: 12, weight: 512 * 2 ** 20, weigh: (run: AnalyzedRun) => run.bytes };

export interface EngineOptions {
  /** Threads inside one operation; the number of physical cores when left out. */
  readonly threads?: number;
  /** Folder for what is kept between runs; `defaultStorage()` when left out. */
  readonly storage?: string;
}

/** See `EngineApi` for what each method answers. */
export class Engine implements EngineApi {
  private readonly models = new Map<string, Promise<LoadedModel>>();
  private readonly saes: LoadedSaes;
  private readonly hub: Hub;
  private readonly labelStore: LabelStore;
  private readonly labels: Labels;
  /** SAEs as they were listed last. */
  private readonly listed = new Map<SaeId, SaeInfo>();
  private readonly runs = new RecentMap<AnalyzedRun>(keptRuns);
  private runCount = 0;
  /** Calls that are at work on a model. */
  private underWay = 0;

  constructor(private readonly options: EngineOptions = {}) {
    const storage = options.storage ?? defaultStorage();
    this.labelStore = new LabelStore(storage);
    this.labels = new Labels(this.labelStore, (id) => this.listed.get(id));
    this.saes = new LoadedSaes(this.labelStore, options.threads);
    this.hub = new Hub({ storage, checkConfig: parseModelConfig });
  }

  async openModel({ path, bos }: OpenModelRequest, call: CallOptions = {}): Promise<ModelInfo> {
    const { signal } = call;
    throwIfCancelled(signal);
    const real = await realpath(path).catch((error) => {
      throw fileError(path, error);
    });
    throwIfCancelled(signal);
    const known = this.models.get(real);
    const loading = known ?? this.load(real, path, call);
    const model = await loading.catch((error: unknown) => {
      // Somebody else's call was cancelled, not this one.
      if (known && isEngineError(error, 'cancelled') && !signal?.aborted) return undefined;
      throw error;
    });
    if (!model) return this.openModel({ path, bos }, call);
    if (bos !== undefined) model.setBos(bos);
    return model.info;
  }

  /** Opens the model at `path`, known as `id` from now on unless it fails or is cancelled. */
  private load(id: string, path: string, call: CallOptions): Promise<LoadedModel> {
    const loading = (async () => {
      const model = await LoadedModel.open(path, { ...this.options, ...call });
      if (!call.signal?.aborted) return model;
      await model.release();
      throw new EngineError('cancelled', {});
    })();
    this.models.set(id, loading);
    loading.catch(() => {
      if (this.models.get(id) === loading) this.models.delete(id);
    });
    return loading;
  }

  /** Cancels what is under way on the model, and ends with it. Whoever asks from now on is told that it is not open. */
  async closeModel({ model: id }: { readonly model: string }): Promise<void> {
    const loading = this.model(id);
    this.models.delete(id);
    const model = await loading;
    await model.release();
    this.runs.deleteWhere((run) => run.model === model);
    await this.saes.releaseUnder(model.info);
    collectGarbage();
  }

  async listSaes(
    request: { readonly model: string; readonly folders: readonly string[] },
    call: CallOptions = {},
  ): Promise<readonly SaeInfo[]> {
    return this.withModel(request.model, call, async ({ info }, signal) => {
      // One folder may be named twice, or lie below another that is named.
      const paths = new Set<string>();
      // A GGUF file's SAEs lie in a folder beside it.
      const home = /\.gguf$/i.test(info.path) ? dirname(info.path) : info.path;
      for (const folder of [join(home, 'saes'), ...request.folders]) {
        throwIfCancelled(signal);
        for (const id of await findSaeFolders(folder)) paths.add(id);
      }
      throwIfCancelled(signal);
      const found = await Promise.all([...paths].map((id) => this.describeSae(id, info)));
      return found.sort((a, b) => a.layer - b.layer);
    });
  }

  async analyze(request: AnalyzeRequest, call: CallOptions = {}): Promise<Analysis> {
    requireCount('The number of features per token', request.topFeatures, 0);
    requireCount('The number of predictions', request.topPredictions, 1);
    return this.withModel(request.model, call, async (model, signal) => {
      const provenance = await this.provenance(model, request.saes);
      const id = `run-${++this.runCount}`;
      const { saes } = this;
      const { run, analysis } = await analyzePrompt({ id, model, saes, request, provenance, signal });
      throwIfCancelled(signal);
      this.runs.set(id, run);
      return analysis;
    });
  }

  async featureHeat({ run, features }: FeatureHeatRequest, call: CallOptions = {}): Promise<Float32Array> {
    return this.withRun(run, call, (known, signal) => this.heatOf(known, features, signal));
  }

  async featureInfo(
    request: { readonly features: readonly FeatureRef[]; readonly logits: boolean },
    call: CallOptions = {},
  ): Promise<readonly FeatureInfo[]> {
    const infos: FeatureInfo[] = [];
    for (const feature of request.features) {
      throwIfCancelled(call.signal);
      const known = await this.saes.featureInfo(feature);
      infos.push(request.logits ? { ...known, ...(await this.decoderLogits(feature, call)) } : known);
    }
    return infos;
  }

  async logitLens(
    request: { readonly run: string; readonly top: number; readonly tuned?: string },
    call: CallOptions = {},
  ): Promise<LogitLens> {
    requireCount('The number of predictions', request.top, 1);
    return this.withRun(request.run, call, async (run, signal) => {
      const tuned =
        request.tuned === undefined ? undefined : await openTunedLens(request.tuned, run.model.info);
      try {
        return await logitLens(run.model, run.residuals, request.top, signal, tuned);
      } finally {
        await tuned?.release();
      }
    });
  }

  async attention(
    request: { readonly run: string; readonly layer: number },
    call: CallOptions = {},
  ): Promise<AttentionPattern> {
    return this.withRun(request.run, call, async (run, signal) => {
      checkLayer(request.layer, run.model.info);
      const value = await run.hook(blockHookName(request.layer, 'attn.hook_pattern'), signal);
      const { nHeads } = run.model.info;
      return { layer: request.layer, nHeads, positions: run.ids.length, pattern: floatsOf(value) };
    });
  }

  async residualAttribution(
    request: Parameters<EngineApi['residualAttribution']>[0],
    call: CallOptions = {},
  ): Promise<ResidualAttribution> {
    return this.withRun(request.run, call, async (run, signal) => {
      const { sum, what } = await readLogitSum(run, request);
      const { components, total } = await attributeLogits(run.model.transformer, run, sum, signal);
      return { position: sum.position, what, components, total };
    });
  }

  async suggestAnswers(
    { model: id, text }: ContrastSuggestionRequest,
    call: CallOptions = {},
  ): Promise<readonly Prediction[]> {
    return this.withModel(id, call, async (model, signal) => {
      const tokens = [model.window(text).ids];
      const { logits } = await model.transformer.run({ tokens, logits: 'last', signal });
      return topOfLogits(floatsOf(logits!), 20, model.tokenizer);
    });
  }

  async comparePrompts(
    request: { readonly model: string; readonly clean: string; readonly corrupted: string },
    call: CallOptions = {},
  ): Promise<PromptComparison> {
    return this.withModel(request.model, call, async (model, signal) => {
      const clean = model.window(request.clean).strip;
      throwIfCancelled(signal);
      const corrupted = model.window(request.corrupted).strip;
      throwIfCancelled(signal);
      return comparePrompts(clean, corrupted);
    });
  }

  async findCircuit(request: CircuitRequest, call: CallOptions = {}): Promise<CircuitGraph> {
    requireCount('The number of nodes', request.maxNodes, 1);
    return this.withModel(request.model, call, (model, signal) =>
      this.circuitOf(model, request, { ...call, signal }),
    );
  }

  async evaluateCircuit(
    request: CircuitEvaluationRequest,
    call: CallOptions = {},
  ): Promise<CircuitEvaluation> {
    return this.withModel(request.model, call, async (model, signal) => {
      const { prompt: text, counterfactual, nodes, tokens } = request.graph;
      const asked = { text, counterfactual, contrast: request.contrast, saes: [] };
      const inputs = await readCircuitRequest(model, this.saes, asked);
      requireSameTokens(tokens, inputs.ids);
      const kept = new Set(request.kept);
      return evaluateCircuit(
        inputs,
        nodes.filter((node) => kept.has(node.id)),
        signal,
      );
    });
  }

  async trainSae(request: TrainSaeRequest, call: CallOptions = {}): Promise<SaeMetrics> {
    return this.withModel(request.model, call, async (model, signal) => {
      try {
        return await trainSaeOnModel(model, request, { ...call, signal });
      } finally {
        await this.saes.forget(request.out);
      }
    });
  }

  async checkSae(
    { model, sae, text, textName }: Parameters<EngineApi['checkSae']>[0],
    call: CallOptions = {},
  ) {
    return this.withModel(model, call, async (loaded, signal) => {
      const declared = await openSae(sae);
      checkSaeUsable(declared, loaded.info);
      const convention = this.saes.convention(sae);
      const { transformer, tokenizer, info } = loaded;
      const checked = {
        transformer,
        tokenizer,
        threads: this.options.threads,
        bos: info.bos === 'prepended',
      };
      const request = { declared, convention, text, textName };
      const measured = await checkSae(checked, request, { ...call, signal });
      const { hash, release } = await infoOf(declared);
      const of = { model: info.hash, bos: info.bos, sae: hash, ...(release !== undefined && { release }) };
      const check: SaeCheck = { sae, model, of, ...measured };
      // A text of the user's own tells of that text, not of how the SAE is read.
      if (text === undefined) this.saes.checked(check);
      return check;
    });
  }

  async configureSae({ sae, convention, check }: Parameters<EngineApi['configureSae']>[0]): Promise<void> {
    await this.saes.configure(sae, convention, check);
    await this.freeRetired();
  }

  async listReleases({ model: id }: { readonly model: string }): Promise<readonly SaeRelease[]> {
    return listReleases((await this.model(id)).info);
  }

  async exportSae(
    { sae, model, format, out }: Parameters<EngineApi['exportSae']>[0],
    call: CallOptions = {},
  ) {
    return this.withModel(model, call, async () => {
      const opened = withConvention(await openSae(sae), this.saes.convention(sae));
      await exportSae(opened, { format, out });
      await this.saes.forget(out);
    });
  }

  async studyIndirectObjects(
    request: Parameters<EngineApi['studyIndirectObjects']>[0],
    call: CallOptions = {},
  ) {
    return this.withModel(request.model, call, (loaded, signal) =>
      requestedStudy(loaded, request, { ...call, signal }),
    );
  }

  async estimateIndirectObjects(
    request: Parameters<EngineApi['estimateIndirectObjects']>[0],
    call: CallOptions = {},
  ) {
    return this.withModel(request.model, call, (loaded, signal) =>
      requestedEstimate(loaded, request, { ...call, signal }),
    );
  }

  async checkTask({ model, file, measure }: Parameters<EngineApi['checkTask']>[0], call: CallOptions = {}) {
    if (measure !== undefined) requireCount('The number of pairs to measure', measure, 0);
    return this.withModel(model, call, async (loaded, signal) => {
      const read =
        'path' in file ? await readTaskFile(file.path, signal) : readTaskText(file.name, file.text, signal);
      return checkTask(read, loaded, { ...call, signal, measure });
    });
  }

  async generateTask({ model, ...task }: Parameters<EngineApi['generateTask']>[0], call: CallOptions = {}) {
    return this.withModel(model, call, async (loaded, signal) => ({
      text: writeTaskFile(await generateTask(task, loaded, signal)),
    }));
  }

  async patchSweep(request: PatchSweepRequest, call: CallOptions = {}) {
    return this.withModel(request.model, call, (model, signal) =>
      patchSweep(this.patchingContext(model), request, { ...call, signal }),
    );
  }

  async ablateSweep(request: AblateSweepRequest, call: CallOptions = {}) {
    return this.withModel(request.model, call, (model, signal) =>
      ablateSweep(this.patchingContext(model), request, { ...call, signal }),
    );
  }

  async pathPatch(request: PathPatchRequest, call: CallOptions = {}) {
    return this.withModel(request.model, call, (model, signal) =>
      pathPatch(this.patchingContext(model), request, { ...call, signal }),
    );
  }

  async estimateSweep(request: PatchSweepRequest, call: CallOptions = {}) {
    return this.withModel(request.model, call, (model, signal) =>
      estimatePatching(this.patchingContext(model), request, { ...call, signal }),
    );
  }

  async featureAttribution(
    request: Parameters<EngineApi['featureAttribution']>[0],
    call: CallOptions = {},
  ): Promise<FeatureAttribution> {
    return this.withRun(request.run, call, async (run) => {
      const { sum, what } = await readLogitSum(run, request);
      const sae = await this.saes.open(request.sae, run.model.info);
      const at = { sae, hook: sae.config.hookName };
      const found = await attributeFeatures(run.model.transformer, run, at, sum);
      return { position: sum.position, what, ...found };
    });
  }

  async componentLens(
    { run: id, position, top }: Parameters<EngineApi['componentLens']>[0],
    call: CallOptions = {},
  ): Promise<readonly ComponentLens[]> {
    requireCount('The number of tokens', top, 1);
    return this.withRun(id, call, async ({ model, ids }, signal) => {
      checkPosition(position, ids.length);
      const { transformer, readout, tokenizer } = model;
      return componentLens({ model: transformer, readout, tokenizer }, ids, { position, top }, signal);
    });
  }

  async attributeEdges(request: AttributeEdgesRequest, call: CallOptions = {}) {
    return this.withModel(request.model, call, (model, signal) =>
      attributeEdges(this.patchingContext(model), request, { ...call, signal }),
    );
  }

  async evaluateEdges(request: EvaluateEdgesRequest, call: CallOptions = {}) {
    return this.withModel(request.model, call, (model, signal) =>
      evaluateEdges(this.patchingContext(model), request, { ...call, signal }),
    );
  }

  async runAcdc(request: RunAcdcRequest, call: CallOptions = {}) {
    return this.withModel(request.model, call, (model, signal) =>
      runAcdc(this.patchingContext(model), request, { ...call, signal }),
    );
  }

  importLabels(...call: Parameters<EngineApi['importLabels']>) {
    return this.labels.importLabels(...call);
  }

  fetchLabels(...call: Parameters<EngineApi['fetchLabels']>) {
    return this.labels.fetchLabels(...call);
  }

  searchLabels(...call: Parameters<EngineApi['searchLabels']>) {
    return this.labels.searchLabels(...call);
  }

  setUserLabels(...call: Parameters<EngineApi['setUserLabels']>) {
    return this.labels.setUserLabels(...call);
  }

  labelSources(...call: Parameters<EngineApi['labelSources']>) {
    return this.labels.labelSources(...call);
  }

  listLocalModels(...call: Parameters<EngineApi['listLocalModels']>): Promise<readonly LocalModel[]> {
    return this.hub.listLocalModels(...call);
  }

  locateCached(...call: Parameters<EngineApi['locateCached']>): Promise<{ readonly path?: string }> {
    return this.hub.locateCached(...call);
  }

  planDownload(...call: Parameters<EngineApi['planDownload']>): Promise<DownloadPlan> {
    return this.hub.planDownload(...call);
  }

  download(...call: Parameters<EngineApi['download']>): Promise<{ readonly path: string }> {
    return this.hub.download(...call);
  }

  async ping(): Promise<{ pid: number; memory: number }> {
    return { pid: process.pid, memory: process.memoryUsage().rss };
  }

  private async describeSae(id: SaeId, model: ModelInfo): Promise<SaeInfo> {
    const described = await describeSae(id, model, { convention: this.saes.convention(id) });
    const check = this.saes.checkOf(described, model);
    const info = { ...described, ...(check && { check }) };
    this.listed.set(id, info);
    const source = labelSourceOf(info);
    const fault = await this.labelStore.tryLoad(source);
    const faults = fault === undefined ? info.faults : [...(info.faults ?? []), fault];
    const labelSource = this.labelStore.originOf(source) ?? info.labelSource;
    return { ...info, labelSource, ...(faults && { faults }) };
  }

  private model(id: string): Promise<LoadedModel> {
    const model = this.models.get(id);
    if (!model) throw new EngineError('handle.unknown', { what: 'model', id });
    return model;
  }

  /** Runs `work` on an open model; see `LoadedModel.use`. @throws handle.unknown, cancelled */
  private async withModel<T>(
    id: string,
    { signal }: CallOptions,
    work: (model: LoadedModel, signal: AbortSignal) => Promise<T>,
  ): Promise<T> {
    throwIfCancelled(signal);
    const model = await this.model(id);
    return this.counted(() => model.use(signal, (combined) => work(model, combined)));
  }

  /** Runs `work` on a kept run, whose model stays open meanwhile. @throws handle.unknown, cancelled */
  private async withRun<T>(
    id: string,
    { signal }: CallOptions,
    work: (run: AnalyzedRun, signal: AbortSignal) => Promise<T>,
  ): Promise<T> {
    throwIfCancelled(signal);
    const run = this.runs.get(id);
    if (!run) throw new EngineError('handle.unknown', { what: 'run', id });
    return this.counted(() => run.model.use(signal, (combined) => work(run, combined)));
  }

  /** Does `work`; when it was the last of what is under way, frees SAEs that were given up and no run needs. */
  private async counted<T>(work: () => Promise<T>): Promise<T> {
    this.underWay++;
    try {
      return await work();
    } finally {
      this.underWay--;
      await this.freeRetired();
    }
  }

  private async freeRetired(): Promise<void> {
    if (this.underWay > 0) return;
    await this.saes.freeRetired(new Set([...this.runs.values()].flatMap(({ saes }) => saes)));
  }

  private async heatOf(
    run: AnalyzedRun,
    features: readonly FeatureRef[],
    signal: AbortSignal,
  ): Promise<Float32Array> {
    const positions = run.ids.length;
    const heat = new Float32Array(features.length * positions);
    for (const [id, places] of groupBySae(features)) {
      const sae = await this.saes.open(id, run.model.info);
      // Refuses features that the SAE does not have.
      for (const { index } of places) await this.saes.featureInfo({ sae: id, index });
      const value = await run.hook(sae.config.hookName, signal);
      const rows = await sae.chosen(
        value,
        places.map(({ index }) => index),
      );
      places.forEach(({ place }, column) => {
        for (let position = 0; position < positions; position++) {
          heat[place * positions + position] = rows.data[position * places.length + column]!;
        }
      });
    }
    return heat;
  }

  private async circuitOf(
    model: LoadedModel,
    request: CircuitRequest,
    call: CallOptions,
  ): Promise<CircuitGraph> {
    const inputs = await readCircuitRequest(model, this.saes, request);
    const found = await gradientCircuit(inputs, request.maxNodes, call);
    return {
      version: 1,
      prompt: request.text,
      counterfactual: request.counterfactual,
      tokens: inputs.tokens,
      nLayers: model.info.nLayers,
      method: {
        name: 'gradient attribution',
        parameters: {
          maxNodes: request.maxNodes,
          baseline: request.counterfactual ? 'counterfactual' : 'zero',
        },
      },
      metric: { name: inputs.metric, clean: found.clean, baseline: found.baseline },
      nodes: found.nodes,
      edges: found.edges,
      provenance: await this.provenance(model, request.saes),
    };
  }

  private patchingContext(model: LoadedModel): PatchingContext {
    return {
      model,
      openSae: (id) => this.saes.open(id, model.info),
      provenance: (saes) => this.provenance(model, saes),
    };
  }

  private async provenance(model: LoadedModel, saes: readonly SaeId[]): Promise<Provenance> {
    const { name, hash, bos, precision } = model.info;
    const described: Provenance['saes'][number][] = [];
    for (const id of saes) described.push(await this.saes.provenance(id, model.info));
    return { version, model: { name, hash }, saes: described, bos, precision };
  }

  /** Tokens whose logits a feature's decoder direction raises and lowers most, read without the final norm. */
  private async decoderLogits(
    { sae, index }: FeatureRef,
    call: CallOptions,
  ): Promise<Pick<FeatureInfo, 'topLogits' | 'bottomLogits'>> {
    const owner = this.saes.modelOf(sae);
    if (owner === undefined) return {};
    return this.withModel(owner, call, async ({ info, readout, tokenizer }) => {
      const opened = await this.saes.open(sae, info);
      const hooks = outputHooks(opened.config);
      if (!hooks.every((hook) => writesStream(locateHook(hook, info.nLayers).hook))) return {};
      const written = (await opened.decoderRows([index])).data;
      // What a cross-layer transcoder writes in several layers adds up in the stream.
      const direction = sumOfParts(written, hooks.length);
      return readout.directionLogits(direction, 10, tokenizer);
    });
  }
}

function checkLayer(layer: number, { nLayers }: ModelInfo): void {
  if (Number.isInteger(layer) && layer >= 0 && layer < nLayers) return;
  const reason = `the model has layers 0 to ${nLayers - 1}`;
  throw new EngineError('request.invalid', { what: `Layer ${layer}`, reason });
}

function checkPosition(position: number, length: number): void {
  if (Number.isInteger(position) && position >= 0 && position < length) return;
  const reason = `the prompt has ${length} tokens`;
  throw new EngineError('request.invalid', { what: `Position ${position}`, reason });
}

function requireCount(what: string, value: number, least: number): void {
  if (Number.isInteger(value) && value >= least) return;
  const reason = `it must be a whole number of at least ${least}, not ${value}`;
  throw new EngineError('request.invalid', { what, reason });
}

/** The sum of `parts` vectors that lie one behind the other. */
function sumOfParts(data: Float32Array, parts: number): Float32Array {
  const width = data.length / parts;
  const sum = new Float32Array(width);
  for (let i = 0; i < data.length; i++) sum[i % width]! += data[i]!;
  return sum;
}

/** Features by SAE, each with its place in the list. */
function groupBySae(features: readonly FeatureRef[]): Map<SaeId, { index: number; place: number }[]> {
  const groups = new Map<SaeId, { index: number; place: number }[]>();
  features.forEach(({ sae, index }, place) => {
    const group = groups.get(sae) ?? [];
    group.push({ index, place });
    groups.set(sae, group);
  });
  return groups;
}
