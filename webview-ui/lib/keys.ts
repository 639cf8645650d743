/** Moving a single tab stop over many items by keyboard (roving tabindex). Pure: no DOM in here. */

/** Which arrow keys step through the items. */
export type Orientation = 'horizontal' | 'vertical';

const steps: Readonly<Record<Orientation, Readonly<Record<string, number>>>> = {
  horizontal: { ArrowLeft: -1, ArrowRight: 1 },
  vertical: { ArrowUp: -1, ArrowDown: 1, PageUp: -10, PageDown: 10 },
};

/** The index that `key` leads to from `index`, or undefined when the key is not for moving. */
export function rovingIndex(
  key: string,
  index: number,
  count: number,
  orientation: Orientation,
): number | undefined {
  if (count === 0) return undefined;
  if (key === 'Home') return 0;
  if (key === 'End') return count - 1;
  const step = steps[orientation][key];
  if (step === undefined) return undefined;
  return Math.min(count - 1, Math.max(0, index + step));
}

/** Where an item lies, in pixels. */
export interface Box {
  readonly left: number;
  readonly top: number;
  readonly width: number;
}

/** The item on the next line up (−1) or down (+1) whose middle is nearest to that of `index`. */
export function lineNeighbor(boxes: readonly Box[], index: number, direction: 1 | -1): number {
  const from = boxes[index];
  if (!from) return index;
  const middle = from.left + from.width / 2;
  let line: number | undefined;
  let best = index;
  let bestDistance = Number.POSITIVE_INFINITY;
  for (let i = index + direction; i >= 0 && i < boxes.length; i += direction) {
    const box = boxes[i]!;
    if (box.top === from.top) continue;
    line ??= box.top;
    if (box.top !== line) break;
    const distance = Math.abs(box.left + box.width / 2 - middle);
    if (distance < bestDistance) {
      bestDistance = distance;
      best = i;
    }
  }
  return best;
}

/** A point on a plane. */
export interface Point {
  readonly x: number;
  readonly y: number;
}

const directions: Readonly<Record<string, Point>> = {
  ArrowLeft: { x: -1, y: 0 },
  ArrowRight: { x: 1, y: 0 },
  ArrowUp: { x: 0, y: -1 },
  ArrowDown: { x: 0, y: 1 },
};

/**
 * The nearest point from `index` in the direction of an arrow key; sideways distance counts double, so that
 * straight neighbors win. Undefined when the key is no arrow or nothing lies there.
 */
export function planeNeighbor(points: readonly Point[], index: number, key: string): number | undefined {
  const direction = directions[key];
  const from = points[index];
  if (!direction || !from) return undefined;
  let best: number | undefined;
  let bestDistance = Number.POSITIVE_INFINITY;
  points.forEach((point, i) => {
    const x = point.x - from.x;
    const y = point.y - from.y;
    const ahead = x * direction.x + y * direction.y;
    if (ahead <= 0.5) return;
    const aside = Math.abs(x * direction.y) + Math.abs(y * direction.x);
    const distance = ahead + 2 * aside;
    if (distance < bestDistance) {
      bestDistance = distance;
      best = i;
    }
  });
  return best;
}
