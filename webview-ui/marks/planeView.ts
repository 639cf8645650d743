/**
 * How the plane of a circuit is seen: fitted into its viewport, spread to fill it, moved and zoomed. Pure.
 */

import type { CircuitLayout } from './circuitLayout.ts';

/** How far bands may be pushed together or spread: rows stay as high as a mark or a line of text. */
export const leastStretch = 0.64;
const mostStretch = 4.5;

/** How far columns may be spread; names keep their size. */
const mostSpread = 3;

/** Stretches both ways by themselves, within reason, so that marks and names stay large where only one way is short of room. */
export function stretchLayout(layout: CircuitLayout, viewport: Size): CircuitLayout {
  if (viewport.height === 0 || layout.height === 0) return layout;
  const scale = Math.max(leastFit, Math.min(mostFit, viewport.width / layout.width));
  const wanted = viewport.height / (layout.height * scale);
  const factor = Math.min(mostStretch, Math.max(leastStretch, wanted));
  const fitted = Math.min(scale, viewport.height / (layout.height * factor));
  const spread = Math.min(mostSpread, Math.max(1, viewport.width / (layout.width * fitted)));
  return {
    ...layout,
    width: layout.width * spread,
    height: layout.height * factor,
    nodes: layout.nodes.map((place) => ({ ...place, x: place.x * spread, y: place.y * factor })),
    columns: layout.columns.map((column) => ({
      ...column,
      left: column.left * spread,
      width: column.width * spread,
    })),
    bands: layout.bands.map((band) => ({ ...band, top: band.top * factor, height: band.height * factor })),
  };
}

/** Moves and scales the plane onto the screen: `screen = plane · scale + (x, y)`. */
export interface View {
  readonly x: number;
  readonly y: number;
  readonly scale: number;
}

/** A width and a height in pixels. */
export interface Size {
  readonly width: number;
  readonly height: number;
}

const leastScale = 0.15;
const mostScale = 3;

/** Scales that a graph is fitted with. */
const leastFit = 0.2;
const mostFit = 1.2;

/** Shows all of `content`, hardly larger than life; what is low stands on the bottom. Of more than anybody could see, the left is cut, since answers stand right. */
export function fitView(content: Size, viewport: Size): View {
  const wanted = Math.min(mostFit, viewport.width / content.width, viewport.height / content.height);
  const scale = Math.max(leastFit, Number.isFinite(wanted) ? wanted : 1);
  const spareX = viewport.width - content.width * scale;
  const spareY = viewport.height - content.height * scale;
  return { x: spareX >= 0 ? spareX / 2 : spareX, y: Math.max(0, spareY), scale };
}

/** Scales by `factor` around a point of the screen that stays where it is. */
export function zoomView(view: View, factor: number, x: number, y: number): View {
  const scale = Math.min(mostScale, Math.max(leastScale, view.scale * factor));
  const ratio = scale / view.scale;
  return { x: x - (x - view.x) * ratio, y: y - (y - view.y) * ratio, scale };
}

/** Moves the view as little as it takes to bring a point of the plane inside, `margin` from the edges. */
export function revealPoint(
  view: View,
  point: { readonly x: number; readonly y: number },
  viewport: Size,
  margin: number,
): View {
  const shift = (at: number, size: number): number => {
    if (at < margin) return margin - at;
    return at > size - margin ? size - margin - at : 0;
  };
  return {
    x: view.x + shift(point.x * view.scale + view.x, viewport.width),
    y: view.y + shift(point.y * view.scale + view.y, viewport.height),
    scale: view.scale,
  };
}

/** Pixels around the viewport in which nodes count as in view. */
const viewMargin = 120;

/** Whether a point of the plane is on the screen, or nearly. */
export function isInView(
  point: { readonly x: number; readonly y: number },
  view: View,
  viewport: Size,
): boolean {
  const x = point.x * view.scale + view.x;
  const y = point.y * view.scale + view.y;
  return (
    x > -viewMargin && y > -viewMargin && x < viewport.width + viewMargin && y < viewport.height + viewMargin
  );
}
