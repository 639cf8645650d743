/** What the engine answers about circuits: finding, patching, ablating, and studies. `Engine` adds everything else. */

import type {
  AttributeEdgesRequest,
  EvaluateEdgesRequest,
  RunAcdcRequest,
} from '../shared/attributionApi.ts';
import type { CircuitEvaluation, CircuitGraph } from '../shared/domain.ts';
import type {
  CallOptions,
  CircuitEvaluationRequest,
  CircuitRequest,
  EngineApi,
} from '../shared/engineApi.ts';
import { EngineError } from '../shared/errors.ts';
import type { AblateSweepRequest, PatchSweepRequest, PathPatchRequest } from '../shared/patchingApi.ts';
import { attributeEdges, evaluateEdges, runAcdc } from './attribution.ts';
import { readCircuitRequest, requestedCircuit, requireSameTokens } from './circuitRequest.ts';
import { EngineState } from './engineState.ts';
import type { LoadedModel } from './loadedModel.ts';
import { evaluateCircuit } from './method/circuitEvaluation.ts';
import { requestedEstimate, requestedStudy } from './method/ioi/studyRequest.ts';
import { ablateSweep, estimatePatching, type PatchingContext, patchSweep, pathPatch } from './patching.ts';
import { requireCount } from './requestChecks.ts';

/** See `EngineApi` for what each method answers. */
export class EngineCircuits extends EngineState {
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
    return this.withModel(request.model, call, async (model, signal) => {
      const { prompt: text, counterfactual, nodes, tokens } = request.graph;
      const contrast = request.contrast ?? request.graph.contrast;
      if (!contrast) {
        const reason = 'its file does not say which answers it tells apart; set a contrast';
        throw new EngineError('request.invalid', { what: 'The circuit', reason });
      }
      const asked = { text, counterfactual, contrast, saes: [] };
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

  protected patchingContext(model: LoadedModel): PatchingContext {
    return {
      model,
      openSae: (id) => this.saes.open(id, model.info),
      provenance: (saes) => this.provenance(model, saes),
    };
  }
}
