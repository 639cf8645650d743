/** The engine: keeps what is loaded, looks up handles, and calls the modules that do the work. */

import { realpath } from 'node:fs/promises';
import { join } from 'node:path';
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
import { EngineError } from '../shared/errors.ts';
import { quoteToken } from '../shared/format.ts';
import type { AnalyzedRun } from './analyzedRun.ts';
import { analyzePrompt } from './analyzePrompt.ts';
import { fileError } from './files/fileErrors.ts';
import { floatsOf } from './graph/value.ts';
import { LoadedModel } from './loadedModel.ts';
import { LoadedSaes } from './loadedSaes.ts';
import { comparePrompts } from './method/alignTokens.ts';
import { evaluateCircuit } from './method/circuitEvaluation.ts';
import type { CircuitInputs } from './method/circuitInputs.ts';
import { gradientCircuit } from './method/gradientCircuit.ts';
import { logitLens } from './method/logitLens.ts';
import { attributeLogits, type LogitSum } from './method/residualAttribution.ts';
import { blockHookName } from './model/hooks.ts';
import { topOfLogits } from './predictions.ts';
import { RecentMap } from './recentMap.ts';
import { describeSae, findSaeFolders } from './sae/catalog.ts';
import { trainSaeOnModel } from './training/trainSaeOnModel.ts';

/** Stands in every result's provenance. Replaced by the package's version when the engine is bundled. */
declare const FOVEA_VERSION: string | undefined;
const version = typeof FOVEA_VERSION === 'string' ? FOVEA_VERSION : 'development';

/** Runs that can still be asked about. A view asks about the newest one, or the one before while that is computed. */
const keptRuns = 12;

export interface EngineOptions {
  /** Threads inside one operation; the number of physical cores when left out. */
  readonly threads?: number;
}

/** See `EngineApi` for what each method answers. */
export class Engine implements EngineApi {
  private readonly models = new Map<string, Promise<LoadedModel>>();
  private readonly saes: LoadedSaes;
  private readonly runs = new RecentMap<AnalyzedRun>(keptRuns);
  private runCount = 0;

  constructor(private readonly options: EngineOptions = {}) {
    this.saes = new LoadedSaes(options.threads);
  }

  async openModel({ path }: OpenModelRequest): Promise<ModelInfo> {
    const real = await realpath(path).catch((error) => {
      throw fileError(path, error);
    });
    let loading = this.models.get(real);
    if (!loading) {
      loading = LoadedModel.open(real, this.options.threads);
      this.models.set(real, loading);
      loading.catch(() => this.models.delete(real));
    }
    return (await loading).info;
  }

  async closeModel({ model }: { readonly model: string }): Promise<void> {
    const loaded = await this.model(model);
    this.models.delete(model);
    this.runs.deleteWhere((run) => run.model === loaded);
    await this.saes.releaseUnder(model);
    await loaded.release();
  }

  async listSaes(request: {
    readonly model: string;
    readonly folders: readonly string[];
  }): Promise<readonly SaeInfo[]> {
    const { info } = await this.model(request.model);
    // One folder may be named twice, or lie below another that is named.
    const paths = new Set<string>();
    for (const folder of [join(info.path, 'saes'), ...request.folders]) {
      for (const path of await findSaeFolders(folder)) paths.add(await realpath(path));
    }
    const found = await Promise.all([...paths].map((path) => describeSae(path, info)));
    return found.sort((a, b) => a.layer - b.layer);
  }

  async analyze(request: AnalyzeRequest, { signal }: CallOptions = {}): Promise<Analysis> {
    requireCount('The number of features per token', request.topFeatures, 0);
    requireCount('The number of predictions', request.topPredictions, 1);
    const model = await this.model(request.model);
    const provenance = await this.provenance(model, request.saes);
    const id = `run-${++this.runCount}`;
    const { run, analysis } = await analyzePrompt({
      id,
      model,
      saes: this.saes,
      request,
      provenance,
      signal,
    });
    this.runs.set(id, run);
    return analysis;
  }

  async featureHeat(
    { run: id, features }: FeatureHeatRequest,
    { signal }: CallOptions = {},
  ): Promise<Float32Array> {
    const run = this.run(id);
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

  async featureInfo(request: {
    readonly features: readonly FeatureRef[];
    readonly logits: boolean;
  }): Promise<readonly FeatureInfo[]> {
    const infos: FeatureInfo[] = [];
    for (const feature of request.features) {
      const known = await this.saes.featureInfo(feature);
      infos.push(request.logits ? { ...known, ...(await this.decoderLogits(feature)) } : known);
    }
    return infos;
  }

  async logitLens(
    request: { readonly run: string; readonly top: number },
    { signal }: CallOptions = {},
  ): Promise<LogitLens> {
    requireCount('The number of predictions', request.top, 1);
    const run = this.run(request.run);
    return logitLens(run.model, run.residuals, request.top, signal);
  }

  async attention(
    request: { readonly run: string; readonly layer: number },
    { signal }: CallOptions = {},
  ): Promise<AttentionPattern> {
    const run = this.run(request.run);
    checkLayer(request.layer, run.model.info);
    const value = await run.hook(blockHookName(request.layer, 'attn.hook_pattern'), signal);
    const { nHeads } = run.model.info;
    return { layer: request.layer, nHeads, positions: run.ids.length, pattern: floatsOf(value) };
  }

  async residualAttribution(
    request: Parameters<EngineApi['residualAttribution']>[0],
    { signal }: CallOptions = {},
  ): Promise<ResidualAttribution> {
    const run = this.run(request.run);
    const { sum, what } = await this.logitSum(run, request);
    const { transformer } = run.model;
    const { components, total } = await attributeLogits(transformer, run, sum, signal);
    return { position: sum.position, what, components, total };
  }

  async suggestAnswers({ model: id, text }: ContrastSuggestionRequest): Promise<readonly Prediction[]> {
    const model = await this.model(id);
    const window = model.window(text);
    const { logits } = await model.transformer.run({ tokens: [window.ids], logits: 'last' });
    return topOfLogits(floatsOf(logits!), 20, model.tokenizer);
  }

  async comparePrompts(request: {
    readonly model: string;
    readonly clean: string;
    readonly corrupted: string;
  }): Promise<PromptComparison> {
    const model = await this.model(request.model);
    return comparePrompts(model.window(request.clean).strip, model.window(request.corrupted).strip);
  }

  async findCircuit(request: CircuitRequest, call: CallOptions = {}): Promise<CircuitGraph> {
    requireCount('The number of nodes', request.maxNodes, 1);
    const model = await this.model(request.model);
    const inputs = await this.circuitInputs(model, request);
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

  async evaluateCircuit(
    request: CircuitEvaluationRequest,
    { signal }: CallOptions = {},
  ): Promise<CircuitEvaluation> {
    const model = await this.model(request.model);
    const { graph, contrast } = request;
    const inputs = await this.circuitInputs(model, {
      text: graph.prompt,
      counterfactual: graph.counterfactual,
      contrast,
      saes: [],
    });
    const kept = new Set(request.kept);
    return evaluateCircuit(
      inputs,
      graph.nodes.filter((node) => kept.has(node.id)),
      signal,
    );
  }

  async trainSae(request: TrainSaeRequest, call: CallOptions = {}): Promise<SaeMetrics> {
    return trainSaeOnModel(await this.model(request.model), request, call);
  }

  async ping(): Promise<{ pid: number; memory: number }> {
    return { pid: process.pid, memory: process.memoryUsage().rss };
  }

  private model(id: string): Promise<LoadedModel> {
    const model = this.models.get(id);
    if (!model) throw new EngineError('handle.unknown', { what: 'model', id });
    return model;
  }

  private run(id: string): AnalyzedRun {
    const run = this.runs.get(id);
    if (!run) throw new EngineError('handle.unknown', { what: 'run', id });
    return run;
  }

  private async provenance(model: LoadedModel, saes: readonly SaeId[]): Promise<Provenance> {
    const { name, hash, bos, precision } = model.info;
    const described: Provenance['saes'][number][] = [];
    for (const id of saes) described.push(await this.saes.provenance(id, model.info));
    return { version, model: { name, hash }, saes: described, bos, precision };
  }

  /** Tokens whose logits a feature's decoder direction raises and lowers most, read without the final norm. */
  private async decoderLogits({
    sae,
    index,
  }: FeatureRef): Promise<Pick<FeatureInfo, 'topLogits' | 'bottomLogits'>> {
    const owner = await this.ownerOf(sae);
    if (!owner) return {};
    const opened = await this.saes.open(sae, owner.info);
    if (opened.config.dIn !== owner.info.dModel) return {};
    const direction = (await opened.decoderRows([index])).data;
    return owner.readout.directionLogits(direction, 10, owner.tokenizer);
  }

  /** The open model that `sae` was opened for. */
  private async ownerOf(sae: SaeId): Promise<LoadedModel | undefined> {
    const id = this.saes.modelOf(sae);
    return id === undefined ? undefined : this.models.get(id);
  }

  private async logitSum(
    run: AnalyzedRun,
    request: Parameters<EngineApi['residualAttribution']>[0],
  ): Promise<{ sum: LogitSum; what: string }> {
    const length = run.ids.length;
    if (request.contrast) {
      const contrast = run.model.contrast(request.contrast, length);
      const weights = new Map([
        [contrast.answer, 1],
        [contrast.wrong, -1],
      ]);
      return { sum: { position: contrast.position, weights }, what: contrastName(request.contrast) };
    }
    const position = request.position ?? length - 1;
    if (!Number.isInteger(position) || position < 0 || position >= length) {
      const reason = `the prompt has ${length} tokens`;
      throw new EngineError('request.invalid', { what: `Position ${position}`, reason });
    }
    const { dModel } = run.model.info;
    const rows = floatsOf(run.residual(run.model.info.nLayers)).slice(
      position * dModel,
      (position + 1) * dModel,
    );
    const best = (await run.model.readout.predict(rows, 1)).ids[0]!;
    const what = `logit of ${quoteToken(run.model.tokenizer.tokenText(best))}`;
    return { sum: { position, weights: new Map([[best, 1]]) }, what };
  }

  private async circuitInputs(
    model: LoadedModel,
    request: Pick<CircuitRequest, 'text' | 'counterfactual' | 'contrast' | 'saes'>,
  ): Promise<CircuitInputs> {
    const window = model.window(request.text);
    const other = request.counterfactual === undefined ? undefined : model.window(request.counterfactual).ids;
    if (other && other.length !== window.ids.length) {
      throw new EngineError('request.invalid', {
        what: 'The counterfactual prompt',
        reason: `it has ${other.length} tokens and the prompt has ${window.ids.length}; both need the same number`,
      });
    }
    return {
      model: model.transformer,
      ids: window.ids,
      tokens: window.strip.tokens,
      counterfactual: other,
      contrast: model.contrast(request.contrast, window.ids.length),
      metric: contrastName(request.contrast),
      saes: await this.saes.forCircuit(request.saes, model.info),
      labelOf: (feature) => this.saes.labelOf(feature),
    };
  }
}

function contrastName({ answer, wrong }: { readonly answer: string; readonly wrong: string }): string {
  return `${quoteToken(answer)} − ${quoteToken(wrong)}`;
}

function checkLayer(layer: number, { nLayers }: ModelInfo): void {
  if (Number.isInteger(layer) && layer >= 0 && layer < nLayers) return;
  const reason = `the model has layers 0 to ${nLayers - 1}`;
  throw new EngineError('request.invalid', { what: `Layer ${layer}`, reason });
}

function requireCount(what: string, value: number, least: number): void {
  if (Number.isInteger(value) && value >= least) return;
  const reason = `it must be a whole number of at least ${least}, not ${value}`;
  throw new EngineError('request.invalid', { what, reason });
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
