/** Quantised blocks come out to the bit as the Python package `gguf` reads them (test/parity/record_gguf_blocks.py). */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { dequantize } from '../../../../src/engine/files/ggufDequantize.ts';
import { isReadableGgufType, readableGgufTypes } from '../../../../src/engine/files/ggufTypes.ts';

const path = join(import.meta.dirname, '../../../fixtures/parity/gguf/blocks.json');
const recorded: { readonly types: Readonly<Record<string, { blocks: string; float32: string }>> } =
  JSON.parse(readFileSync(path, 'utf8'));

function bits(data: Float32Array | Uint8Array): Uint32Array {
  return new Uint32Array(data.slice().buffer);
}

describe('dequantize', () => {
  it.each(readableGgufTypes)('reads %s as the reference does', (type) => {
    const { blocks, float32 } = recorded.types[type]!;
    const found = dequantize(type, Buffer.from(blocks, 'base64'));
    const expected = bits(new Uint8Array(Buffer.from(float32, 'base64')));
    expect(found.length).toBeGreaterThan(5);
    expect(bits(found)).toEqual(expected);
  });

  it('has a recording of every format, with numbers of many sizes', () => {
    expect(Object.keys(recorded.types).sort()).toEqual([...readableGgufTypes].sort());
    for (const [type, { float32 }] of Object.entries(recorded.types)) {
      const numbers = new Float32Array(new Uint8Array(Buffer.from(float32, 'base64')).buffer);
      expect(new Set(numbers).size, type).toBeGreaterThan(4);
      expect(numbers.some((x) => x < 0) && numbers.some((x) => x > 0), type).toBe(true);
    }
  });

  it('refuses a part of a block', () => {
    expect(() => dequantize('Q4_K', new Uint8Array(143))).toThrow('143 bytes');
    expect(isReadableGgufType('IQ2_XS')).toBe(false);
  });
});
