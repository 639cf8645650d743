/** Hostile text must stay text in hovers. */

// Hostile token text in hovers stays text.
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { codeSpan, escapeMarkdown } from '../../../../src/host/editor/escapeMarkdown.ts';

const hostile = [
  '[click](command:workbench.action.quit)',
  '![x](https://example.org/x.png)',
  '<img src=x onerror=alert(1)>',
  '**bold** _it_ ~~s~~ `code`',
  '# heading',
  '$(trash) $(sync~spin)',
  '&lt;script&gt;',
  'https://example.org',
  'a\\*b',
  '| a | b |',
];

function decode(text: string): string {
  return text.replace(/&#(\d+);/g, (_, code: string) => String.fromCharCode(Number(code)));
}

describe('escapeMarkdown', () => {
  it.each(hostile)('leaves no character with a meaning in %s', (text) => {
    const bare = escapeMarkdown(text).replace(/&#\d+;/g, '');
    expect(bare).not.toMatch(/[^\p{L}\p{N}\s…]/u);
    expect(decode(escapeMarkdown(text))).toBe(text);
  });

  it('shows control characters, direction overrides and lone surrogates as code points', () => {
    expect(decode(escapeMarkdown('a\u0007b'))).toBe('a‹0007›b');
    expect(decode(escapeMarkdown('a\u202eb'))).toBe('a‹202E›b');
    expect(decode(escapeMarkdown('a\ud800b'))).toBe('a‹D800›b');
    expect(decode(escapeMarkdown('a\nb'))).toBe('a↵b');
  });

  it('cuts long texts', () => {
    expect([...decode(escapeMarkdown('x'.repeat(1000)))]).toHaveLength(121);
  });
});

describe('codeSpan', () => {
  it('makes the space of a token visible', () => {
    expect(codeSpan(' Mary')).toBe('`·Mary`');
  });

  it('cannot be closed from inside', () => {
    fc.assert(
      fc.property(fc.string({ unit: fc.constantFrom('`', 'a', ' ', '\n', '<', '[') }), (text) => {
        const span = codeSpan(text);
        const fence = /^`+/.exec(span)?.[0] ?? '';
        const end = /`+$/.exec(span)?.[0] ?? '';
        if (text === '') return;
        const inside = span.slice(fence.length, span.length - fence.length);
        expect(end.length).toBe(fence.length);
        // CommonMark 6.1: a span ends at the first run of backticks that is as long as the opening one.
        for (const run of inside.match(/`+/g) ?? []) expect(run.length).not.toBe(fence.length);
        expect(span).not.toContain('\n');
      }),
    );
  });
});
