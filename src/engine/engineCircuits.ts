/** What the engine answers about circuits: finding, patching, ablating, and studies. `Engine` adds everything else. */

import type {
  AttributeEdgesRequest,
  EstimateEdgesRequest,
  EvaluateEdgesRequest,
  RunAcdcRequest,
} from '../shared/attributionApi.ts';
import type { CircuitEvaluation, CircuitGraph } from '../shared/circuit.ts';
import type {
  CallOptions,
  CircuitEvaluationRequest,
  CircuitRequest,
  EngineApi,
} from '../shared/engineApi.ts';
import type {
  AblateSweepRequest,
  PatchSweepRequest,
  PathPatchRequest,
  SweepRequest,
} from '../shared/patchingApi.ts';
import type { ShiftApi } from '../shared/shiftApi.ts';
import { attributeEdges, estimateEdges, evaluateEdges, runAcdc } from './attribution.ts';
import { requestedAttributionGraph, requestedGraphEstimate } from './attributionGraphs.ts';
import { readCircuitFile, writeCircuitFile } from './circuitFiles.ts';
import { requestedCircuit } from './circuitRequest.ts';
import { CircuitRuns } from './circuitRuns.ts';
import { EngineState, version } from './engineState.ts';
import { evaluateRequest } from './evaluateRequest.ts';
import { FeatureExamples } from './featureExamples.ts';
import type { LoadedModel } from './loadedModel.ts';
import { requestedEstimate, requestedStudy } from './method/ioi/studyRequest.ts';
import { ablateSweep, estimatePatching, patchSweep, pathPatch } from './patching.ts';
import type { PatchingContext } from './patchingRequest.ts';
import { requireCount } from './requestChecks.ts';
import { Shift, type ShiftContext } from './shift.ts';
import {
  compareNodeEffects,
  estimateSparseCircuit,
  findSparseCircuit,
  type SparseContext,
  sparseCircuitCurve,
} from './sparseCircuits.ts';
import { SparseEvaluators } from './sparseEvaluators.ts';

/** See `EngineApi` for what each method answers. */
export class EngineCircuits extends EngineState {
  private readonly examples = new FeatureExamples();
  private readonly shift = new Shift();
  private readonly evaluators = new SparseEvaluators();
  private readonly circuitRuns = new CircuitRuns();

  async findCircuit(request: CircuitRequest, call: CallOptions = {}): Promise<CircuitGraph> {
    requireCount('The number of nodes', request.maxNodes, 1);
    return this.withModel(request.model, call, async (model, signal) => ({
      ...(await requestedCircuit(model, this.saes, request, { ...call, signal })),
      provenance: await this.provenance(model, request.saes),
    }));
  }

  async evaluateCircuit(
    request: CircuitEvaluationRequest,
    call: CallOptions = {},
  ): Promise<CircuitEvaluation> {
    return this.withModel(request.model, call, (model, signal) =>
      evaluateRequest(this.sparseContext(model), request, { ...call, signal }),
    );
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

  async estimateSweep(request: SweepRequest, call: CallOptions = {}) {
    return this.withModel(request.model, call, (model, signal) =>
      estimatePatching(this.patchingContext(model), request, { ...call, signal }),
    );
  }

  async attributeEdges(request: AttributeEdgesRequest, call: CallOptions = {}) {
    return this.withModel(request.model, call, (model, signal) =>
      attributeEdges(this.patchingContext(model), request, { ...call, signal }),
    );
  }

  async estimateEdges(request: EstimateEdgesRequest, call: CallOptions = {}) {
    return this.withModel(request.model, call, (model, signal) =>
      estimateEdges(model, request, { ...call, signal }),
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

  async findSparseCircuit(request: Parameters<EngineApi['findSparseCircuit']>[0], call: CallOptions = {}) {
    return this.withModel(request.model, call, (model, signal) =>
      findSparseCircuit(this.sparseContext(model), request, { ...call, signal }),
    );
  }

  async estimateSparseCircuit(
    request: Parameters<EngineApi['estimateSparseCircuit']>[0],
    call: CallOptions = {},
  ) {
    return this.withModel(request.model, call, (model, signal) =>
      estimateSparseCircuit(this.sparseContext(model), request, { ...call, signal }),
    );
  }

  async sparseCircuitCurve(request: Parameters<EngineApi['sparseCircuitCurve']>[0], call: CallOptions = {}) {
    return this.withModel(request.model, call, (model, signal) =>
      sparseCircuitCurve(this.sparseContext(model), request, { ...call, signal }),
    );
  }

  async compareNodeEffects(request: Parameters<EngineApi['compareNodeEffects']>[0], call: CallOptions = {}) {
    return this.withModel(request.model, call, (model, signal) =>
      compareNodeEffects(this.sparseContext(model), request, { ...call, signal }),
    );
  }

  async readCircuitFile(
    { path, model }: Parameters<EngineApi['readCircuitFile']>[0],
    call: CallOptions = {},
  ) {
    const open = model === undefined ? undefined : await this.model(model);
    return readCircuitFile(path, open && { ...open.info, shape: open.transformer.config }, call.signal);
  }

  async writeCircuitFile(
    { model, ...request }: Parameters<EngineApi['writeCircuitFile']>[0],
    call: CallOptions = {},
  ) {
    const open = model === undefined ? undefined : await this.model(model);
    return writeCircuitFile({ ...request, shape: open?.transformer.config }, call.signal);
  }

  async attributionGraph(request: Parameters<EngineApi['attributionGraph']>[0], call: CallOptions = {}) {
    return this.withModel(request.model, call, (model, signal) =>
      requestedAttributionGraph(this.sparseContext(model), request, { ...call, signal }),
    );
  }

  async estimateAttributionGraph(
    request: Parameters<EngineApi['estimateAttributionGraph']>[0],
    call: CallOptions = {},
  ) {
    return this.withModel(request.model, call, (model, signal) =>
      requestedGraphEstimate(this.sparseContext(model), request, { ...call, signal }),
    );
  }

  async studyIndirectObjects(
    request: Parameters<EngineApi['studyIndirectObjects']>[0],
    call: CallOptions = {},
  ) {
    return this.withModel(request.model, call, (loaded, signal) =>
      requestedStudy(loaded, request, version, { ...call, signal }),
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

  protected sparseContext(model: LoadedModel): SparseContext {
    const { saes, evaluators, circuitRuns } = this;
    return { ...this.patchingContext(model), saes, evaluators, circuitRuns };
  }

  async estimateShift(request: Parameters<ShiftApi['estimateShift']>[0], call: CallOptions = {}) {
    return this.withModel(request.model, call, (model, signal) =>
      this.shift.estimate(this.shiftContext(model), request, { ...call, signal }),
    );
  }

  async findShiftFeatures(request: Parameters<ShiftApi['findShiftFeatures']>[0], call: CallOptions = {}) {
    return this.withModel(request.model, call, (model, signal) =>
      this.shift.find(this.shiftContext(model), request, { ...call, signal }),
    );
  }

  async applyShift(request: Parameters<ShiftApi['applyShift']>[0], call: CallOptions = {}) {
    return this.withModel(request.model, call, (model, signal) =>
      this.shift.apply(this.shiftContext(model), request, { ...call, signal }),
    );
  }

  async featureExamples(request: Parameters<ShiftApi['featureExamples']>[0], call: CallOptions = {}) {
    return this.withModel(request.model, call, (model, signal) =>
      this.examples.of(this.shiftContext(model), request, { ...call, signal }),
    );
  }

  private shiftContext(model: LoadedModel): ShiftContext {
    return {
      ...this.patchingContext(model),
      featureInfo: (feature) => this.saes.featureInfo(feature),
      examples: this.examples,
    };
  }

  protected patchingContext(model: LoadedModel): PatchingContext {
    return {
      model,
      openSae: (id) => this.saes.open(id, model.info),
      provenance: (saes) => this.provenance(model, saes),
    };
  }
}
