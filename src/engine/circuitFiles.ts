/** Files of circuits, Fovea's own and other tools': told apart by their content, read into circuits, and written from them. */

import type { FileHandle } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';
import type { CircuitDocument } from '../shared/circuit.ts';
import { writeCircuit } from '../shared/circuitDocument.ts';
import type { CircuitFileFormat } from '../shared/circuitFileApi.ts';
import { EngineError, throwIfCancelled } from '../shared/errors.ts';
import { FieldReader } from '../shared/fieldReader.ts';
import { relativePath, withTaskPath } from '../shared/portableCircuit.ts';
import { isPublicGraph, readPublicContent } from '../shared/publicGraphReader.ts';
import { writePublicGraph } from '../shared/publicGraphWriter.ts';
import { readCircuitContent } from '../shared/readCircuit.ts';
import { malformed } from './files/fileErrors.ts';
import { openTensorFile } from './files/openTensorFile.ts';
import { parseJson } from './files/parseJson.ts';
import { readBytes, withFile } from './files/regularFile.ts';
import { writeAtomically } from './files/writeAtomically.ts';
import { isPruneScores, readAutoCircuit, writeAutoCircuit } from './method/autoCircuitFile.ts';
import {
  documentOfGraph,
  type GraphOrigin,
  graphOfDocument,
  shapeOfDocument,
} from './method/componentDocument.ts';
import { type ComponentGraph, type GraphShape, strongestEdges } from './method/componentGraph.ts';
import { readEapIg, shapeOfEapIg, writeEapIg } from './method/eapIgFile.ts';

/** What is known of the open model. */
export interface OpenModel {
  readonly name: string;
  readonly hash: string;
  readonly shape: GraphShape;
}

/** A circuit as it was read. */
export interface ReadCircuit {
  readonly document: CircuitDocument;
  readonly format: CircuitFileFormat;
  readonly notes: readonly string[];
}

/** EAP-IG's files of the largest models have some hundred megabytes; beyond that a file is something else. */
const mostBytes = 400 * 2 ** 20;

/** Edges that make a circuit of a file that has scores for all of them and says nothing of a circuit. */
const edgesOfScores = 200;

/**
 * Reads the file at `path`.
 * @throws file.missing, file.unreadable, file.malformed naming the field; cancelled
 */
export async function readCircuitFile(
  path: string,
  model?: OpenModel,
  signal?: AbortSignal,
): Promise<ReadCircuit> {
  throwIfCancelled(signal);
  const isJson = await withFile(path, (file, size) => startsWithBrace(path, file, size));
  if (!isJson) return readScores(path, model, signal);
  const bytes = await withFile(path, (file, size) => {
    if (size > mostBytes) throw malformed(path, 'file size', `at most ${mostBytes} bytes`, `${size} bytes`);
    return readBytes(path, file, 0, size);
  });
  throwIfCancelled(signal);
  return readJsonCircuit(path, new TextDecoder().decode(bytes), model);
}

/** Whether the first thing in a file is a brace, behind any blanks. */
async function startsWithBrace(path: string, file: FileHandle, size: number): Promise<boolean> {
  const [step, end] = [4096, Math.min(size, 2 ** 20)];
  for (let at = 0; at < end; at += step) {
    const bytes = await readBytes(path, file, at, Math.min(step, end - at));
    const text = new TextDecoder().decode(bytes).replace(/^[\s\ufeff]+/, '');
    if (text !== '') return text.startsWith('{');
  }
  return false;
}

function readJsonCircuit(path: string, text: string, model: OpenModel | undefined): ReadCircuit {
  const content = new FieldReader(path, '', parsed(path, text));
  if (isPublicGraph(content)) return { ...readPublicContent(content), format: 'attributionGraph' };
  if (content.has('cfg') && content.has('edges')) {
    const graph = readEapIg(path, text, model?.shape ?? shapeOfEapIg(path, text));
    return { ...documentOfScores(graph, originOf('EAP-IG', model)), format: 'eapIg' };
  }
  if (content.has('version')) return { document: readCircuitContent(content), format: 'fovea', notes: [] };
  throw content.fault('a circuit of Fovea, an attribution graph, or EAP-IG’s JSON', 'something else');
}

function parsed(path: string, text: string): unknown {
  try {
    return parseJson(text);
  } catch (error) {
    throw malformed(path, 'the content', 'JSON', error instanceof Error ? error.message : String(error));
  }
}

async function readScores(
  path: string,
  model: OpenModel | undefined,
  signal: AbortSignal | undefined,
): Promise<ReadCircuit> {
  const file = await openTensorFile(path);
  if (!isPruneScores(file)) {
    const found = [...file.tensors.keys()].slice(0, 3).join(', ') || 'no tensors';
    throw malformed(path, 'tensors', 'prune scores of auto-circuit, by module', found);
  }
  const { graph, notes } = await readAutoCircuit(file, model?.shape, signal);
  const read = documentOfScores(graph, originOf('auto-circuit', model));
  return { ...read, notes: [...notes, ...read.notes], format: 'autoCircuit' };
}

/** Files without a circuit have scores for all edges: the strongest make one. */
function documentOfScores(graph: ComponentGraph, origin: GraphOrigin): Omit<ReadCircuit, 'format'> {
  const inCircuit = graph.inGraph.reduce((sum, isIn) => sum + isIn, 0);
  const all = graph.scores.reduce((sum, score) => sum + Number(score !== 0), 0);
  const hasCircuit = inCircuit > 0 && inCircuit < all;
  if (hasCircuit || all <= edgesOfScores) return documentOfGraph(graph, origin);
  const scored = { ...graph, inGraph: Uint8Array.from(graph.scores, (score) => Number(score !== 0)) };
  const { document, notes } = documentOfGraph(strongestEdges(scored, edgesOfScores), origin);
  const note = `The file has scores and no circuit: the strongest ${edgesOfScores} of ${all} edges are shown.`;
  return { document, notes: [note, ...notes] };
}

function originOf(tool: string, model: OpenModel | undefined): GraphOrigin {
  return { tool, ...(model && { model: { name: model.name, hash: model.hash } }) };
}

/** What is to be written. */
export interface WriteRequest {
  readonly path: string;
  readonly format: CircuitFileFormat;
  readonly document: CircuitDocument;
  /** Of the open model. */
  readonly shape?: GraphShape;
}

/**
 * Writes a circuit at once. A task's file is named relative to the written one.
 * @throws request.invalid when the format cannot say what the circuit is made of; file.unreadable
 */
export async function writeCircuitFile(
  { path, format, document, shape }: WriteRequest,
  signal?: AbortSignal,
): Promise<{ readonly notes: readonly string[] }> {
  throwIfCancelled(signal);
  if (format === 'fovea') {
    const near = withTaskPath(document, (task) => relativePath(dirname(resolve(path)), resolve(task)));
    await writeAtomically(path, [writeCircuit(near)]);
    return { notes: [] };
  }
  if (format === 'attributionGraph') {
    const { text, notes } = writePublicGraph(document);
    await writeAtomically(path, [text]);
    return { notes };
  }
  if (format !== 'eapIg' && format !== 'autoCircuit') {
    throw new EngineError('request.invalid', {
      what: `The format "${format}"`,
      reason: 'there is none such',
    });
  }
  const { graph, notes } = graphOfDocument(document, shapeOfDocument(document, shape));
  if (format === 'eapIg') await writeAtomically(path, [writeEapIg(graph)]);
  else await writeAutoCircuit(path, graph);
  return { notes };
}
