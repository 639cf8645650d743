/** Graphs come once for each content, and every state that is shown is whole. */
import { describe, expect, it } from 'vitest';
import { sentCircuit } from '../../../../src/host/circuits/sentCircuit.ts';
import { emptyAnnotations } from '../../../../src/shared/circuitAnnotations.ts';
import type { SentCircuit, SentState } from '../../../../src/shared/circuitViewApi.ts';
import { GraphCache } from '../../../../webview-ui/circuit/graphCache.ts';
import { smallCircuit } from './smallCircuit.ts';

const rest: SentState = {
  openCircuits: [],
  isFile: false,
  canUndo: false,
  canRedo: false,
  stale: false,
  tokenSelected: -1,
  evaluating: false,
};
const open = (version: string) =>
  ({ id: 'c', title: 'c', version, graph: smallCircuit, annotations: emptyAnnotations() }) as const;
type Open = Parameters<typeof sentCircuit>[0];
const send = (cache: GraphCache, version: string): SentCircuit =>
  sentCircuit(open(version) as unknown as Open, cache.known);

describe('a graph', () => {
  it('is sent once, and again when it is another one', () => {
    const cache = new GraphCache();
    expect(send(cache, 'c.0').graph).toBe(smallCircuit);
    const first = cache.complete({ ...rest, circuit: send(cache, 'c.0') });
    expect(send(cache, 'c.0')).not.toHaveProperty('graph');
    const second = cache.complete({ ...rest, circuit: send(cache, 'c.0') });
    expect(second.circuit?.graph).toBe(first.circuit?.graph);
    expect(send(cache, 'c.1').graph).toBe(smallCircuit);
  });

  it('that is shown no longer is sent again when it comes back', () => {
    const cache = new GraphCache();
    cache.complete({ ...rest, circuit: send(cache, 'a'), other: send(cache, 'b') });
    expect(cache.known).toEqual(['a', 'b']);
    cache.complete({ ...rest, circuit: send(cache, 'a') });
    expect(cache.known).toEqual(['a']);
    expect(send(cache, 'b').graph).toBe(smallCircuit);
  });

  it('that was never sent cannot be left out', () => {
    const { graph: _, ...without } = send(new GraphCache(), 'a');
    expect(() => new GraphCache().complete({ ...rest, circuit: without })).toThrow();
  });
});
