/**
 * Component graphs as auto-circuit's prune scores: a checkpoint with one tensor for every module that reads the stream,
 * `blocks.2.hook_q_input` `[head, source]`, `blocks.2.hook_mlp_in` `[source]`, `blocks.{last}.hook_resid_post` `[source]`.
 * Sources are numbered as in `componentGraph.ts`; each query head has keys and values of its own, as in EAP-IG's files.
 */
import { throwIfCancelled } from '../../shared/errors.ts';
import { malformed, shorten } from '../files/fileErrors.ts';
import type { TensorFile } from '../files/tensorFile.ts';
import { writeTorch } from '../files/torchWriter.ts';
import type { Value } from '../graph/value.ts';
import {
  type ComponentGraph,
  destinationIndex,
  type GraphDestination,
  type GraphShape,
  graphSizes,
  hasRoom,
  readable,
} from './componentGraph.ts';

/** A module's scores: which inputs they are of. */
type Reader = 'q' | 'k' | 'v' | 'attention' | 'mlp' | 'end';

interface Module {
  readonly name: string;
  readonly reader: Reader;
  readonly layer: number;
  /** Without the axis of positions. */
  readonly heads: number;
  readonly sources: number;
  readonly positions: number;
}

const readers: readonly (readonly [RegExp, Reader])[] = [
  [/^blocks\.(\d{1,4})\.hook_q_input$/, 'q'],
  [/^blocks\.(\d{1,4})\.hook_k_input$/, 'k'],
  [/^blocks\.(\d{1,4})\.hook_v_input$/, 'v'],
  [/^blocks\.(\d{1,4})\.hook_attn_in$/, 'attention'],
  [/^blocks\.(\d{1,4})\.hook_mlp_in$/, 'mlp'],
  [/^blocks\.(\d{1,4})\.hook_resid_post$/, 'end'],
];

/** Whether a checkpoint looks like prune scores. */
export function isPruneScores({ tensors }: TensorFile): boolean {
  return (
    tensors.size > 0 && [...tensors.keys()].some((name) => /\.hook_(q_input|attn_in|mlp_in)$/.test(name))
  );
}

/**
 * The graph of a file, with every edge whose score is not 0 in it.
 * @throws file.malformed for modules that are no part of the graph of heads and MLPs, layers without modules, or shapes of
 * another model than `shape`; cancelled
 */
export async function readAutoCircuit(
  file: TensorFile,
  shape?: GraphShape,
  signal?: AbortSignal,
): Promise<{ readonly graph: ComponentGraph; readonly notes: readonly string[] }> {
  const modules = [...file.tensors].map(([name, { shape: dims }]) => readModule(file.path, name, dims));
  const found = shapeOf(file.path, modules, shape);
  const { sources, destinations } = graphSizes(found);
  const scores = new Float64Array(sources * destinations);
  for (const module of modules) {
    throwIfCancelled(signal);
    checkModule(file.path, module, found);
    addScores(scores, module, await file.readFloat32(module.name), found);
  }
  if (!scores.every(Number.isFinite)) throw malformed(file.path, 'scores', 'finite numbers', 'others');
  const inGraph = Uint8Array.from(scores, (score) => Number(score !== 0));
  return { graph: { shape: found, scores, inGraph }, notes: notesOf(modules) };
}

function readModule(path: string, name: string, dims: readonly number[]): Module {
  for (const [pattern, reader] of readers) {
    const layer = pattern.exec(name)?.[1];
    if (layer === undefined) continue;
    const hasHeads = reader !== 'mlp' && reader !== 'end';
    const expected = hasHeads ? 2 : 1;
    if (dims.length !== expected && dims.length !== expected + 1) {
      throw malformed(path, `${name}.shape`, hasHeads ? '[head, source]' : '[source]', dims);
    }
    const plain = dims.slice(-expected);
    return {
      name,
      reader,
      layer: Number(layer),
      heads: hasHeads ? plain[0]! : 1,
      sources: plain.at(-1)!,
      positions: dims.length > expected ? dims[0]! : 1,
    };
  }
  throw malformed(
    path,
    shorten(name, 60),
    'scores of hook_q_input, hook_k_input, hook_v_input, hook_attn_in, hook_mlp_in or the last hook_resid_post',
    'another module',
  );
}

/** Layers and heads as the modules have them, checked against the open model's when there is one. */
function shapeOf(path: string, modules: readonly Module[], shape: GraphShape | undefined): GraphShape {
  const attention = modules.filter(({ reader }) => reader !== 'mlp' && reader !== 'end');
  const mlp = modules.find(({ reader, layer }) => reader === 'mlp' && layer === 0);
  const nLayers = modules.reduce((highest, { layer }) => Math.max(highest, layer), 0) + 1;
  const nHeads = attention[0]?.heads;
  if (nHeads === undefined || nHeads < 1) throw malformed(path, 'modules', 'heads', 'none');
  if (!mlp) throw malformed(path, 'modules', 'MLPs (models of attention alone are not supported)', 'none');
  requireEveryLayer(path, modules, nLayers);
  const parallel = mlp.sources === 1;
  const own = { nLayers, nHeads, nKeyValueHeads: nHeads, dModel: 0, parallel };
  if (!hasRoom(own))
    throw malformed(path, 'modules', 'layers and heads of a model', `${nLayers} × ${nHeads}`);
  if (shape) {
    const isSame = shape.nLayers === nLayers && shape.nHeads === nHeads && shape.parallel === parallel;
    if (isSame) return shape;
    const wanted = `${shape.nLayers} layers of ${shape.nHeads} heads, as the open model has`;
    throw malformed(path, 'modules', wanted, `${nLayers} layers of ${nHeads} heads`);
  }
  return own;
}

/** The highest number alone would let a small file ask for any number of layers. */
function requireEveryLayer(path: string, modules: readonly Module[], nLayers: number): void {
  const found = new Set(modules.map(({ reader, layer }) => `${layer} ${reader}`));
  const has = (layer: number, ...wanted: readonly Reader[]) =>
    wanted.every((reader) => found.has(`${layer} ${reader}`));
  for (let layer = 0; layer < nLayers; layer++) {
    if (has(layer, 'mlp') && (has(layer, 'attention') || has(layer, 'q', 'k', 'v'))) continue;
    const wanted = 'hook_q_input, hook_k_input and hook_v_input (or hook_attn_in), and hook_mlp_in';
    throw malformed(path, `blocks.${layer}`, wanted, 'not all of them');
  }
}

function checkModule(path: string, module: Module, shape: GraphShape): void {
  const { name, reader, layer, heads, sources } = module;
  if (reader === 'end' && layer !== shape.nLayers - 1) {
    throw malformed(path, name, 'the output of the last layer', `layer ${layer}`);
  }
  const hasHeads = reader !== 'mlp' && reader !== 'end';
  if (hasHeads && heads !== shape.nHeads)
    throw malformed(path, `${name}.shape`, `${shape.nHeads} heads`, heads);
  const first = destinationIndex(shape, placesOf(reader, layer, 0, shape)[0]!);
  const wanted = readable(shape, first);
  if (sources !== wanted) throw malformed(path, `${name}.shape`, `${wanted} sources`, sources);
}

/** The inputs that one row of a module's scores is about. */
function placesOf(reader: Reader, layer: number, head: number, shape: GraphShape): GraphDestination[] {
  if (reader === 'end') return [{ kind: 'logits' }];
  if (reader === 'mlp') return [{ kind: 'mlp', layer }];
  const shared = Math.floor((head * shape.nKeyValueHeads) / shape.nHeads);
  if (reader === 'q') return [{ kind: 'q', layer, head }];
  if (reader !== 'attention') return [{ kind: reader, layer, head: shared }];
  return [
    { kind: 'q', layer, head },
    { kind: 'k', layer, head: shared },
    { kind: 'v', layer, head: shared },
  ];
}

/** Adds a module's scores to the edges they are of; positions are added up, and an input of a whole head is cut in three. */
function addScores(scores: Float64Array, module: Module, values: Float32Array, shape: GraphShape): void {
  const { reader, layer, heads, sources: readableSources, positions } = module;
  const { sources } = graphSizes(shape);
  for (let position = 0; position < positions; position++) {
    for (let head = 0; head < heads; head++) {
      const places = placesOf(reader, layer, head, shape);
      for (const place of places) {
        const row = destinationIndex(shape, place) * sources;
        const from = (position * heads + head) * readableSources;
        for (let source = 0; source < readableSources; source++) {
          scores[row + source]! += values[from + source]! / places.length;
        }
      }
    }
  }
}

function notesOf(modules: readonly Module[]): string[] {
  const notes: string[] = [];
  if (modules.some(({ positions }) => positions > 1)) {
    notes.push('The scores are by position; those of all positions are added up.');
  }
  if (modules.some(({ reader }) => reader === 'attention')) {
    notes.push('Queries, keys and values have one score together; a third is given to each.');
  }
  return notes;
}

/** Writes the scores of the edges in the circuit; those of all other edges are 0. @throws file.unreadable */
export async function writeAutoCircuit(path: string, graph: ComponentGraph): Promise<void> {
  await writeTorch(path, pruneScores(graph));
}

/** The tensors of the file, by module. */
export function pruneScores({ shape, scores, inGraph }: ComponentGraph): Record<string, Value> {
  const { nLayers, nHeads } = shape;
  const { sources } = graphSizes(shape);
  const kept = scores.map((score, i) => (inGraph[i] === 1 ? score : 0));
  const tensors: Record<string, Value> = {};
  const write = (name: string, reader: Reader, layer: number, heads: number): void => {
    const width = readable(shape, destinationIndex(shape, placesOf(reader, layer, 0, shape)[0]!));
    // A shared key or value is written for each of its heads, with an equal part of its score.
    const group = reader === 'k' || reader === 'v' ? nHeads / shape.nKeyValueHeads : 1;
    const data = new Float32Array(heads * width);
    for (let head = 0; head < heads; head++) {
      const row = destinationIndex(shape, placesOf(reader, layer, head, shape)[0]!) * sources;
      for (let source = 0; source < width; source++)
        data[head * width + source] = kept[row + source]! / group;
    }
    const hasHeads = reader !== 'mlp' && reader !== 'end';
    tensors[name] = { dtype: 'float32', dims: hasHeads ? [heads, width] : [width], data };
  };
  for (let layer = 0; layer < nLayers; layer++) {
    for (const part of ['q', 'k', 'v'] as const)
      write(`blocks.${layer}.hook_${part}_input`, part, layer, nHeads);
    write(`blocks.${layer}.hook_mlp_in`, 'mlp', layer, 1);
  }
  write(`blocks.${nLayers - 1}.hook_resid_post`, 'end', nLayers - 1, 1);
  return tensors;
}
