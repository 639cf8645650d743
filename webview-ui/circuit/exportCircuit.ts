/** Export: pictures are drawn here, the rest is written by the host. */

import type { CircuitViewApi } from '../../src/shared/circuitViewApi.ts';
import { reasonOf } from '../lib/resource.ts';
import { say } from '../lib/strings.ts';
import { palette } from '../lib/theme.ts';
import type { CircuitStore } from './circuitStore.ts';
import { circuitSvg } from './circuitSvg.ts';
import { edgesAtRest, wideDrawing } from './drawnCircuit.ts';
import { drawPng } from './pngPicture.ts';

/** What a circuit can be written as. */
export type ExportKind = Parameters<CircuitViewApi['exportGraph']>[0]['kind'];

/** Draws what is drawn now when it is a picture, and asks the host to write it. */
export function exportCircuit(store: CircuitStore, kind: ExportKind): void {
  store.notice.value = undefined;
  const drawn = picture(store, kind).catch((error: unknown) => {
    store.notice.value = say('exportPngFailed', { reason: reasonOf(error) ?? '' });
    throw error;
  });
  store.wish(drawn.then((file) => store.host.api.exportGraph({ kind, picture: file })));
}

async function picture(store: CircuitStore, kind: ExportKind): Promise<string | undefined> {
  if (kind !== 'svg' && kind !== 'png') return undefined;
  const svg = currentSvg(store);
  return kind === 'svg' || svg === undefined ? svg : drawPng(svg);
}

/** The picture of what is shown: the difference of two circuits, or this one's. */
function currentSvg(store: CircuitStore): string | undefined {
  const state = store.state.peek();
  const difference = state?.compareAs === 'sideBySide' ? undefined : store.difference.peek();
  const graph = difference?.graph ?? store.graph.peek();
  if (!graph) return undefined;
  const drawing = difference?.drawing ?? store.drawing.peek();
  const layout = wideDrawing(graph, drawing);
  const title = store.annotations.peek().title ?? state?.circuit?.title ?? '';
  return circuitSvg({ graph, layout, edges: edgesAtRest(drawing.edges), palette: palette.peek(), title });
}
