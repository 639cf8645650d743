/** Options of task generators as they are written on a command line. */
import { CommandLineError } from './arguments.ts';

/** Options of a generator, each written NAME=VALUE. @throws CommandLineError for others. */
export function generatorOptions(given: readonly string[]): Record<string, string> {
  return Object.fromEntries(
    given.map((option) => {
      const at = option.indexOf('=');
      if (at < 1) throw new CommandLineError(`--option takes NAME=VALUE, not "${option}".`);
      return [option.slice(0, at), option.slice(at + 1)];
    }),
  );
}
