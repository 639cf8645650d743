/** The engine: what can be asked, each answered by the module that does the work. */

import { dirname, join } from 'node:path';
import type {
  Analysis,
  AttentionPattern,
  LogitLens,
  Prediction,
  PromptComparison,
  ResidualAttribution,
} from '../shared/analysis.ts';
import type { ComponentLens, FeatureAttribution } from '../shared/attributionApi.ts';
import type { FeatureInfo, FeatureRef, ModelInfo, SaeId, SaeInfo } from '../shared/domain.ts';
import type {
  AnalyzeRequest,
  CallOptions,
  ContrastSuggestionRequest,
  EngineApi,
  FeatureHeatRequest,
  SaeMetrics,
  TrainSaeRequest,
} from '../shared/engineApi.ts';
import { throwIfCancelled } from '../shared/errors.ts';
import type { DownloadPlan, LocalModel } from '../shared/hubApi.ts';
import { labelSourceOf } from '../shared/labelSource.ts';
import type { SaeRelease } from '../shared/saeApi.ts';
import { analyzePrompt } from './analyzePrompt.ts';
import { requestedCheck } from './checkRequest.ts';
import { decoderLogits } from './decoderLogits.ts';
import { EngineCircuits } from './engineCircuits.ts';
import type { EngineOptions } from './engineState.ts';
import { featureHeat } from './featureHeat.ts';
import { floatsOf } from './graph/value.ts';
import { Hub } from './hub/hub.ts';
import { Labels } from './labels/labels.ts';
import { readLogitSum } from './logitSumRequest.ts';
import { comparePrompts } from './method/alignTokens.ts';
import { attributeFeatures, componentLens } from './method/directLogitAttribution.ts';
import { logitLens } from './method/logitLens.ts';
import { attributeLogits } from './method/residualAttribution.ts';
import { parseModelConfig } from './model/config.ts';
import { blockHookName } from './model/hooks.ts';
import { placedPairs } from './placedPairs.ts';
import { topOfLogits } from './predictions.ts';
import { checkLayer, checkPosition, requireCount } from './requestChecks.ts';
import { describeSae, findSaeFolders } from './sae/catalog.ts';
import { withConvention } from './sae/convention.ts';
import { exportSae } from './sae/exportSae.ts';
import { openSae } from './sae/formats/registry.ts';
import { listReleases } from './sae/releases.ts';
import { openTunedLens } from './sae/tunedLens.ts';
import { checkTask } from './task/checkTask.ts';
import { generateTask } from './task/generateTask.ts';
import { readTaskFile, readTaskText, writeTaskFile } from './task/taskFile.ts';
import { trainSaeOnModel } from './training/trainSaeOnModel.ts';

/** See `EngineApi` for what each method answers. */
export class Engine extends EngineCircuits implements EngineApi {
  private readonly hub: Hub;
  private readonly labels: Labels;
  /** SAEs as they were listed last. */
  private readonly listed = new Map<SaeId, SaeInfo>();
  private runCount = 0;

  constructor(options: EngineOptions = {}) {
    super(options);
    this.labels = new Labels(this.labelStore, (id) => this.listed.get(id));
    this.hub = new Hub({ storage: this.storage, checkConfig: parseModelConfig });
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
      for (const folder of [join(home, 'saes'), join(home, 'transcoders'), ...request.folders]) {
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
    return this.withRun(run, call, (known, signal) => featureHeat(known, this.saes, features, signal));
  }

  async featureInfo(
    request: { readonly features: readonly FeatureRef[]; readonly logits: boolean },
    call: CallOptions = {},
  ): Promise<readonly FeatureInfo[]> {
    const infos: FeatureInfo[] = [];
    for (const feature of request.features) {
      throwIfCancelled(call.signal);
      const known = await this.saes.featureInfo(feature);
      infos.push(request.logits ? { ...known, ...(await this.logitsOf(feature, call)) } : known);
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
      const asked = { sae, text, textName, threads: this.options.threads };
      const check = await requestedCheck(loaded, this.saes, asked, { ...call, signal });
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

  async placePairs({ model, ...asked }: Parameters<EngineApi['placePairs']>[0], call: CallOptions = {}) {
    return this.withModel(model, call, (loaded, signal) => placedPairs(loaded, asked, signal));
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

  private async logitsOf(feature: FeatureRef, call: CallOptions) {
    const owner = this.saes.modelOf(feature.sae);
    if (owner === undefined) return {};
    return this.withModel(owner, call, (model) => decoderLogits(model, this.saes, feature));
  }
}
