/** Finds one process among all of this machine, so that a test can stop it without touching another's. Linux only. */
import { readdirSync, readFileSync } from 'node:fs';

/** Both must hold. */
export interface ProcessMarks {
  /** The end of one of its arguments, such as "engine.cjs". */
  readonly argument: string;
  /** A variable of its environment, as "NAME=value". */
  readonly environment: string;
}

/** The id of the process, or undefined when there is none. */
export function findProcess({ argument, environment }: ProcessMarks): number | undefined {
  const ids = readdirSync('/proc').filter((name) => /^\d+$/.test(name));
  const found = ids.find(
    (id) =>
      readList(`/proc/${id}/cmdline`).some((part) => part.endsWith(argument)) &&
      readList(`/proc/${id}/environ`).includes(environment) &&
      !/^State:\s+Z/m.test(readText(`/proc/${id}/status`)),
  );
  return found === undefined ? undefined : Number(found);
}

function readList(path: string): readonly string[] {
  return readText(path).split('\0');
}

/** Empty for a process that is gone or another user's. */
function readText(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
}
