/** Reads a command line into a prompt and typed options, with errors that name what is wrong. */

import { parseArgs } from 'node:util';
import type { Command } from './context.ts';

/** A command line that cannot be understood. The message says why. */
export class CommandLineError extends Error {}

/** What one option takes, and what it is about (shown by --help). */
export interface OptionSpec {
  readonly type: 'string' | 'boolean';
  readonly about: string;
  readonly placeholder?: string;
  readonly multiple?: boolean;
}

/** A parsed command line. */
export interface CommandLine {
  readonly words: readonly string[];
  readonly options: Readonly<Record<string, string | boolean | readonly string[] | undefined>>;
}

/** Options that every command has. */
export const commonOptions: Readonly<Record<string, OptionSpec>> = {
  model: {
    type: 'string',
    placeholder: 'FOLDER',
    about: 'model folder, or owner/name of the cache (default: the embedded model)',
  },
  bos: {
    type: 'string',
    placeholder: 'auto|always|never',
    about: 'beginning-of-sequence token before the prompt (default: as the tokenizer says)',
  },
  json: { type: 'boolean', about: 'print JSON for programs instead of tables' },
  help: { type: 'boolean', about: 'show this help' },
};

/** Parses `argv` by the command's options. Throws CommandLineError. */
export function parseCommandLine(command: Command, argv: readonly string[]): CommandLine {
  const options = Object.fromEntries(
    Object.entries({ ...commonOptions, ...command.options }).map(([name, spec]) => [
      name,
      { type: spec.type, multiple: spec.multiple ?? false },
    ]),
  );
  try {
    const { values, positionals } = parseArgs({
      args: [...argv],
      options,
      allowPositionals: true,
      strict: true,
    });
    return { words: positionals, options: values as CommandLine['options'] };
  } catch (error) {
    throw new CommandLineError((error as Error).message);
  }
}

/** The text of option `name`, or undefined. */
export function textOption(line: CommandLine, name: string): string | undefined {
  const value = line.options[name];
  return typeof value === 'string' ? value : undefined;
}

/** The values of an option that may be given several times. */
export function listOption(line: CommandLine, name: string): readonly string[] {
  const value = line.options[name];
  return Array.isArray(value) ? value : [];
}

/** The whole number of option `name` (at least `least`), or `fallback`. */
export function countOption(line: CommandLine, name: string, fallback: number, least = 1): number {
  const text = textOption(line, name);
  if (text === undefined) return fallback;
  const value = Number(text);
  if (text.trim() === '' || !Number.isInteger(value) || value < least) {
    throw new CommandLineError(`--${name} takes a whole number of at least ${least}, not "${text}".`);
  }
  return value;
}

/** The token position of --position, from 0; the last one of `length` when it is left out. */
export function positionOption(line: CommandLine, length: number): number {
  const position = countOption(line, 'position', length - 1, 0);
  if (position < length) return position;
  throw new CommandLineError(
    `--position takes a number below ${length}, the prompt's tokens, not ${position}.`,
  );
}

/** Two numbers written `layer.head`, e.g. `2.5`. */
export function parseHead(text: string): { readonly layer: number; readonly head: number } {
  const match = /^(\d+)\.(\d+)$/.exec(text);
  if (!match) throw new CommandLineError(`A head is written layer.head, for example 2.5, not "${text}".`);
  return { layer: Number(match[1]), head: Number(match[2]) };
}
