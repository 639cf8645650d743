/** Finds the heads of the circuit by iterated path patching from the logits backward (Wang et al. 2022, §3), stage by stage. */
import type { CallOptions } from '../../../shared/engineApi.ts';
import type { PathReceiver } from '../../../shared/patchingApi.ts';
import type { ByRole, IoiThresholds } from '../../../shared/study.ts';
import type { Random } from '../../random.ts';
import { type PathPatchingResult, patchPaths } from '../pathPatching.ts';
import { copyScores } from './copyScores.ts';
import { inhibitionEffects } from './inhibition.ts';
import { allHeads, type HeadPlace, type IoiRole } from './ioiTask.ts';
import { knockedOutEffects } from './knockedOutPaths.ts';
import { type ReadHeads, readHeads } from './readHeads.ts';
import { repetitionScores } from './repeatedTokens.ts';
import { attentionToRoles, emptyRoleAttention, type RoleAttention } from './roleAttention.ts';
import type { StudyContext } from './studyContext.ts';
import type { StudyStages } from './studyStages.ts';

/** Attention, copying and repeated tokens of every head. @throws cancelled */
export async function measureHeads(
  { model, task, tokenizer, bos }: StudyContext,
  { copyPairs, random }: { readonly copyPairs: number; readonly random: Random },
  stages: StudyStages,
  call: CallOptions,
): Promise<void> {
  const size = Math.min(tokenizer.vocabSize, model.config.dVocab);
  const vocabulary = Array.from({ length: size }, (_, id) => id).filter((id) => !tokenizer.isSpecial(id));
  const repeated = { vocabulary, ...(bos !== undefined && { bos }) };
  await stages.run('attention', async () => plain(await attentionToRoles(model, task.pairs, call)));
  await stages.run('copying', async () => {
    const { positive, negative } = await copyScores(model, task.pairs.slice(0, copyPairs), call);
    return { positive: [...positive], negative: [...negative] };
  });
  await stages.run('repetition', async () => {
    const found = await repetitionScores(model, repeated, random.fork('repeated tokens'), call);
    const { previousToken, duplicateToken, induction } = found;
    return {
      previousToken: [...previousToken],
      duplicateToken: [...duplicateToken],
      induction: [...induction],
    };
  });
}

/** Path patching from the logits backward; each step starts from the heads of the step before. @throws cancelled */
export async function findHeads(
  context: StudyContext,
  limits: IoiThresholds,
  stages: StudyStages,
  call: CallOptions,
): Promise<ReadHeads> {
  const { model, task } = context;
  const read = () => readHeads(model.config, stages.parts, limits);
  const { original } = await stages.run('logits', async () => {
    const found = await sweepAll(context, [], 'END', call);
    return { original: found.original, effects: Array.from(found.effects) };
  });
  const { nameMovers: out } = read();
  if (out.length > 0) {
    await stages.run('knockedOut', async () => {
      const found = await knockedOutEffects(model, task.pairs, { out, original }, call);
      return { logitDifference: found.logitDifference, effects: [...found.effects] };
    });
  }
  const { queries } = read().receivers;
  await stages.run('queries', () => sweep(context, queries, 'q', 'END', call));
  await stages.run('inhibition', async () =>
    plain(
      queries.length > 0
        ? await inhibitionEffects(model, task.pairs, queries, call)
        : emptyRoleAttention(allHeads(model.config).length),
    ),
  );
  await stages.run('values', () => sweep(context, read().receivers.values, 'v', 'S2', call));
  await stages.run('keys', () => sweep(context, read().receivers.keys, 'k', 'S1+1', call));
  return read();
}

function plain({ IO, S1, S2 }: RoleAttention): ByRole {
  return { IO: [...IO], S1: [...S1], S2: [...S2] };
}

/** Effects through one input of some heads, which senders and receivers share a position for; 0 without receivers. */
async function sweep(
  context: StudyContext,
  heads: readonly HeadPlace[],
  input: 'q' | 'k' | 'v',
  role: IoiRole,
  call: CallOptions,
): Promise<readonly number[]> {
  const { nHeads, nKeyValueHeads, nLayers } = context.model.config;
  if (heads.length === 0) return new Array<number>(nLayers * nHeads).fill(0);
  const shared = (head: number) => (input === 'q' ? head : Math.floor((head * nKeyValueHeads) / nHeads));
  const names = new Set(heads.map(({ layer, head }) => `${layer}.${shared(head)}`));
  const receivers = [...names].map((name) => {
    const [layer, head] = name.split('.').map(Number);
    return { layer: layer!, head: head!, input };
  });
  return Array.from((await sweepAll(context, receivers, role, call)).effects);
}

/** Effects as shares of the size of the metric: a model that fails the task has a negative one. */
async function sweepAll(
  { model, task }: StudyContext,
  receivers: readonly PathReceiver[],
  role: IoiRole,
  call: CallOptions,
): Promise<PathPatchingResult> {
  const senders = allHeads(model.config);
  const inputs = { model, task, metric: 'logitDifference', senders, receivers, positions: [role] } as const;
  const found = await patchPaths(inputs, call);
  return found.original < 0 ? { ...found, effects: found.effects.map((effect) => -effect) } : found;
}
