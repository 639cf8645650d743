/** The files that lie beside an experiment once it has run. */

import type { CircuitAnnotations, CircuitGraph } from '../circuit.ts';
import { writeCircuit } from '../circuitDocument.ts';
import { isEngineError } from '../errors.ts';
import { lastPart, portableCircuit, relativePath, withTaskPath } from '../portableCircuit.ts';
import { readCircuit } from '../readCircuit.ts';
import { canonicalJson } from './canonicalJson.ts';
import { experimentEnding } from './experiment.ts';
import { circuitsOf, type ExperimentOutcome, resultsJson } from './runExperiment.ts';

/** A file to write: its name, and all of its text. */
export interface ResultFile {
  readonly name: string;
  readonly text: string;
}

/** `name` of `folder/name.fovea.json`. */
export function stemOf(file: string): string {
  const name = lastPart(file);
  return name.endsWith(experimentEnding)
    ? name.slice(0, -experimentEnding.length)
    : name.replace(/\.json$/, '');
}

/** The name of the results' file of an experiment's file. */
export function resultsName(file: string): string {
  return `${stemOf(file)}.results.json`;
}

/** The number of the method whose circuit a file of this name holds: 0 for the only one, undefined for other files. */
export function circuitMethod(file: string, name: string): number | undefined {
  const start = `${stemOf(file)}.results.`;
  const found = name.startsWith(start)
    ? /^(?:(\d{1,3})\.)?circuit\.json$/.exec(name.slice(start.length))
    : null;
  return found ? Number(found[1] ?? 0) : undefined;
}

/**
 * The files of what was found, circuits first, so that the results never name one that is not there. `file` is the
 * experiment's own real path. One circuit is `name.results.circuit.json`; of several, each has its method's number in its
 * name. `earlier` answers what a file of that name holds now: what a person added to a circuit stays.
 * `folder` is the real path of where they are written, from which tasks are named; the experiment's when left out.
 */
export async function resultFiles(
  outcome: ExperimentOutcome,
  file: string,
  earlier: (name: string) => Promise<string | undefined>,
  folder: string = folderOf(file),
): Promise<readonly ResultFile[]> {
  const stem = stemOf(file);
  const circuits = circuitsOf(outcome);
  const names = new Map(
    circuits.map(({ method }) => [
      method,
      circuits.length === 1 ? `${stem}.results.circuit.json` : `${stem}.results.${method}.circuit.json`,
    ]),
  );
  const written: ResultFile[] = [];
  for (const { method, circuit } of circuits) {
    const name = names.get(method)!;
    written.push(...circuitFiles(name, portable(circuit, folder), await earlier(name)));
  }
  return [...written, { name: resultsName(file), text: canonicalJson(resultsJson(outcome, names)) }];
}

/** A circuit's file. One of its name that is no circuit, such as one with a merge conflict, is kept as `name.old`. */
function circuitFiles(name: string, circuit: CircuitGraph, before: string | undefined): ResultFile[] {
  if (before === undefined) return [{ name, text: writeCircuit(circuit) }];
  try {
    const { annotations } = readCircuit(name, before);
    const kept = annotations && annotationsOn(circuit, annotations);
    return [{ name, text: writeCircuit({ ...circuit, ...(kept && { annotations: kept }) }) }];
  } catch (error) {
    if (!isEngineError(error)) throw error;
    return [
      { name: `${name}.old`, text: before },
      { name, text: writeCircuit(circuit) },
    ];
  }
}

/** What still applies to the nodes that are there. */
function annotationsOn({ nodes }: CircuitGraph, annotations: CircuitAnnotations): CircuitAnnotations {
  const there = new Set(nodes.map(({ id }) => id));
  const { pinned, labels, supernodes } = annotations;
  return {
    ...annotations,
    pinned: pinned.filter((id) => there.has(id)),
    labels: Object.fromEntries(Object.entries(labels).filter(([id]) => there.has(id))),
    supernodes: supernodes
      .map((group) => ({ ...group, nodes: group.nodes.filter((id) => there.has(id)) }))
      .filter((group) => group.nodes.length > 0),
  };
}

function folderOf(file: string): string {
  return file.slice(0, file.length - lastPart(file).length);
}

/** Without paths of this machine: SAEs by their hooks, the task relative to the file. */
function portable(circuit: CircuitGraph, folder: string): CircuitGraph {
  const hooks = new Map(
    circuit.nodes.flatMap(({ feature, hook }) => (feature && hook ? [[feature.sae, hook]] : [])),
  );
  return withTaskPath(
    portableCircuit(circuit, (sae) => hooks.get(sae)),
    (path) => relativePath(folder, path),
  );
}
