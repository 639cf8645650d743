/** Panning and zooming a plane by pointer, wheel and buttons. */

import { useCallback, useEffect, useLayoutEffect, useRef, useState } from 'preact/hooks';
import { fitView, revealPoint, type Size, type View, zoomView } from './planeView.ts';

/** Pixels a pointer may wander and still be a click. */
const clickSlop = 4;

/** The size of an element, kept current. */
export function useSize(element: { readonly current: HTMLElement | null }): Size {
  const [size, setSize] = useState<Size>({ width: 0, height: 0 });
  useLayoutEffect(() => {
    const target = element.current;
    if (!target) return;
    const measure = (): void => setSize({ width: target.clientWidth, height: target.clientHeight });
    measure();
    const observer = new ResizeObserver(measure);
    observer.observe(target);
    return () => observer.disconnect();
  }, []);
  return size;
}

/** The view and what changes it. */
export interface PanZoom {
  readonly view: View;
  readonly zoom: (factor: number) => void;
  readonly fit: () => void;
  readonly reveal: (point: { readonly x: number; readonly y: number }) => void;
}

/** Keeps `content` fitted into the element until the reader moves it; then the reader's view stays. */
export function usePanZoom(
  element: { readonly current: HTMLElement | null },
  viewport: Size,
  content: Size,
  onBackgroundClick: () => void,
): PanZoom {
  const [own, setOwn] = useState<View | undefined>(undefined);
  const view = own ?? fitView(content, viewport);
  const isFitted = own === undefined;
  const latest = useRef({ view, isFitted, onBackgroundClick });
  latest.current = { view, isFitted, onBackgroundClick };

  useEffect(() => {
    const target = element.current;
    if (!target) return;
    return listen(target, {
      read: () => latest.current.view,
      write: setOwn,
      clickBackground: () => latest.current.onBackgroundClick(),
    });
  }, []);

  const zoom = useCallback(
    (factor: number) =>
      setOwn(zoomView(latest.current.view, factor, viewport.width / 2, viewport.height / 2)),
    [viewport],
  );
  const reveal = useCallback(
    (point: { readonly x: number; readonly y: number }) => {
      if (viewport.width === 0) return;
      const current = latest.current.view;
      // A fitted view shows all there is, up to its edges: it stays fitted.
      const next = revealPoint(current, point, viewport, latest.current.isFitted ? 2 : 24);
      if (next.x !== current.x || next.y !== current.y) setOwn(next);
    },
    [viewport],
  );
  const fit = useCallback(() => setOwn(undefined), []);
  return { view, zoom, fit, reveal };
}

interface Controls {
  readonly read: () => View;
  readonly write: (view: View) => void;
  readonly clickBackground: () => void;
}

function listen(target: HTMLElement, controls: Controls): () => void {
  let from: { readonly x: number; readonly y: number; readonly view: View } | undefined;
  let moved = false;
  const down = (event: PointerEvent): void => {
    if (event.button !== 0 || (event.target as Element).closest('button')) return;
    from = { x: event.clientX, y: event.clientY, view: controls.read() };
    moved = false;
    target.setPointerCapture(event.pointerId);
  };
  const move = (event: PointerEvent): void => {
    if (!from) return;
    const x = event.clientX - from.x;
    const y = event.clientY - from.y;
    if (!moved && Math.hypot(x, y) < clickSlop) return;
    moved = true;
    controls.write({ ...from.view, x: from.view.x + x, y: from.view.y + y });
  };
  const up = (): void => {
    if (from && !moved) controls.clickBackground();
    from = undefined;
  };
  const cancel = (): void => {
    from = undefined;
  };
  const wheel = (event: WheelEvent): void => {
    event.preventDefault();
    const view = controls.read();
    if (event.ctrlKey || event.metaKey) {
      const box = target.getBoundingClientRect();
      const factor = Math.exp(-event.deltaY * 0.004);
      controls.write(zoomView(view, factor, event.clientX - box.left, event.clientY - box.top));
      return;
    }
    controls.write({ ...view, x: view.x - event.deltaX, y: view.y - event.deltaY });
  };
  target.addEventListener('pointerdown', down);
  target.addEventListener('pointermove', move);
  target.addEventListener('pointerup', up);
  target.addEventListener('pointercancel', cancel);
  target.addEventListener('wheel', wheel, { passive: false });
  return () => {
    target.removeEventListener('pointerdown', down);
    target.removeEventListener('pointermove', move);
    target.removeEventListener('pointerup', up);
    target.removeEventListener('pointercancel', cancel);
    target.removeEventListener('wheel', wheel);
  };
}
