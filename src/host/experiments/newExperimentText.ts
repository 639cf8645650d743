/** The text of a new experiment about given prompts: methods that most people begin with. */

import { canonicalJson, toJson } from '../../shared/experiment/canonicalJson.ts';
import type { Experiment, ExperimentMethod, ExperimentPairs } from '../../shared/experiment/experiment.ts';

/** What the experiment is about. */
export interface NewExperiment {
  readonly name: string;
  /** As an experiment names it. */
  readonly model: string;
  readonly pairs: ExperimentPairs;
}

/** A sweep of the stream, one of heads, their ablation, and the edges between them. */
export function newExperimentText({ name, model, pairs }: NewExperiment): string {
  const isPair = pairs.kind === 'pair';
  const method: readonly ExperimentMethod[] = [
    ...(isPair ? [{ kind: 'patch', sweep: 'resid_pre' } as const] : []),
    { kind: 'patch', sweep: 'attn_head_out_all_pos' },
    { kind: 'ablate', sweep: 'attn_head_out_all_pos', value: isPair ? 'zero' : 'mean' },
    { kind: 'attributeEdges', gradients: 'eap-ig', keep: { top: 100 } },
  ];
  const experiment: Experiment = { name, model, pairs, metric: 'logitDifference', seed: 1, method };
  return canonicalJson(toJson(experiment));
}
