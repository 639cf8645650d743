/** `fovea circuit convert`: a circuit's file in another format. */

import { dirname, resolve } from 'node:path';
import { isRelativePath } from '../../shared/circuitDocument.ts';
import type { CircuitFileFormat } from '../../shared/circuitFileApi.ts';
import { withTaskPath } from '../../shared/portableCircuit.ts';
import { CommandLineError, textOption } from '../arguments.ts';
import { type Context, openModel } from '../context.ts';

/** The formats by what --format calls them. */
const formats: Readonly<Record<string, CircuitFileFormat>> = {
  fovea: 'fovea',
  graph: 'attributionGraph',
  'eap-ig': 'eapIg',
  'auto-circuit': 'autoCircuit',
};

/** Whether the words ask for a conversion; a prompt is one word. */
export function isConversion(words: readonly string[]): boolean {
  return words[0] === 'convert' && words.length > 1;
}

/** Reads one file and writes the other. */
export async function convertCircuit(context: Context): Promise<void> {
  const { engine, line, call } = context;
  const [, from, to, ...rest] = line.words;
  if (from === undefined || to === undefined || rest.length > 0) {
    throw new CommandLineError('Name two files: fovea circuit convert IN OUT --format graph.');
  }
  const format = chosenFormat(textOption(line, 'format'), to);
  // The model is opened only where it is named: most formats do without.
  const model = textOption(line, 'model') === undefined ? undefined : (await openModel(context)).id;
  const read = await engine.readCircuitFile({ path: from, model }, call);
  const place = (task: string): string => (isRelativePath(task) ? resolve(dirname(from), task) : task);
  const document = withTaskPath(read.document, place);
  const written = await engine.writeCircuitFile({ path: resolve(to), format, document, model }, call);
  const notes = [...read.notes, ...written.notes];
  const { nodes, edges } = document;
  const value = { from: read.format, to: format, nodes: nodes.length, edges: edges.length, notes };
  context.print(value, () =>
    [`${to}: ${nodes.length} nodes, ${edges.length} edges (${read.format} → ${format})`, ...notes].join('\n'),
  );
}

function chosenFormat(named: string | undefined, file: string): CircuitFileFormat {
  if (named !== undefined) {
    if (Object.hasOwn(formats, named)) return formats[named]!;
    throw new CommandLineError(`--format takes ${Object.keys(formats).join(', ')}, not "${named}".`);
  }
  if (file.endsWith('.circuit.json')) return 'fovea';
  if (file.endsWith('.pt')) return 'autoCircuit';
  throw new CommandLineError(`Say what ${file} should be: --format ${Object.keys(formats).join('|')}.`);
}
