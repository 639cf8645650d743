/** The `fovea` program, bundled as it ships, for tests that run it as people do. */
import { spawn } from 'node:child_process';

/** What came out of one run. */
export interface Outcome {
  readonly code: number | null;
  readonly out: string;
  readonly err: string;
}

/** Runs the bundled program at `file` with `input` on its standard input. */
export function runProgram(
  file: string,
  argv: readonly string[],
  input = '',
  env: NodeJS.ProcessEnv = process.env,
): Promise<Outcome> {
  const child = spawn(process.execPath, [file, ...argv], { stdio: ['pipe', 'pipe', 'pipe'], env });
  const text = { out: '', err: '' };
  child.stdout.setEncoding('utf8').on('data', (piece: string) => {
    text.out += piece;
  });
  child.stderr.setEncoding('utf8').on('data', (piece: string) => {
    text.err += piece;
  });
  // A program that does not read its input may be gone before it is written.
  child.stdin.on('error', () => {});
  child.stdin.end(input);
  return new Promise((resolve) => child.on('close', (code) => resolve({ code, ...text })));
}
