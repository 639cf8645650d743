/** The rows of the circuit's list: layers from the top, within a layer the strongest first, within an open group its members. Pure. */

import type { Mark } from '../marks/circuitMark.ts';
import { groupOfMark } from './circuitMarks.ts';

/** A heading of a layer, or a mark. */
export type ListRow =
  | { readonly kind: 'layer'; readonly layer: number; readonly count: number; readonly isOpen: boolean }
  | {
      readonly kind: 'mark';
      readonly mark: Mark;
      /** 2 for marks, 3 for the members of a group. */
      readonly level: 2 | 3;
      /** Of groups alone. */
      readonly isOpen?: boolean;
    };

/** The id of a row: that of its mark, or of its layer. */
export function rowId(row: ListRow): string {
  return row.kind === 'layer' ? `layer:${row.layer}` : row.mark.id;
}

/** The marks by layer, top layer first, strongest mark first. */
export function layersOf(
  marks: readonly Mark[],
): readonly { readonly layer: number; readonly marks: readonly Mark[] }[] {
  const layers = new Map<number, Mark[]>();
  for (const mark of marks) {
    const inLayer = layers.get(mark.layer);
    if (inLayer) inLayer.push(mark);
    else layers.set(mark.layer, [mark]);
  }
  return [...layers]
    .sort(([a], [b]) => b - a)
    .map(([layer, inLayer]) => ({
      layer,
      marks: inLayer.sort((a, b) => Math.abs(b.effect) - Math.abs(a.effect)),
    }));
}

/** Rows for marks that were drawn with every group closed. */
export function listRows(
  marks: readonly Mark[],
  closedLayers: ReadonlySet<number>,
  openGroups: ReadonlySet<string>,
): readonly ListRow[] {
  const rows: ListRow[] = [];
  for (const { layer, marks: inLayer } of layersOf(marks)) {
    const isOpen = !closedLayers.has(layer);
    rows.push({ kind: 'layer', layer, count: inLayer.length, isOpen });
    if (!isOpen) continue;
    for (const mark of inLayer) {
      const group = groupOfMark(mark.id);
      if (group === undefined || !mark.members) {
        rows.push({ kind: 'mark', mark, level: 2 });
        continue;
      }
      const open = openGroups.has(group);
      rows.push({ kind: 'mark', mark, level: 2, isOpen: open });
      if (open) for (const member of mark.members) rows.push({ kind: 'mark', mark: member, level: 3 });
    }
  }
  return rows;
}
