/** Forward passes in which every site's value is changed on the way and later sites see what came of it. */
import { throwIfCancelled } from '../../../shared/errors.ts';
import { type FloatValue, floatsOf, floatValue, type Value, zerosValue } from '../../graph/value.ts';
import { names } from '../../model/families/family.ts';
import type { StageHook } from '../../model/hooks.ts';
import type { Transformer } from '../../model/transformer.ts';
import { lastPosition } from '../patchWave.ts';
import { repeatRows } from '../rowValues.ts';
import type { SparseSite } from './sparseSites.ts';

export interface SplicedRequest {
  /** Prompts of equal length. */
  readonly tokens: readonly Int32Array[];
  /** Runs side by side; copies of all prompts, one after the other. */
  readonly copies: number;
  readonly sites: readonly SparseSite[];
  /** What a site's value `[copy · prompt, position, d_model]` becomes. */
  change(site: number, value: FloatValue): Promise<FloatValue>;
  readonly signal?: AbortSignal;
}

/** Logits after the last position: `[copy · prompt, 1, d_vocab]`. Each part of a block runs once. */
export async function splicedLogits(model: Transformer, request: SplicedRequest): Promise<Value> {
  const { tokens, copies, sites, signal } = request;
  const { nLayers, parallel } = model.config;
  const changed = (hook: string, value: Value): Promise<FloatValue> => {
    throwIfCancelled(signal);
    const site = sites.findIndex((candidate) => candidate.hook === hook);
    return request.change(site, floatValue(floatsOf(value), value.dims));
  };
  const embedded = await model.run({ tokens, stopAtLayer: 0, logits: 'none', signal });
  let stream = await changed('blocks.0.hook_resid_pre', repeatRows(embedded.residuals[0]!, copies));
  for (let layer = 0; layer < nLayers; layer++) {
    const feeds = { [names.residual]: stream, ...noPast(model, stream.dims[0]!) };
    const part = async (hook: StageHook, fed?: Value): Promise<FloatValue> => {
      const given = new Map<StageHook, Value>(fed ? [['hook_attn_out', fed]] : []);
      const results = await model.stages.part({ layer, feeds, fed: given, outputs: [hook] });
      return changed(`blocks.${layer}.${hook}`, results[hook]!);
    };
    const attention = await part('hook_attn_out');
    const mlp = await part('hook_mlp_out', parallel ? undefined : attention);
    stream = await changed(`blocks.${layer}.hook_resid_post`, added(stream, attention, mlp));
  }
  return model.readOut(lastPosition(stream));
}

function added(a: FloatValue, b: FloatValue, c: FloatValue): FloatValue {
  return floatValue(
    a.data.map((x, i) => x + b.data[i]! + c.data[i]!),
    a.dims,
  );
}

function noPast({ config }: Transformer, rows: number): Record<string, Value> {
  const nothing = zerosValue('float32', [rows, 0, config.nKeyValueHeads, config.dHead]);
  return { [names.pastKeys]: nothing, [names.pastValues]: nothing };
}
