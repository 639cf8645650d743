/** Turns what is asked of a circuit into what the methods work on. */

import type { CircuitGraph } from '../shared/circuit.ts';
import type { Token } from '../shared/domain.ts';
import type { CallOptions, CircuitRequest } from '../shared/engineApi.ts';
import { EngineError } from '../shared/errors.ts';
import { quoteToken } from '../shared/format.ts';
import type { LoadedModel } from './loadedModel.ts';
import type { LoadedSaes } from './loadedSaes.ts';
import type { CircuitInputs } from './method/circuitInputs.ts';
import { gradientCircuit } from './method/gradientCircuit.ts';

/**
 * The tokens, baseline, contrast and SAEs of a request.
 * @throws request.invalid when prompt and counterfactual differ in length or not at all; as `LoadedModel.window`,
 * `LoadedModel.contrast` and `LoadedSaes.forCircuit`.
 */
export async function readCircuitRequest(
  model: LoadedModel,
  saes: LoadedSaes,
  request: Pick<CircuitRequest, 'text' | 'counterfactual' | 'contrast' | 'saes'>,
): Promise<CircuitInputs> {
  const window = model.window(request.text);
  const { counterfactual: text } = request;
  const counterfactual = text === undefined ? undefined : model.window(text).ids;
  if (counterfactual) requireCounterfactual(counterfactual, window.ids);
  return {
    model: model.transformer,
    ids: window.ids,
    tokens: window.strip.tokens,
    counterfactual,
    contrast: model.contrast(request.contrast, window.ids.length),
    metric: contrastName(request.contrast),
    saes: await saes.forCircuit(request.saes, model.info),
    labelOf: (feature) => saes.labelOf(feature),
  };
}

/**
 * The circuit of a contrast, by gradients; where its numbers came from is left to the caller.
 * @throws as `readCircuitRequest`; cancelled
 */
export async function requestedCircuit(
  model: LoadedModel,
  saes: LoadedSaes,
  request: CircuitRequest,
  call: CallOptions,
): Promise<Omit<CircuitGraph, 'provenance'>> {
  const inputs = await readCircuitRequest(model, saes, request);
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
  };
}

/** Name of the metric, e.g. `" Mary" − " John"`. */
export function contrastName({ answer, wrong }: CircuitRequest['contrast']): string {
  return `${quoteToken(answer)} − ${quoteToken(wrong)}`;
}

/**
 * A circuit names positions, so it can be evaluated only where the prompt has the tokens it was found on.
 * @throws request.invalid
 */
export function requireSameTokens(tokens: readonly Pick<Token, 'id'>[], ids: Int32Array): void {
  if (tokens.length === ids.length && tokens.every(({ id }, position) => id === ids[position])) return;
  const reason =
    'its prompt has other tokens in this model now, as after a change of the beginning-of-sequence policy; find it again';
  throw new EngineError('request.invalid', { what: 'The circuit', reason });
}

function requireCounterfactual(other: Int32Array, ids: Int32Array): void {
  const invalid = (reason: string) =>
    new EngineError('request.invalid', { what: 'The counterfactual prompt', reason });
  if (other.length !== ids.length) {
    throw invalid(
      `it has ${other.length} tokens and the prompt has ${ids.length}; both need the same number`,
    );
  }
  if (other.every((id, position) => id === ids[position])) {
    throw invalid('it has the same tokens as the prompt; change at least one word');
  }
}
