/** What a panel tells screen readers while it works: rarely enough to be heard out. */

import type { JSX } from 'preact';

/** Parts of a whole after which progress is said again. */
const quarters = 4;

/** A region that is read out when its words change; it takes no room. */
export function Announcement({ text }: { readonly text: string }): JSX.Element {
  return (
    <p class="sr-only" role="status" aria-live="polite">
      {text}
    </p>
  );
}

/** Progress in whole quarters, so that words made from it change seldom: 0, 25, 50, 75 or 100, of a share from 0 to 1. */
export function quarterPercent(share: number): number {
  const known = Number.isFinite(share) ? Math.min(1, Math.max(0, share)) : 0;
  return (Math.floor(known * quarters + 1e-9) * 100) / quarters;
}
