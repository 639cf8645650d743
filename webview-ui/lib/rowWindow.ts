/** Which rows of a long list are in the document: those in sight and a few around them. */

import { useCallback, useEffect, useState } from 'preact/hooks';

/** Rows above and below those in sight. */
const around = 12;

/** Lists of up to this many rows are in the document as a whole. */
const mostWhole = 300;

/** First row, and the one after the last. */
export interface RowWindow {
  readonly from: number;
  readonly to: number;
  /** Scrolls as little as it takes to show a row. */
  readonly reveal: (index: number) => void;
}

/** The window on `count` rows of `height` pixels in a scrolling element; `top` pixels stand above the first. */
export function useRowWindow(
  scroller: { readonly current: HTMLElement | null },
  count: number,
  height: number,
  top: number,
): RowWindow {
  const [sight, setSight] = useState({ at: 0, size: 600 });
  useEffect(() => {
    const element = scroller.current;
    if (!element) return;
    const look = (): void => setSight({ at: element.scrollTop, size: element.clientHeight });
    look();
    element.addEventListener('scroll', look, { passive: true });
    const observer = new ResizeObserver(look);
    observer.observe(element);
    return () => {
      element.removeEventListener('scroll', look);
      observer.disconnect();
    };
  }, []);
  const reveal = useCallback(
    (index: number) => {
      const element = scroller.current;
      if (!element) return;
      const from = top + index * height;
      if (from < element.scrollTop + top) element.scrollTop = from - top;
      else if (from + height > element.scrollTop + element.clientHeight)
        element.scrollTop = from + height - element.clientHeight;
    },
    [height, top],
  );
  if (count <= mostWhole) return { from: 0, to: count, reveal };
  const from = Math.max(0, Math.floor((sight.at - top) / height) - around);
  return { from, to: Math.min(count, from + Math.ceil(sight.size / height) + 2 * around), reveal };
}
