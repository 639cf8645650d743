/** Command lines are read into words and options, and what is wrong with one is said. */
import { describe, expect, it } from 'vitest';
import {
  CommandLineError,
  countOption,
  listOption,
  parseCommandLine,
  parseHead,
  textOption,
} from '../../../src/cli/arguments.ts';
import type { Command } from '../../../src/cli/context.ts';

const command: Command = {
  summary: 'a command',
  usage: 'words',
  options: {
    top: { type: 'string', about: 'how many' },
    at: { type: 'string', multiple: true, about: 'places' },
    fast: { type: 'boolean', about: 'quickly' },
  },
  run: async () => undefined,
};

const parse = (...argv: string[]) => parseCommandLine(command, argv);

describe('parseCommandLine', () => {
  it('takes words and options in any order, the common ones among them', () => {
    const line = parse('The', '--top', '5', 'capital', '--json', '--at=a', '--at', 'b', '--', '--fast');
    expect(line.words).toEqual(['The', 'capital', '--fast']);
    expect(textOption(line, 'top')).toBe('5');
    expect(listOption(line, 'at')).toEqual(['a', 'b']);
    expect(line.options.json).toBe(true);
    expect(line.options.fast).toBeUndefined();
    expect(textOption(line, 'model')).toBeUndefined();
    expect(listOption(line, 'top')).toEqual([]);
  });

  it('keeps a lone dash and an empty word as words', () => {
    expect(parse('-', '').words).toEqual(['-', '']);
  });

  it.each([[['--unknown']], [['--top']], [['--fast=yes']], [['--top', '--json']], [['-x']]])(
    'refuses %j with a message',
    (argv) => {
      expect(() => parse(...argv)).toThrow(CommandLineError);
      expect(() => parse(...argv)).toThrow(/-/);
    },
  );

  it('does not take names that every object has for options', () => {
    expect(() => parse('--constructor', 'x')).toThrow(CommandLineError);
    expect(() => parse('--__proto__', 'x')).toThrow(CommandLineError);
  });
});

describe('countOption', () => {
  it('is a whole number from its least value on, or the fallback', () => {
    expect(countOption(parse('--top', '12'), 'top', 5)).toBe(12);
    expect(countOption(parse(), 'top', 5)).toBe(5);
    expect(countOption(parse('--top', '0'), 'top', 5, 0)).toBe(0);
  });

  it.each(['0', '-1', '1.5', 'many', '', ' ', 'NaN', 'Infinity'])('refuses %j', (text) => {
    expect(() => countOption(parse(`--top=${text}`), 'top', 5)).toThrow(
      `--top takes a whole number of at least 1, not "${text}".`,
    );
  });

  it('refuses an empty text also where 0 is allowed', () => {
    expect(() => countOption(parse('--top='), 'top', 5, 0)).toThrow(CommandLineError);
  });
});

describe('parseHead', () => {
  it('reads layer.head', () => {
    expect(parseHead('2.10')).toEqual({ layer: 2, head: 10 });
  });

  it.each(['2', '2.', '.5', '2.5.1', '-1.2', ' 2.5', 'a.b', ''])('refuses %j', (text) => {
    expect(() => parseHead(text)).toThrow(`not "${text}"`);
  });
});
