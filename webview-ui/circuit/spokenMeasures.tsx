/** The measures of the kept nodes for screen readers: told once they rest, not at every step of the slider. */

import type { JSX } from 'preact';
import { useEffect, useState } from 'preact/hooks';

/** Milliseconds after which a value is told. */
const rest = 1000;

/** `text` is empty while there is nothing to tell. */
export function SpokenMeasures({ text }: { readonly text: string }): JSX.Element {
  const [told, tell] = useState('');
  useEffect(() => {
    const timer = setTimeout(() => tell(text), rest);
    return () => clearTimeout(timer);
  }, [text]);
  return (
    <span class="sr-only" role="status">
      {told}
    </span>
  );
}
