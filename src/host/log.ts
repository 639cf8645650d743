/** The log as the rest of the host sees it; VS Code's log channel has this shape. */

/** Writes lines to a log. */
export interface Log {
  debug(message: string): void;
  info(message: string): void;
  warn(message: string): void;
  error(message: string): void;
}

/** A log that keeps nothing. */
export const silentLog: Log = { debug: drop, info: drop, warn: drop, error: drop };

/** An error with its stack, as one text for the log. */
export function describeForLog(error: unknown): string {
  if (error instanceof Error) return error.stack ?? `${error.name}: ${error.message}`;
  return String(error);
}

function drop(): void {}
