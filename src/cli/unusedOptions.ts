/** Refuses options that would do nothing: whoever gives one expects it to count. */
import { type CommandLine, CommandLineError } from './arguments.ts';

/** When it holds, these options do nothing; and why, or what to give instead (no full stop). */
export type UnusedOptions = readonly [holds: boolean, options: readonly string[], advice: string];

/** Whether the line gives the option. */
export function isGiven({ options }: CommandLine, name: string): boolean {
  const value = options[name];
  return Array.isArray(value) ? value.length > 0 : value !== undefined && value !== false;
}

/** @throws CommandLineError for the first option that does nothing, with the advice. */
export function refuseUnused(line: CommandLine, rules: readonly UnusedOptions[]): void {
  for (const [holds, options, advice] of rules) {
    const unused = holds ? options.find((option) => isGiven(line, option)) : undefined;
    if (unused !== undefined) throw new CommandLineError(`--${unused} does nothing here. ${advice}.`);
  }
}
