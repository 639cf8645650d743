/** Folding "changed" events into few questions. */

import { describe, expect, it } from 'vitest';
import { Refresher } from '../../../../webview-ui/lib/refresher.ts';

describe('Refresher', () => {
  it('asks once more after changes that came while an answer was on its way, not once for each', async () => {
    const answers: ((value: number) => void)[] = [];
    const accepted: number[] = [];
    const refresher = new Refresher<number>(
      () => new Promise((resolve) => answers.push(resolve)),
      (state) => accepted.push(state),
      () => {},
    );
    const first = refresher.refresh();
    for (let i = 0; i < 5; i++) void refresher.refresh();
    answers[0]?.(1);
    await Promise.resolve();
    await Promise.resolve();
    answers[1]?.(2);
    await first;
    expect(accepted).toEqual([1, 2]);
    expect(answers).toHaveLength(2);
  });

  it('reports a failure and works again afterwards', async () => {
    let broken = true;
    const seen: (string | undefined)[] = [];
    const refresher = new Refresher<string>(
      async () => {
        if (broken) throw new Error('gone');
        return 'back';
      },
      (state) => seen.push(state),
      (reason) => seen.push(reason),
    );
    await refresher.refresh();
    broken = false;
    await refresher.refresh();
    expect(seen).toEqual(['gone', 'back']);
  });
});
