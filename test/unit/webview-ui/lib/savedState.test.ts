/** What outlives a reload, and what does not get in from a broken state. */

import { describe, expect, it } from 'vitest';
import { SavedState } from '../../../../webview-ui/lib/savedState.ts';

describe('SavedState', () => {
  it('gives back after a reload what was set before', () => {
    let kept: unknown;
    const store = {
      read: () => kept,
      write: (state: unknown) => {
        kept = structuredClone(state);
      },
    };
    const before = new SavedState(store);
    before.signal<string>('tab', 'features').value = 'lens';
    before.signal<number>('layer', 0).value = 3;
    const after = new SavedState(store);
    expect(after.signal<string>('tab', 'features').value).toBe('lens');
    expect(after.signal<number>('layer', 0).value).toBe(3);
  });

  it('falls back when the state is missing, of another version, or of another type', () => {
    const broken = [
      undefined,
      null,
      7,
      'text',
      { version: 99, values: { tab: 'lens' } },
      { version: 1 },
      { version: 1, values: { tab: 5 } },
    ];
    for (const state of broken) {
      const saved = new SavedState({ read: () => state, write: () => {} });
      expect(saved.signal('tab', 'features').value).toBe('features');
    }
  });

  it('writes nothing until something is set', () => {
    let writes = 0;
    const saved = new SavedState({ read: () => undefined, write: () => writes++ });
    saved.signal('tab', 'features');
    expect(writes).toBe(0);
  });
});
