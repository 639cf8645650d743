/** Keeps found circuits as files in a folder of the window, one each, with what people added, so that they outlive a reload. */

import { mkdirSync, readdirSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { FieldReader } from '../../shared/fieldReader.ts';
import { maxCircuitBytes } from '../../shared/readCircuit.ts';
import { describeForLog, type Log } from '../log.ts';

/** A found circuit as it is kept between sessions. */
export interface KeptCircuit {
  /** Names its file. */
  readonly id: string;
  readonly name: string;
  readonly promptUri?: string;
  /** The document as `writeCircuit` makes it. */
  readonly text: string;
  /** Where the file of its task is: the text names it without its folder. */
  readonly task?: string;
  /** Milliseconds since 1970 when it came to the front of the shelf. */
  readonly shown: number;
  /** Milliseconds since 1970 when it was found; absent in those that were kept before this was known. */
  readonly created?: number;
  /** True when a person has pinned, named or grouped something in it. */
  readonly annotated: boolean;
}

/** Where found circuits are kept. */
export interface CircuitStorage {
  /** All that can be read, the newest first. */
  load(): readonly KeptCircuit[];
  /** @throws when it cannot be written */
  save(circuit: KeptCircuit): void;
  remove(id: string): void;
}

/** The text of a circuit stands quoted in its file, and there is little beside it. */
const largestFile = 2 * maxCircuitBytes;

/** A folder on disk. Writing is synchronous: the last state must be there when the window goes. */
export function circuitFolder(folder: string, log: Log): CircuitStorage {
  const fileOf = (id: string): string => join(folder, `${id}.json`);
  return {
    load() {
      const kept: KeptCircuit[] = [];
      for (const path of filesIn(folder)) {
        try {
          if (statSync(path).size > largestFile) continue;
          const circuit = readKept(path, readFileSync(path, 'utf8'));
          if (path === fileOf(circuit.id)) kept.push(circuit);
        } catch (error) {
          log.warn(`A kept circuit could not be read: ${describeForLog(error)}`);
        }
      }
      return kept.sort((one, other) => other.shown - one.shown);
    },
    save(circuit) {
      mkdirSync(folder, { recursive: true });
      // Never a half-written file under the name that is read.
      const draft = `${fileOf(circuit.id)}.part`;
      writeFileSync(draft, JSON.stringify(circuit));
      renameSync(draft, fileOf(circuit.id));
    },
    remove(id) {
      try {
        rmSync(fileOf(id), { force: true });
      } catch (error) {
        log.warn(`A kept circuit could not be removed: ${describeForLog(error)}`);
      }
    },
  };
}

function readKept(path: string, text: string): KeptCircuit {
  const file = FieldReader.parse(path, text);
  const maybeText = (key: string): string | undefined => file.maybe(key, (it) => it.text());
  return {
    id: file.get('id').text(),
    name: file.get('name').text(),
    promptUri: maybeText('promptUri'),
    text: file.get('text').text(maxCircuitBytes),
    task: maybeText('task'),
    shown: file.get('shown').number(),
    created: file.maybe('created', (it) => it.number()),
    annotated: file.get('annotated').flag(),
  };
}

function filesIn(folder: string): readonly string[] {
  try {
    return readdirSync(folder)
      .filter((name) => name.endsWith('.json'))
      .map((name) => join(folder, name));
  } catch {
    // There is no folder before the first circuit.
    return [];
  }
}
