/** Brings the stack of edits of one stage into the form its program takes: one affine edit per hook. */
import type { HookName } from '../../shared/domain.ts';
import type { Value } from '../graph/value.ts';
import { applyEdit, composeEdits, type HookEdit, isLateEdit, type RunEdit } from './edits.ts';
import type { StageHook } from './hooks.ts';
import type { ForwardStage, StageEdits, StageRunner } from './stageRunner.ts';

/** An edit and its hook's name inside the stage. */
export interface PlacedEdit {
  readonly hook: StageHook;
  readonly edit: RunEdit;
}

/**
 * The edits of a stage, one per hook. An edit that depends on the value it changes is resolved by running the stage
 * up to its hook with everything before it already in place, so stacked edits act one on the other's outcome.
 */
export async function resolveEdits(
  stages: StageRunner,
  place: Pick<ForwardStage, 'stage' | 'sizes' | 'feeds'>,
  edits: readonly PlacedEdit[],
): Promise<StageEdits> {
  const resolved = new Map<StageHook, HookEdit>();
  const hooks = stages.inOrder(
    place.stage,
    edits.map(({ hook }) => hook),
  );
  for (const hook of hooks) {
    const stack = edits.filter((placed) => placed.hook === hook).map(({ edit }) => edit);
    const reads = stack.flatMap((edit) => (isLateEdit(edit) && edit.reads ? [stageHookOf(edit.reads)] : []));
    const current = () =>
      stages.forward({ ...place, edits: resolved, hooks: [...new Set([hook, ...reads])], outputs: [] });
    resolved.set(hook, await composeStack(hook, stack, current));
  }
  return resolved;
}

/** One edit for the stack of one hook; `current` computes the values that the stack starts from. */
async function composeStack(
  hook: StageHook,
  stack: readonly RunEdit[],
  current: () => Promise<Readonly<Record<string, Value>>>,
): Promise<HookEdit> {
  let before: Readonly<Record<string, Value>> | undefined;
  let composed: HookEdit | undefined;
  for (const edit of stack) {
    let known: HookEdit;
    if (isLateEdit(edit)) {
      before ??= await current();
      const value = before[hook]!;
      const read = edit.reads === undefined ? undefined : before[stageHookOf(edit.reads)];
      known = await edit.resolve(composed ? applyEdit(value, composed) : value, read);
    } else {
      known = edit;
    }
    composed = composed ? composeEdits(composed, known) : known;
  }
  return composed!;
}

/** The hook's name inside its stage. */
function stageHookOf(name: HookName): StageHook {
  return name.replace(/^blocks\.\d+\./, '') as StageHook;
}
