/** The files that lie beside an experiment once it has run. */

import { writeCircuit } from '../circuitDocument.ts';
import type { CircuitGraph } from '../domain.ts';
import { lastPart, portableCircuit, relativePath, withTaskPath } from '../portableCircuit.ts';
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

/**
 * The files of what was found, circuits first, so that the results never name one that is not there. `file` is the
 * experiment's own real path. One circuit is `name.circuit.json`; of several, each has its method's number in its name.
 */
export function resultFiles(outcome: ExperimentOutcome, file: string): readonly ResultFile[] {
  const stem = stemOf(file);
  const circuits = circuitsOf(outcome);
  const names = new Map(
    circuits.map(({ method }) => [
      method,
      circuits.length === 1 ? `${stem}.circuit.json` : `${stem}.${method}.circuit.json`,
    ]),
  );
  const folder = file.slice(0, file.length - lastPart(file).length);
  const written = circuits.map(({ method, circuit }) => ({
    name: names.get(method)!,
    text: writeCircuit(portable(circuit, folder)),
  }));
  return [...written, { name: resultsName(file), text: canonicalJson(resultsJson(outcome, names)) }];
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
