/** Training text as a stream of documents, and rows drawn from it that begin where documents begin. */
import { describe, expect, it } from 'vitest';
import {
  drawRows,
  encodeDocuments,
  holdOut,
  type TokenStream,
} from '../../../../src/engine/training/tokenRows.ts';
import { failure } from '../../temporaryFolder.ts';

const separator = 0;
/** One id per character: its code. */
const encoder = { encode: (text: string) => ({ ids: Int32Array.from(text, (c) => c.charCodeAt(0)) }) };

describe('encodeDocuments', () => {
  it('puts the separator before every document and stops before the first that does not fit', async () => {
    const stream = await encodeDocuments(['ab', '', 'cde', 'fghij', 'k'], encoder, { length: 11, separator });
    expect([...stream.ids]).toEqual([0, 97, 98, 0, 0, 99, 100, 101]);
    expect([...stream.starts]).toEqual([0, 3, 4]);
  });

  it('reads no more documents than it needs', async () => {
    let read = 0;
    function* documents() {
      for (;;) {
        read++;
        yield 'abc';
      }
    }
    const { ids, starts } = await encodeDocuments(documents(), encoder, { length: 40, separator });
    expect([ids.length, starts.length, read]).toEqual([40, 10, 11]);
  });

  it('refuses text of which nothing fits', async () => {
    const options = { length: 3, separator };
    await expect(encodeDocuments(['abcdef'], encoder, options)).rejects.toThrow('no document that fits');
    await expect(encodeDocuments([], encoder, options)).rejects.toThrow('no document that fits');
  });

  it('reports how far it is and can be cancelled', async () => {
    const controller = new AbortController();
    const done: number[] = [];
    const report = (step: { done: number }) => {
      done.push(step.done);
      if (done.length === 2) controller.abort();
    };
    const documents = Array.from({ length: 9000 }, () => 'abc');
    const options = { length: 36_000, separator, report, signal: controller.signal };
    expect((await failure(encodeDocuments(documents, encoder, options))).code).toBe('cancelled');
    expect(done).toEqual([8000, 16_000]);
  });
});

describe('drawRows', () => {
  /** Documents of differing length; ids count up, so every id tells where it stands. */
  const starts = [0, 5, 17, 18, 40, 71, 90, 97];
  const stream: TokenStream = {
    ids: Int32Array.from({ length: 100 }, (_, i) => i),
    starts: Int32Array.from(starts),
  };

  it('draws stretches of the stream that begin at a document or just after its separator', () => {
    const [count, length] = [400, 8];
    const drawn = drawRows(stream, { rows: count, length }, 'seed', 3);
    const begins: number[] = [];
    for (let row = 0; row < count; row++) {
      const own = [...drawn.subarray(row * length, row * length + length)];
      expect(own).toEqual(own.map((_, i) => own[0]! + i));
      begins.push(own[0]!);
    }
    // From 97 on no whole row is left.
    const allowed = starts
      .filter((start) => start + 1 + length <= 100)
      .flatMap((start) => [start, start + 1]);
    expect(new Set(begins)).toEqual(new Set(allowed));
    const withSeparator = begins.filter((begin) => starts.includes(begin) && begin !== 18).length;
    const without = begins.filter((begin) => starts.includes(begin - 1) && begin !== 18).length;
    expect(withSeparator / (withSeparator + without)).toBeGreaterThan(0.4);
    expect(withSeparator / (withSeparator + without)).toBeLessThan(0.6);
  });

  it('draws rows that all begin with a separator when they shall, and the same rows otherwise', () => {
    const shape = { rows: 50, length: 8 };
    const either = drawRows(stream, shape, 'seed', 3);
    const all = drawRows(stream, { ...shape, begin: 'separator' }, 'seed', 3);
    for (let row = 0; row < 50; row++) {
      const [first, other] = [all[row * 8]!, either[row * 8]!];
      expect(starts).toContain(first);
      expect([first, first + 1]).toContain(other);
    }
  });

  it('is a function of the stream, the seed and the step', () => {
    const shape = { rows: 20, length: 6 };
    const drawn = drawRows(stream, shape, 'seed', 7);
    expect(drawRows(stream, shape, 'seed', 7)).toEqual(drawn);
    expect(drawRows(stream, shape, 'seed', 8)).not.toEqual(drawn);
    expect(drawRows(stream, shape, 'other', 7)).not.toEqual(drawn);
  });

  it('uses the last document that leaves room for a row', () => {
    const tail: TokenStream = { ids: stream.ids, starts: Int32Array.of(91) };
    const begins = drawRows(tail, { rows: 30, length: 8 }, 1, 0).filter((_, i) => i % 8 === 0);
    expect(new Set(begins)).toEqual(new Set([91, 92]));
  });

  it('refuses a stream that is too short for a row', () => {
    expect(() => drawRows(stream, { rows: 1, length: 100 }, 1, 0)).toThrow('too short for rows of 100');
    expect(() =>
      drawRows({ ids: stream.ids, starts: Int32Array.of() }, { rows: 1, length: 2 }, 1, 0),
    ).toThrow('too short');
  });
});

describe('holdOut', () => {
  it('keeps the parts apart, between documents', () => {
    const ids = Int32Array.from({ length: 100 }, (_, i) => i);
    const { train, heldOut } = holdOut({ ids, starts: Int32Array.of(0, 30, 70, 85) }, 10);
    expect([...train.ids, ...heldOut.ids]).toEqual([...ids]);
    expect(heldOut.ids[0]).toBe(85);
    expect([...train.starts]).toEqual([0, 30, 70]);
    expect([...heldOut.starts]).toEqual([0]);
  });

  it('holds out the end of a single document, as much as is asked for', () => {
    const ids = Int32Array.from({ length: 40 }, (_, i) => i);
    const { train, heldOut } = holdOut({ ids, starts: Int32Array.of(0) }, 12);
    expect([train.ids.length, heldOut.ids.length]).toEqual([28, 12]);
    expect([...train.starts, ...heldOut.starts]).toEqual([0, 0]);
  });
});
