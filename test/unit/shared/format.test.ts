/** Numbers and tokens look the same on every surface. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  formatBytes,
  formatDuration,
  formatHead,
  formatNumber,
  formatProbability,
  formatSigned,
  formatText,
  formatToken,
  quoteToken,
} from '../../../src/shared/format.ts';

describe('formatNumber', () => {
  it.each([
    [0, '0'],
    [-0, '0'],
    [1, '1'],
    [12.34, '12.3'],
    [0.042, '0.042'],
    [0.4, '0.4'],
    [-2.34567, '−2.35'],
    [99.96, '100'],
    [999.4, '999'],
    [999.96, '1,000'],
    [1234.5, '1,235'],
    [-24576, '−24,576'],
    [999_999.4, '999,999'],
    [999_999.6, '1e6'],
    [1_234_567, '1.2e6'],
    [0.000999, '0.001'],
    [0.00012345, '0.00012'],
    [0.000012, '1.2e-5'],
    [-1e-7, '−1e-7'],
    [Number.NaN, '–'],
    [Number.POSITIVE_INFINITY, '∞'],
    [Number.NEGATIVE_INFINITY, '−∞'],
  ])('writes %d as %s', (value, text) => {
    expect(formatNumber(value)).toBe(text);
  });

  it('stays short and within 5 % of any number', () => {
    fc.assert(
      fc.property(fc.double({ noNaN: true, noDefaultInfinity: true, min: -1e9, max: 1e9 }), (value) => {
        const text = formatNumber(value);
        expect(text.length).toBeLessThanOrEqual(9);
        const read = Number(text.replace('−', '-').replaceAll(',', ''));
        expect(Math.abs(read - value)).toBeLessThanOrEqual(Math.abs(value) * 0.05);
      }),
      { seed: 2 },
    );
  });
});

describe('formatProbability', () => {
  it.each([
    [1, '100 %'],
    [0.9996, '100 %'],
    [0.9994, '99.9 %'],
    [0.995, '99.5 %'],
    [0.97, '97 %'],
    [0.0996, '10 %'],
    [0.0314, '3.1 %'],
    [0.00996, '1.0 %'],
    [0.0002, '0.02 %'],
    [0.0001, '0.01 %'],
    [0.00009, '< 0.01 %'],
    [0, '< 0.01 %'],
    [Number.NaN, '–'],
  ])('writes %d as %s', (value, text) => {
    expect(formatProbability(value)).toBe(text);
  });
});

describe('formatSigned', () => {
  it.each([
    [1.234, '+1.23'],
    [-0.4, '−0.4'],
    [0, '0'],
    [Number.NaN, '–'],
    [Number.POSITIVE_INFINITY, '+∞'],
  ])('writes %d as %s', (value, text) => {
    expect(formatSigned(value)).toBe(text);
  });
});

describe('durations and sizes', () => {
  it.each([
    [0.44, '0.4 ms'],
    [9.96, '10 ms'],
    [37.6, '38 ms'],
    [999.4, '999 ms'],
    [999.7, '1.0 s'],
    [1234, '1.2 s'],
  ])('writes %d milliseconds as %s', (value, text) => {
    expect(formatDuration(value)).toBe(text);
  });
});

describe('formatText', () => {
  it('keeps spaces and dots, and escapes what formatToken escapes', () => {
    expect(formatText('a · b\n\u202E\u001b[2J')).toBe('a · b↵‹202E›‹001B›[2J');
  });
});

describe('formatToken', () => {
  it.each([
    [' Paris', '·Paris'],
    ['a\r\n\tb', 'a␍↵⇥b'],
    ['\u0000\u001b[31m', '‹0000›‹001B›[31m'],
    ['\u202egpj.exe', '‹202E›gpj.exe'],
    ['\u2066\u061c\u200e', '‹2066›‹061C›‹200E›'],
    ['\u2028\u2029', '‹2028›‹2029›'],
    ['\u3000\u00a0\u2060', '‹3000›⍽‹2060›'],
    ['👩\u200d🚀', '👩‹ZWJ›🚀'],
    ['\ud83d', '‹D83D›'],
    ['\u{e0041}', '‹E0041›'],
    ['naïve Ωé', 'naïve·Ωé'],
    ['', ''],
  ])('shows %j as %s', (text, shown) => {
    expect(formatToken(text)).toBe(shown);
  });

  it('leaves nothing that is invisible, breaks a line or turns the direction', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), (text) => {
        expect(formatToken(text)).not.toMatch(/[\p{Cc}\p{Cf}\p{Cs}\p{Z}]/u);
      }),
      { seed: 4 },
    );
  });
});

describe('formatBytes', () => {
  it.each([
    [0, '0 B'],
    [999, '999 B'],
    [1000, '1.0 kB'],
    [9949, '9.9 kB'],
    [9951, '10 kB'],
    [269_060_552, '269 MB'],
    [999_600, '1.0 MB'],
    [1_340_000_000, '1.3 GB'],
    [5e15, '5000 TB'],
  ])('shows %d as %s', (bytes, shown) => {
    expect(formatBytes(bytes)).toBe(shown);
  });
});

describe('names in running text', () => {
  it('quote tokens with a leading space kept, and write heads as layer.head', () => {
    expect(quoteToken(' Paris')).toBe('" Paris"');
    expect(quoteToken('  a b')).toBe('" ·a·b"');
    expect(quoteToken('\n')).toBe('"↵"');
    expect(formatHead(9, 6)).toBe('9.6');
  });
});

describe('a number that JSON has lost', () => {
  it('is a dash, as NaN is', () => {
    expect(formatNumber(JSON.parse(JSON.stringify(Number.NaN)))).toBe('–');
  });
});
