/** Checkpoints that attack: nothing of them runs, nothing is allocated for what they only claim, and the error says what they wanted. */
import { existsSync } from 'node:fs';
import { copyFile, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { openTensorFile } from '../../../../src/engine/files/openTensorFile.ts';
import { legacyTorchMagic } from '../../../../src/engine/files/torchLegacyFile.ts';
import type { EngineError } from '../../../../src/shared/errors.ts';
import * as pickle from '../../../fixtures/pickleBytes.ts';
import { zipBytes } from '../../../fixtures/zipBytes.ts';
import { failure, temporaryFolder } from '../../temporaryFolder.ts';

const { protocol2, protocol4, global, text, tuple, dictionary, storage, tensor, int, long } = pickle;
const recorded = join(import.meta.dirname, '../../../fixtures/parity/files');

/** A checkpoint whose pickle is `data`, with storages of these bytes. */
async function checkpoint(
  data: string | Uint8Array,
  storages: Readonly<Record<string, Uint8Array>> = {},
): Promise<string> {
  const path = join(await temporaryFolder(), 'model.pt');
  const parts = Object.entries(storages).map(([key, content]) => ({ name: `model/data/${key}`, content }));
  await writeFile(path, zipBytes([{ name: 'model/data.pkl', content: pickle.pickleBytes(data) }, ...parts]));
  return path;
}

async function refusal(
  data: string | Uint8Array,
  storages?: Readonly<Record<string, Uint8Array>>,
): Promise<EngineError> {
  const path = await checkpoint(data, storages);
  const error = await failure(openTensorFile(path));
  expect(error).toMatchObject({ code: 'file.malformed', data: { path } });
  return error;
}

describe('a checkpoint that wants to run something', () => {
  const marker = join(import.meta.dirname, 'must-not-exist');
  const command = text(`touch ${marker}`);
  const harmless = dictionary({ a: int(1) });
  const attacks: readonly [string, string, string][] = [
    ['GLOBAL and REDUCE', `${protocol2}${global('os', 'system')}${tuple(command)}R.`, 'os.system'],
    ['GLOBAL alone', `${protocol2}${global('posix', 'system')}.`, 'posix.system'],
    ['STACK_GLOBAL', `${protocol4}${text('os')}${text('system')}\x93${tuple(command)}R.`, 'os.system'],
    [
      'STACK_GLOBAL of eval',
      `${protocol4}${text('builtins')}${text('eval')}\x93${tuple(command)}R.`,
      'builtins.eval',
    ],
    [
      'a memoized STACK_GLOBAL',
      `${protocol4}${text('os')}q\0${text('system')}q\x01h\0h\x01\x93.`,
      'os.system',
    ],
    [
      'STACK_GLOBAL of no texts',
      `${protocol4}${int(1)}${text('system')}\x93.`,
      'the texts of a module and a name',
    ],
    ['INST', `${protocol2}(${command}ios\nsystem\n.`, 'INST'],
    ['OBJ', `${protocol2}(${global('torch', 'FloatStorage')}${command}o.`, 'OBJ'],
    ['NEWOBJ of a type', `${protocol2}${global('torch', 'FloatStorage')})\x81.`, 'torch.FloatStorage'],
    ['NEWOBJ_EX', `${protocol4}${global('collections', 'OrderedDict')})}\x92.`, 'NEWOBJ_EX'],
    ['EXT1', `${protocol2}\x82\x01.`, 'EXT1'],
    ['EXT2', `${protocol2}\x83\x01\0.`, 'EXT2'],
    ['EXT4', `${protocol2}\x84\x01\0\0\0.`, 'EXT4'],
    ['PERSID', `${protocol2}Pos.system\n.`, 'PERSID'],
    [
      'a persistent id of another kind',
      `${protocol2}${tuple(text('module'), global('torch', 'FloatStorage'), text('0'))}Q.`,
      'persistent id',
    ],
    ['a persistent id that is a text', `${protocol2}${text('storage')}Q.`, 'persistent id'],
    ['a call of a dtype', `${protocol2}${global('torch', 'float32')}${tuple(command)}R.`, 'torch.float32'],
    ['a call of a text', `${protocol2}${command}${tuple(command)}R.`, 'builds a tensor'],
    ['BUILD on a name', `${protocol2}${global('torch', 'FloatStorage')}${harmless}b.`, 'torch.FloatStorage'],
    [
      'BUILD with __setstate__',
      `${protocol2}${tensor(storage('0', 1), int(0), tuple(int(1)), tuple(int(1)))}${dictionary({ __setstate__: harmless })}b.`,
      'TorchTensor',
    ],
    [
      'a submodule reached by dots',
      `${protocol4}${text('torch')}${text('serialization.os.system')}\x93.`,
      'torch.serialization.os.system',
    ],
    [
      'a name that objects inherit',
      `${protocol2}${global('constructor', 'constructor')}.`,
      'constructor.constructor',
    ],
    ['__proto__', `${protocol2}${global('__proto__', '__proto__')}.`, '__proto__'],
    ['out-of-band buffers', `${protocol4}\x97\x98.`, 'NEXT_BUFFER'],
    ['torch.load inside', `${protocol2}${global('torch', 'load')}${tuple(command)}R.`, 'torch.load'],
    ['a text operation of protocol 0', `${protocol2}S'os'\n.`, 'STRING'],
  ];
  it.each(attacks)('by %s is refused by name, and nothing runs', async (_, data, named) => {
    const error = await refusal(data, { 0: new Uint8Array(4) });
    expect(error.message).toContain(named);
    expect(existsSync(marker)).toBe(false);
  });

  it('is refused in the old plain format too, in each of its pickles', async () => {
    const attack = pickle.pickleBytes(`${protocol2}${global('os', 'system')}${tuple(command)}R.`);
    const magic = pickle.pickleBytes(Uint8Array.from(legacyTorchMagic), '.');
    const version = pickle.pickleBytes(`${protocol2}M\xe9\x03.`);
    const system = pickle.pickleBytes(`${protocol2}${dictionary({ little_endian: '\x88' })}.`);
    for (const before of [[magic], [magic, version], [magic, version, system]]) {
      const path = join(await temporaryFolder(), 'model.pt');
      await writeFile(path, Buffer.concat([...before, attack]));
      const error = await failure(openTensorFile(path));
      expect(error).toMatchObject({ code: 'file.malformed', data: { path, found: '"os.system"' } });
    }
    expect(existsSync(marker)).toBe(false);
  });
});

describe('a checkpoint that does not fit itself', () => {
  const one = tuple(int(1));
  const view = (start: number, size: readonly number[], stride: readonly number[], count = 6) =>
    `${protocol2}${dictionary({
      x: tensor(storage('0', count), int(start), tuple(...size.map(int)), tuple(...stride.map(int))),
    })}.`;
  const six = { 0: new Uint8Array(24) };

  it.each([
    ['a view behind the end of its storage', view(4, [3], [1]), 'place of a tensor'],
    ['strides that lead behind the end', view(0, [2, 3], [5, 1]), 'place of a tensor'],
    ['elements that overlap', view(0, [2, 3], [1, 1]), 'strides of a tensor'],
    ['fewer strides than axes', view(0, [2, 3], [1]), 'strides of a tensor'],
    ['a negative stride', view(5, [6], [-1]), 'strides of a tensor'],
    ['a negative start', view(-1, [1], [1]), 'start of a tensor'],
    ['a negative dimension', view(0, [-1], [1]), 'shape of a tensor'],
    ['a negative storage', view(0, [1], [1], -6), 'storage 0'],
    ['a storage of another length', view(0, [1], [1], 7), 'storage 0'],
    ['more axes than tensors have', view(0, Array(40).fill(1), Array(40).fill(1)), 'shape of a tensor'],
    ['an empty tensor that starts outside', view(7, [0], [1]), 'place of a tensor'],
  ])('is refused with %s', async (_, data, field) => {
    expect((await refusal(data, six)).data).toMatchObject({ field: expect.stringContaining(field) });
  });

  it('is refused with a storage that is not in the file, or a path instead of its key', async () => {
    for (const key of ['1', '../data.pkl', '/etc/passwd', 'constructor']) {
      const data = `${protocol2}${tensor(storage(key, 1), int(0), one, one)}.`;
      expect((await refusal(data, six)).message).toContain('a storage in the file');
    }
  });

  it('is refused with one storage under two types', async () => {
    const both = tuple(storage('0', 6), storage('0', 6, 'DoubleStorage'));
    expect((await refusal(`${protocol2}${both}.`, six)).message).toContain('of one type');
  });

  it('is refused when its storages are big-endian', async () => {
    const path = join(await temporaryFolder(), 'model.pt');
    const parts = [
      { name: 'm/data.pkl', content: pickle.pickleBytes(`${protocol2}}.`) },
      { name: 'm/byteorder', content: 'big' },
    ];
    await writeFile(path, zipBytes(parts));
    expect(await failure(openTensorFile(path))).toMatchObject({
      data: { field: 'byteorder', found: '"big"' },
    });
  });

  it.each([
    ['an empty stack', `${protocol2}.`],
    ['a missing mark', `${protocol2}t.`],
    ['a memo that was never set', `${protocol2}h\x05.`],
    ['APPEND without a list', `${protocol2}NNa.`],
    ['SETITEMS without a dictionary', `${protocol2}N(NNu.`],
    ['an odd number of items', `${protocol2}}(Nu.`],
    ['a dictionary as key', `${protocol2}}}Ns.`],
    ['protocol 9', '\x80\x09N.'],
    ['no end', `${protocol2}N`],
    ['a text longer than the file', `${protocol2}X\xff\xff\xff\xffab.`],
    ['bytes of 2^63', `${protocol4}\x8e\0\0\0\0\0\0\0\x80.`],
    ['a frame longer than the file', `${protocol4}\x95\xff\xff\xff\xff\xff\xff\xff\xffN.`],
    ['an unknown operation', `${protocol2}\xfe.`],
    ['a whole number of four gigabytes', `${protocol2}\x8b\xff\xff\xff\xff\x01.`],
    ['a list of a list of … without end', `${protocol2}]q\0h\0a.`],
    ['nothing', ''],
  ])('is refused when its pickle has %s', async (_, data) => {
    await refusal(data);
  });
});

describe('a checkpoint that claims more than there is', () => {
  it('is refused with a shape whose product overflows, and nothing is allocated', async () => {
    const huge = 2n ** 53n - 1n;
    const size = tuple(long(huge), long(huge));
    const strides = tuple(long(0n), long(0n));
    const data = `${protocol2}${tensor(storage('0', 1), int(0), size, strides)}.`;
    expect((await refusal(data, { 0: new Uint8Array(4) })).message).toContain('a size that a file can have');
    const storages = `${protocol2}${storage('0', huge)}.`;
    expect((await refusal(storages)).message).toContain('a size that a file can have');
  });

  it('is refused when it repeats one number a billion times', async () => {
    const data = (count: number) =>
      `${protocol2}${tensor(storage('0', 1), int(0), tuple(int(count)), tuple(int(0)))}.`;
    expect((await refusal(data(1e9), { 0: new Uint8Array(4) })).message).toContain('repeats');
    const small = await openTensorFile(await checkpoint(data(5), { 0: new Uint8Array(4) }));
    expect((await small.read('tensor')).data.length).toBe(5);
  });

  it('is refused when shared lists would unfold without end', async () => {
    const level = (key: number) =>
      `](${`h${String.fromCharCode(key)}`.repeat(10)}eq${String.fromCharCode(key + 1)}`;
    const bomb = `${protocol2}]q\0${Array.from({ length: 12 }, (_, i) => level(i)).join('')}.`;
    expect((await refusal(bomb)).message).toContain('values');
  });

  it('is refused with more operations, marks or depth than a checkpoint has', async () => {
    expect((await refusal(`${protocol2}${'}'.repeat(1_100_000)}.`)).message).toContain('operations');
    expect((await refusal(`${protocol2}${'('.repeat(200_000)}.`)).message).toContain('marks');
    const deep = `${protocol2}${'('.repeat(5000)}${'t'.repeat(5000)}.`;
    expect((await refusal(deep)).message).toContain('deep');
  });

  it('is refused when names grow with every level', async () => {
    const long = text('x'.repeat(250));
    const nested = (depth: number): string => (depth === 0 ? int(1) : `}${long}${nested(depth - 1)}s`);
    expect((await refusal(`${protocol2}${nested(8)}.`)).message).toContain('characters');
  });

  it('is refused when two tensors come out under one name, or under one that objects inherit', async () => {
    const clash = dictionary({ a: dictionary({ b: int(1) }), 'a.b': int(2) });
    expect((await refusal(`${protocol2}${clash}.`)).message).toContain('occurs twice');
    const one = tensor(storage('0', 1), int(0), tuple(int(1)), tuple(int(1)));
    const inherited = `${protocol2}${dictionary({ __proto__x: one })}.`;
    expect((await openTensorFile(await checkpoint(inherited, { 0: new Uint8Array(4) }))).tensors.size).toBe(
      1,
    );
    const proto = `${protocol2}}${text('__proto__')}${one}s.`;
    expect((await refusal(proto, { 0: new Uint8Array(4) })).data).toMatchObject({ field: 'tensor name' });
    expect(Object.keys(Object.prototype)).toEqual([]);
  });
});

describe('an old plain checkpoint', () => {
  it('is refused when it was cut off, wherever', async () => {
    const whole = await readFile(join(recorded, 'legacy.pt'));
    const path = join(await temporaryFolder(), 'legacy.pt');
    for (let length = 14; length < whole.length; length += 97) {
      await writeFile(path, whole.subarray(0, length));
      expect(await failure(openTensorFile(path))).toMatchObject({ code: 'file.malformed', data: { path } });
    }
  });

  it('is refused when a storage says another length than its tensors', async () => {
    const path = join(await temporaryFolder(), 'legacy.pt');
    await copyFile(join(recorded, 'legacy.pt'), path);
    const bytes = await readFile(path);
    const { tensors } = await openTensorFile(path);
    bytes.writeBigInt64LE(2n ** 62n, tensors.get('tied')!.offset! - 8);
    await writeFile(path, bytes);
    expect((await failure(openTensorFile(path))).data).toMatchObject({ expected: '48 bytes' });
  });
});
