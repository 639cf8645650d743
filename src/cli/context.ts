/** What a command runs in: the engine, the parsed line, the prompt, and where the answer goes. */

import { existsSync, readFileSync, realpathSync, statSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Engine } from '../engine/engine.ts';
import type { BosPolicy, Contrast, ModelInfo, SaeInfo } from '../shared/domain.ts';
import type { CallOptions, EngineApi } from '../shared/engineApi.ts';
import { formatText, formatToken } from '../shared/format.ts';
import { readHubName } from '../shared/hubName.ts';
import { type CommandLine, CommandLineError, listOption, type OptionSpec, textOption } from './arguments.ts';
import { progressLine } from './progressLine.ts';

/** One command of the program. */
export interface Command {
  readonly summary: string;
  readonly usage: string;
  readonly options: Readonly<Record<string, OptionSpec>>;
  /** Options of all commands that this one refuses: help does not list them. */
  readonly refuses?: readonly string[];
  run(context: Context): Promise<void>;
}

/** Everything a command needs. */
export interface Context {
  readonly engine: EngineApi;
  readonly line: CommandLine;
  readonly call: CallOptions;
  /** Prints `rows` as text, or `value` as JSON when --json was given. */
  print(value: unknown, text: () => string): void;
  /** Tells something beside the answer, on standard error. */
  warn(text: string): void;
  close(): void;
}

/** Opens the engine in this process. Ctrl+C cancels the work that is under way. */
export function openContext(line: CommandLine): Context {
  const controller = new AbortController();
  const cancel = (): void => controller.abort();
  process.on('SIGINT', cancel);
  const progress = progressLine(process.stderr);
  const engine = new Engine();
  return {
    engine,
    line,
    call: { signal: controller.signal, report: progress.show },
    print(value, text) {
      progress.clear();
      process.stdout.write(line.options.json ? `${JSON.stringify(value, plain, 2)}\n` : `${text()}\n`);
    },
    warn(text) {
      progress.clear();
      process.stderr.write(`${text.split('\n').map(formatText).join('\n')}\n`);
    },
    close() {
      progress.clear();
      process.off('SIGINT', cancel);
    },
  };
}

/** Typed arrays as plain lists, and numbers that JSON lacks as null. */
function plain(_key: string, value: unknown): unknown {
  if (ArrayBuffer.isView(value)) return Array.from(value as unknown as ArrayLike<number>);
  return value;
}

/** The folder that ships with Fovea: the nearest parent of this file that has `models/mini`. */
export function embeddedModel(): string {
  let folder = dirname(fileURLToPath(import.meta.url));
  for (let up = 0; up < 4; up++) {
    const model = join(folder, 'models', 'mini');
    if (existsSync(join(model, 'config.json'))) return model;
    folder = dirname(folder);
  }
  throw new CommandLineError(
    'The embedded model is missing from this installation. Name a model with --model FOLDER.',
  );
}

/** Opens the model that the line names: a folder, a file, or a repository that is in the cache. */
export async function openModel(context: Context): Promise<ModelInfo> {
  const named = textOption(context.line, 'model') ?? embeddedModel();
  const path = (await cachedModel(context, named)) ?? resolve(named);
  return context.engine.openModel({ path, bos: bosPolicy(context.line) }, context.call);
}

function bosPolicy(line: CommandLine): BosPolicy {
  const value = textOption(line, 'bos') ?? 'auto';
  if (value === 'auto' || value === 'always' || value === 'never') return value;
  throw new CommandLineError(`--bos takes auto, always or never, not "${value}".`);
}

async function cachedModel({ engine, call }: Context, named: string): Promise<string | undefined> {
  const name = existsSync(named) ? undefined : readHubName(named);
  if (!name) return undefined;
  return (await engine.locateCached({ ...name, what: { kind: 'model' } }, call)).path;
}

/**
 * The prompt: the words of the line, or a text file's content when the first word names one, or
 * standard input for `-`. One trailing newline of a file is not part of the prompt.
 */
export function readPrompt(line: CommandLine): string {
  const [first, ...rest] = line.words;
  if (first === undefined) throw new CommandLineError('Give a prompt, a text file, or - for standard input.');
  if (first === '-' && rest.length === 0) return readFileSync(0, 'utf8').replace(/\r?\n$/, '');
  if (rest.length === 0 && existsSync(first) && statSync(first).isFile()) {
    return readFileSync(first, 'utf8').replace(/\r?\n$/, '');
  }
  if (rest.length === 0 && looksLikeFile(first)) {
    throw new CommandLineError(
      `There is no file ${first}. A prompt of one word is given as it is, without a path.`,
    );
  }
  return line.words.join(' ');
}

/** One word that nobody would mean as a prompt: analysing a mistyped file name would answer another question. */
function looksLikeFile(word: string): boolean {
  return !/\s/.test(word) && (/[\\/]/.test(word) || /\.(txt|md|jsonl?|prompt)$/i.test(word));
}

/** The SAE whose hook is named by --sae, or the residual stream of the middle layer. */
export async function chooseSae(context: Context, model: ModelInfo): Promise<SaeInfo> {
  const folder = textOption(context.line, 'sae');
  const path = folder === undefined ? undefined : pathOfSae(folder);
  const saes = await context.engine.listSaes(
    { model: model.id, folders: path === undefined ? [] : [path.folder] },
    context.call,
  );
  const named = saes.find((sae) => (path ? isAt(sae.id, path) : sae.hook === folder));
  if (named) return named;
  if (folder !== undefined) {
    const known = saes.map((sae) => `  ${formatToken(sae.hook)}`).join('\n');
    throw new CommandLineError(`There is no SAE for "${folder}". This model has SAEs for:\n${known}`);
  }
  const middle = Math.floor(model.nLayers / 2);
  const usable = saes.filter((sae) => !sae.problem);
  const fallback = usable.find((sae) => sae.hook === `blocks.${middle}.hook_resid_post`) ?? usable[0];
  if (!fallback)
    throw new CommandLineError('This model has no SAEs beside it. Name an SAE folder with --sae.');
  return fallback;
}

/** A folder that is there, perhaps with the file of one of its SAEs behind a `#`. */
function pathOfSae(named: string): { readonly folder: string; readonly part?: string } | undefined {
  if (existsSync(named)) return { folder: realpathSync(named) };
  const at = named.lastIndexOf('#');
  if (at < 0 || !existsSync(named.slice(0, at))) return undefined;
  return { folder: realpathSync(named.slice(0, at)), part: named.slice(at + 1) };
}

/** The SAE of the folder, the one of its file, or the first of several. */
function isAt(id: string, { folder, part }: { readonly folder: string; readonly part?: string }): boolean {
  return part === undefined ? id === folder || id.startsWith(`${folder}#`) : id === `${folder}#${part}`;
}

/** The contrast of `--contrast ANSWER --contrast WRONG`, if it was given. */
export function readContrast(line: CommandLine): Contrast | undefined {
  const words = listOption(line, 'contrast');
  if (words.length === 0) return undefined;
  const [answer, wrong] = words;
  if (words.length !== 2 || answer === undefined || wrong === undefined) {
    throw new CommandLineError('A contrast is two answers: --contrast " Mary" --contrast " John".');
  }
  return { answer, wrong };
}
