/** The columns of a grid that scrolls sideways: which are in view, and the widths that keep the others' room. */

import type { JSX } from 'preact';
import { useLayoutEffect, useState } from 'preact/hooks';

/** How far a grid is scrolled, and how wide its part is that shows columns; in pixels. */
export interface ScrollView {
  readonly left: number;
  readonly width: number;
}

/** Follows the scrolling and the size of an element whose first `headerWidth` pixels name the rows. */
export function useScrollView(
  scroller: { readonly current: HTMLDivElement | null },
  headerWidth: number,
): ScrollView {
  const [view, setView] = useState<ScrollView>({ left: 0, width: 600 });
  useLayoutEffect(() => {
    const element = scroller.current;
    if (!element) return;
    const measure = (): void =>
      setView({ left: element.scrollLeft, width: element.clientWidth - headerWidth });
    measure();
    const observer = new ResizeObserver(measure);
    observer.observe(element);
    element.addEventListener('scroll', measure, { passive: true });
    return () => {
      observer.disconnect();
      element.removeEventListener('scroll', measure);
    };
  }, []);
  return view;
}

/** The column that names the rows, room for what is left of the view, the columns in view, and room for the rest. */
export function GridColumns(props: {
  readonly headerWidth: number;
  readonly width: number;
  readonly first: number;
  readonly end: number;
  readonly count: number;
}): JSX.Element {
  const { count, end, first, headerWidth, width } = props;
  const pixels = (size: number) => ({ width: `${size}px` });
  return (
    <colgroup>
      <col style={pixels(headerWidth)} />
      <col style={pixels(first * width)} />
      {Array.from({ length: end - first }, (_, i) => (
        <col key={first + i} style={pixels(width)} />
      ))}
      <col style={pixels((count - end) * width)} />
    </colgroup>
  );
}
