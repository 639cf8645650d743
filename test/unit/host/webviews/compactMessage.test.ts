/** Number arrays must not drag their larger buffers into a webview. */

// Messages to webviews carry no more than they must.
import { describe, expect, it } from 'vitest';
import { compactMessage } from '../../../../src/host/webviews/compactMessage.ts';

describe('compactMessage', () => {
  it('gives every view of a larger buffer a buffer of its own, wherever it is', () => {
    const buffer = new ArrayBuffer(4096);
    const view = new Float32Array(buffer, 16, 3);
    view.set([1, 2, 3]);
    const message = {
      result: { heat: { values: view }, features: [{ indices: new Int32Array(buffer, 0, 2) }] },
    };
    const compact = compactMessage(message) as typeof message;
    expect(compact).toEqual(message);
    expect(compact.result.heat.values.buffer.byteLength).toBe(12);
    expect(compact.result.features[0]?.indices.buffer.byteLength).toBe(8);
    expect(message.result.heat.values.buffer.byteLength).toBe(4096);
  });

  it('leaves everything else as it is', () => {
    const message = { a: [1, 'x', null], b: { c: undefined, d: new Float32Array(2) } };
    expect(compactMessage(message)).toBe(message);
  });
});
