/** Several components changed in one run: the cells of one hook as one edit, features as edits of what the run has there. */
import type { HookName } from '../../shared/domain.ts';
import { type FloatValue, floatsOf, floatValue } from '../graph/value.ts';
import type { LateEdit, RunEdit } from '../model/edits.ts';
import { blockHookName } from '../model/hooks.ts';
import { changedMask, type PatchBatch } from './cellRows.ts';
import { errorChange, featureChange } from './featureChanges.ts';
import { type PatchCell, positionIn } from './patchCells.ts';

/** Edits that put the batch's replacement into all cells at once. */
export async function ablationEdits(batch: PatchBatch, cells: readonly PatchCell[]): Promise<RunEdit[]> {
  const byHook = new Map<string, PatchCell[]>();
  for (const cell of cells) {
    if (cell.part) continue;
    const key = blockHookName(cell.layer, cell.hook);
    byHook.set(key, [...(byHook.get(key) ?? []), cell]);
  }
  const edits: RunEdit[] = [];
  for (const [hook, group] of byHook) {
    const { keep, add } = await changedMask(batch, group);
    edits.push({ hook, keep, add });
  }
  const byFeatures = new Map<string, PatchCell[]>();
  for (const cell of cells) {
    if (!cell.part) continue;
    const key = blockHookName(cell.layer, cell.hook);
    byFeatures.set(key, [...(byFeatures.get(key) ?? []), cell]);
  }
  for (const [hook, group] of byFeatures) edits.push(await featuresEdit(batch, hook, group));
  return edits;
}

/**
 * Features get the replacement's activations, and errors the replacement's, whatever the run has there. All are read off
 * the same value: one feature's change would look like a change of others to an encoder that came after.
 */
async function featuresEdit(
  batch: PatchBatch,
  hook: HookName,
  cells: readonly PatchCell[],
): Promise<LateEdit> {
  const targets = await Promise.all(
    cells.map(({ part }) => {
      const site = batch.sites[part!.site]!;
      const { feature } = part!;
      return feature === 'error'
        ? batch.replacement.error(site)
        : batch.replacement.features(site, [feature]);
    }),
  );
  return {
    hook,
    resolve: async (value) => {
      const sum = new Float32Array(floatsOf(value).length);
      for (const [i, cell] of cells.entries()) {
        const site = batch.sites[cell.part!.site]!;
        const { feature } = cell.part!;
        const delta =
          feature === 'error'
            ? await errorChange(site, value, targets[i]!)
            : await featureChange(site, feature, value, targets[i]!);
        const here = onlyAt(batch, cell, floatValue(delta, value.dims));
        for (let d = 0; d < sum.length; d++) sum[d]! += here.data[d]!;
      }
      return { hook, keep: 1, add: floatValue(sum, value.dims) };
    },
  };
}

/** `delta` `[row, position, …]` at the cell's positions, and zero elsewhere. */
function onlyAt(batch: PatchBatch, cell: PatchCell, delta: FloatValue): FloatValue {
  const [rows = 0, positions = 0] = delta.dims;
  const width = delta.data.length / (rows * positions);
  batch.pairs.forEach((pair, row) => {
    const only = positionIn(cell, pair);
    if (only === undefined) return;
    for (let position = 0; position < positions; position++) {
      const from = (row * positions + position) * width;
      if (position !== only) delta.data.fill(0, from, from + width);
    }
  });
  return delta;
}
