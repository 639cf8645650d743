/** When an engine that stopped may start again. */

// How long the engine waits before it starts again, and when it gives up.
import { describe, expect, it } from 'vitest';
import { BackOff } from '../../../src/host/backOff.ts';

describe('BackOff', () => {
  it('starts at once after one stop, waits longer after each further one, and refuses a crash loop', () => {
    const backOff = new BackOff(() => 0);
    const decisions = [];
    for (let stops = 0; stops < 6; stops++) {
      decisions.push(backOff.decide());
      backOff.stopped();
    }
    expect(decisions).toEqual([
      { kind: 'start', delay: 0 },
      { kind: 'start', delay: 0 },
      { kind: 'start', delay: 500 },
      { kind: 'start', delay: 1000 },
      { kind: 'start', delay: 2000 },
      { kind: 'refuse', stops: 5 },
    ]);
  });

  it('forgets stops after a minute', () => {
    let now = 0;
    const backOff = new BackOff(() => now);
    for (let stops = 0; stops < 5; stops++) backOff.stopped();
    now = 59_000;
    expect(backOff.decide().kind).toBe('refuse');
    now = 61_000;
    expect(backOff.decide()).toEqual({ kind: 'start', delay: 0 });
  });

  it('starts at once when the user asks', () => {
    const backOff = new BackOff(() => 0);
    for (let stops = 0; stops < 5; stops++) backOff.stopped();
    backOff.reset();
    expect(backOff.decide()).toEqual({ kind: 'start', delay: 0 });
  });
});
