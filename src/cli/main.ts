/** The `fovea` command: the same engine as the extension's, without an editor. */

import { isEngineError } from '../shared/errors.ts';
import { CommandLineError, commonOptions, parseCommandLine } from './arguments.ts';
import { ablate } from './commands/ablate.ts';
import { attribute } from './commands/attribute.ts';
import { check } from './commands/check.ts';
import { circuit } from './commands/circuit.ts';
import { dla } from './commands/dla.ts';
import { download } from './commands/download.ts';
import { exportCommand } from './commands/export.ts';
import { features } from './commands/features.ts';
import { graph } from './commands/graph.ts';
import { lens } from './commands/lens.ts';
import { models } from './commands/models.ts';
import { patch } from './commands/patch.ts';
import { run } from './commands/run.ts';
import { sae } from './commands/sae.ts';
import { shift } from './commands/shift.ts';
import { sparse } from './commands/sparse.ts';
import { study } from './commands/study.ts';
import { task } from './commands/task.ts';
import { train } from './commands/train.ts';
import type { Command } from './context.ts';
import { openContext } from './context.ts';

const commands: Readonly<Record<string, Command>> = {
  features,
  ablate,
  lens,
  dla,
  circuit,
  attribute,
  graph,
  patch,
  sparse,
  run,
  export: exportCommand,
  check,
  sae,
  shift,
  study,
  task,
  train,
  models,
  download,
};

/** Runs one command line. Returns the exit code: 0 done, 1 failed, 2 the command line was wrong, 130 cancelled. */
export async function main(argv: readonly string[]): Promise<number> {
  const name = argv[0];
  if (!name || name === 'help' || name === '--help') {
    process.stdout.write(overview());
    return name ? 0 : 2;
  }
  const command = Object.hasOwn(commands, name) ? commands[name] : undefined;
  if (!command) {
    process.stderr.write(`There is no command "${name}": fovea help lists those that there are.\n`);
    return 2;
  }
  try {
    const line = parseCommandLine(command, argv.slice(1));
    if (line.options.help) {
      process.stdout.write(describe(name, command));
      return 0;
    }
    const context = openContext(line);
    try {
      await command.run(context);
    } finally {
      context.close();
    }
    // A command that found something wrong with what it was given says so itself.
    return Number(process.exitCode ?? 0);
  } catch (error) {
    return report(error, name);
  }
}

function report(error: unknown, name: string): number {
  if (error instanceof CommandLineError) {
    process.stderr.write(`${error.message}\nfovea ${name} --help lists the options.\n`);
    return 2;
  }
  if (isEngineError(error, 'cancelled')) {
    process.stderr.write('Cancelled.\n');
    return 130;
  }
  const message = isEngineError(error) ? error.message : ((error as Error)?.stack ?? String(error));
  process.stderr.write(`${message}\n`);
  return 1;
}

function overview(): string {
  const rows = Object.entries(commands).map(([name, command]) => `  ${name.padEnd(10)} ${command.summary}`);
  return `fovea: see what a language model computes\n\nUsage: fovea <command> [prompt or file] [options]\n\n${rows.join('\n')}\n\nfovea <command> --help lists the options of a command.\n`;
}

function describe(name: string, command: Command): string {
  const known = Object.entries({ ...command.options, ...commonOptions });
  const rows = known
    .filter(([option]) => !command.refuses?.includes(option))
    .map(
      ([option, { about, placeholder }]) =>
        `  ${`--${option}${placeholder ? ` ${placeholder}` : ''}`.padEnd(28)} ${about}`,
    );
  return `fovea ${name}: ${command.summary}\n\nUsage: fovea ${name} ${command.usage}\n\n${rows.join('\n')}\n`;
}

main(process.argv.slice(2)).then((code) => {
  // Native sessions keep worker threads, so the process has to be ended; what was written has to arrive first.
  process.stdout.write('', () => process.exit(code));
});
