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
import { EngineError, throwIfCancelled } from '../shared/errors.ts';
import type { AnalyzedRun } from './analyzedRun.ts';
import { analyzePrompt } from './analyzePrompt.ts';
import { readCircuitRequest } from './circuitRequest.ts';
import { fileError } from './files/fileErrors.ts';
import { floatsOf } from './graph/value.ts';
import { LoadedModel } from './loadedModel.ts';
import { LoadedSaes } from './loadedSaes.ts';
import { readLogitSum } from './logitSumRequest.ts';
import { comparePrompts } from './method/alignTokens.ts';
import { evaluateCircuit } from './method/circuitEvaluation.ts';
import { gradientCircuit } from './method/gradientCircuit.ts';
import { logitLens } from './method/logitLens.ts';
import { attributeLogits } from './method/residualAttribution.ts';
import { blockHookName, locateHook, writesStream } from './model/hooks.ts';
import { topOfLogits } from './predictions.ts';
import { RecentMap } from './recentMap.ts';
import { describeSae, findSaeFolders } from './sae/catalog.ts';
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
  private readonly runs = new RecentMap<AnalyzedRun>(keptRuns);
  private runCount = 0;

  constructor(private readonly options: EngineOptions = {}) {
    this.saes = new LoadedSaes(options.threads);
  }

  async openModel({ path }: OpenModelRequest, { signal }: CallOptions = {}): Promise<ModelInfo> {
    throwIfCancelled(signal);
    const real = await realpath(path).catch((error) => {
      throw fileError(path, error);
    });
    throwIfCancelled(signal);
    const loading = this.models.get(real) ?? LoadedModel.open(real, this.options.threads);
    this.models.set(real, loading);
    loading.catch(() => {
      if (this.models.get(real) === loading) this.models.delete(real);
    });
    return (await loading).info;
  }

  /** Cancels what is under way on the model, and ends with it. Whoever asks from now on is told that it is not open. */
  async closeModel({ model: id }: { readonly model: string }): Promise<void> {
    const loading = this.model(id);
    this.models.delete(id);
    const model = await loading;
    await model.release();
    this.runs.deleteWhere((run) => run.model === model);
    await this.saes.releaseUnder(model.info);
  }

  async listSaes(
    request: { readonly model: string; readonly folders: readonly string[] },
    call: CallOptions = {},
  ): Promise<readonly SaeInfo[]> {
    return this.withModel(request.model, call, async ({ info }, signal) => {
      // One folder may be named twice, or lie below another that is named.
      const paths = new Set<string>();
      for (const folder of [join(info.path, 'saes'), ...request.folders]) {
        throwIfCancelled(signal);
        for (const path of await findSaeFolders(folder)) paths.add(await realpath(path));
      }
      throwIfCancelled(signal);
      const found = await Promise.all([...paths].map((path) => describeSae(path, info)));
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
    request: { readonly run: string; readonly top: number },
    call: CallOptions = {},
  ): Promise<LogitLens> {
    requireCount('The number of predictions', request.top, 1);
    return this.withRun(request.run, call, (run, signal) =>
      logitLens(run.model, run.residuals, request.top, signal),
    );
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
      const { prompt: text, counterfactual, nodes } = request.graph;
      const asked = { text, counterfactual, contrast: request.contrast, saes: [] };
      const inputs = await readCircuitRequest(model, this.saes, asked);
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

  async ping(): Promise<{ pid: number; memory: number }> {
    return { pid: process.pid, memory: process.memoryUsage().rss };
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
    return model.use(signal, (combined) => work(model, combined));
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
    return run.model.use(signal, (combined) => work(run, combined));
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
      const { hook } = locateHook(opened.config.hookName, info.nLayers);
      if (!writesStream(hook)) return {};
      const direction = (await opened.decoderRows([index])).data;
      return readout.directionLogits(direction, 10, tokenizer);
    });
  }
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
