/**
 * Writes a state dict as `torch.save` does: a zip archive of a pickle and of one file for each tensor's numbers, stored
 * without compression and aligned, so that it can be mapped. Float32 and int32 tensors only.
 */
import { EngineError } from '../../shared/errors.ts';
import { elementCount, type Value } from '../graph/value.ts';
import { writeAtomically } from './writeAtomically.ts';

/** Names of the zip's entries begin with the archive's name, which `torch.save` takes from the file. */
const root = 'archive';
const alignment = 64;
/** Sizes and offsets of plain zip archives are 32-bit. */
const mostBytes = 2 ** 32 - 1;

const storageTypes: Readonly<Record<string, string>> = { float32: 'FloatStorage', int32: 'IntStorage' };

interface Entry {
  readonly name: string;
  readonly bytes: Uint8Array;
}

/**
 * Writes `tensors` to `path` at once, in their order.
 * @throws request.invalid for more than 4 GiB, file.unreadable when it cannot be written.
 */
export async function writeTorch(path: string, tensors: Readonly<Record<string, Value>>): Promise<void> {
  const named = Object.entries(tensors);
  const entries: Entry[] = [
    { name: `${root}/data.pkl`, bytes: pickleOf(named) },
    { name: `${root}/byteorder`, bytes: text('little') },
    ...named.map(([, { data }], i) => ({
      name: `${root}/data/${i}`,
      bytes: new Uint8Array(data.buffer, data.byteOffset, data.byteLength),
    })),
    { name: `${root}/version`, bytes: text('3\n') },
  ];
  await writeAtomically(path, zipOf(entries));
}

/** A dictionary of tensors in protocol 2, with the names that PyTorch's own loader allows. */
function pickleOf(tensors: readonly (readonly [string, Value])[]): Uint8Array {
  const parts: Uint8Array[] = [bytes(0x80, 2), text('}(')];
  tensors.forEach(([name, value], i) => {
    parts.push(unicode(name), ...tensorPickle(value, i));
  });
  parts.push(text('u.'));
  return joined(parts);
}

/** `_rebuild_tensor_v2(storage, 0, size, stride, False, OrderedDict())`. */
function tensorPickle({ dtype, dims, data }: Value, index: number): Uint8Array[] {
  const storage = storageTypes[dtype];
  if (!storage) throw new Error(`a state dict of ${dtype} cannot be written`);
  if (elementCount(dims) !== data.length)
    throw new Error(`[${dims.join(', ')}] is not ${data.length} numbers`);
  const strides = dims.map((_, axis) => elementCount(dims.slice(axis + 1)));
  return [
    text('ctorch._utils\n_rebuild_tensor_v2\n(('),
    unicode('storage'),
    text(`ctorch\n${storage}\n`),
    unicode(String(index)),
    unicode('cpu'),
    integer(data.length),
    text('tQ'),
    integer(0),
    tuple(dims),
    tuple(strides),
    // False, then an empty OrderedDict of hooks.
    bytes(0x89),
    text('ccollections\nOrderedDict\n)RtR'),
  ];
}

function tuple(numbers: readonly number[]): Uint8Array {
  return joined([text('('), ...numbers.map(integer), text('t')]);
}

function integer(value: number): Uint8Array {
  if (value > 0x7fffffff) throw new Error(`${value} does not fit into a pickled int`);
  const result = new Uint8Array(5);
  result[0] = 0x4a;
  new DataView(result.buffer).setInt32(1, value, true);
  return result;
}

function unicode(value: string): Uint8Array {
  const encoded = text(value);
  const head = new Uint8Array(5);
  head[0] = 0x58;
  new DataView(head.buffer).setUint32(1, encoded.length, true);
  return joined([head, encoded]);
}

/** The archive in pieces; each entry's bytes start at a multiple of 64. */
function zipOf(entries: readonly Entry[]): Uint8Array[] {
  const chunks: Uint8Array[] = [];
  const directory: Uint8Array[] = [];
  let offset = 0;
  for (const { name, bytes: content } of entries) {
    const encoded = text(name);
    const facts = { crc: crc32(content), size: content.length, nameLength: encoded.length };
    // Like torch, an extra field of its own takes up the padding; it takes four bytes at least.
    const start = offset + 30 + encoded.length + 4;
    const padding = (alignment - (start % alignment)) % alignment;
    const local = headerOf(0x04034b50, facts, 4 + padding);
    const extra = new Uint8Array(4 + padding);
    new DataView(extra.buffer).setUint16(0, 0x4246, true);
    new DataView(extra.buffer).setUint16(2, padding, true);
    chunks.push(local, encoded, extra, content);
    directory.push(headerOf(0x02014b50, facts, 0, offset), encoded);
    offset += local.length + encoded.length + extra.length + content.length;
    if (offset > mostBytes) {
      const reason = 'the archive would take more than 4 GiB; export it as SAELens instead';
      throw new EngineError('request.invalid', { what: 'This SAE', reason });
    }
  }
  const listing = joined(directory);
  return [...chunks, listing, endOf(entries.length, listing.length, offset)];
}

interface EntryFacts {
  readonly crc: number;
  readonly size: number;
  readonly nameLength: number;
}

/** A local header, or one of the central directory when `offset` says where the local one lies. */
function headerOf(
  signature: number,
  { crc, size, nameLength }: EntryFacts,
  extraLength: number,
  offset?: number,
): Uint8Array {
  const central = offset !== undefined;
  const view = new DataView(new ArrayBuffer(central ? 46 : 30));
  view.setUint32(0, signature, true);
  let at = 4;
  const put16 = (...values: number[]) => {
    for (const value of values) {
      view.setUint16(at, value, true);
      at += 2;
    }
  };
  // Versions, flags (names in UTF-8), no compression, the first day that zip can say.
  put16(...(central ? [20] : []), 20, 0x800, 0, 0, 0x21);
  for (const value of [crc, size, size]) {
    view.setUint32(at, value, true);
    at += 4;
  }
  put16(nameLength, extraLength);
  if (central) view.setUint32(42, offset, true);
  return new Uint8Array(view.buffer);
}

function endOf(count: number, length: number, offset: number): Uint8Array {
  const view = new DataView(new ArrayBuffer(22));
  view.setUint32(0, 0x06054b50, true);
  view.setUint16(8, count, true);
  view.setUint16(10, count, true);
  view.setUint32(12, length, true);
  view.setUint32(16, offset, true);
  return new Uint8Array(view.buffer);
}

const crcTable = Uint32Array.from({ length: 256 }, (_, n) => {
  let c = n;
  for (let bit = 0; bit < 8; bit++) c = c & 1 ? 0xedb88320 ^ (c >>> 1) : c >>> 1;
  return c;
});

function crc32(content: Uint8Array): number {
  let crc = 0xffffffff;
  for (let i = 0; i < content.length; i++) crc = crcTable[(crc ^ content[i]!) & 0xff]! ^ (crc >>> 8);
  return (crc ^ 0xffffffff) >>> 0;
}

function text(value: string): Uint8Array {
  return new TextEncoder().encode(value);
}

function bytes(...values: number[]): Uint8Array {
  return Uint8Array.from(values);
}

function joined(parts: readonly Uint8Array[]): Uint8Array {
  const result = new Uint8Array(parts.reduce((length, part) => length + part.length, 0));
  let at = 0;
  for (const part of parts) {
    result.set(part, at);
    at += part.length;
  }
  return result;
}
