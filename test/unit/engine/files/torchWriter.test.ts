/** Written state dicts: byte for byte as once recorded, and read back by the reader of checkpoints. */
import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { openTensorFile } from '../../../../src/engine/files/openTensorFile.ts';
import { writeTorch } from '../../../../src/engine/files/torchWriter.ts';
import { floatValue, intValue } from '../../../../src/engine/graph/value.ts';
import { temporaryFolder } from '../../temporaryFolder.ts';

const tensors = {
  'encoder.weight': floatValue([1, 2, 3, -4.5, 5e-8, 6], [2, 3]),
  k: intValue([7], []),
  threshold: floatValue([-1], []),
  'name ü': floatValue([0.25], [1]),
};

it('holds the tensors that were given, in place and at multiples of 64', async () => {
  const path = join(await temporaryFolder(), 'ae.pt');
  await writeTorch(path, tensors);
  const file = await openTensorFile(path);
  expect([...file.tensors.keys()].sort()).toEqual(Object.keys(tensors).sort());
  for (const [name, { dims, data }] of Object.entries(tensors)) {
    const read = await file.read(name);
    expect(read.dims).toEqual(dims);
    expect(read.data).toEqual(data);
    expect(file.tensors.get(name)!.offset! % 64).toBe(0);
  }
});

it('is the same bytes as those that PyTorch has been seen to load', async () => {
  const path = join(await temporaryFolder(), 'ae.pt');
  await writeTorch(path, tensors);
  const bytes = await readFile(path);
  expect(bytes.subarray(0, 4).toString('latin1')).toBe('PK\u0003\u0004');
  // torch.load(path, weights_only=True) of torch 2.13 read these bytes.
  expect(createHash('sha256').update(bytes).digest('hex')).toBe(
    '0c0ea7df3275f638e053860a709446bffe83de1a911e07f532a208ba5be872e9',
  );
});

it('refuses tensors that do not fill their shape or have another type', async () => {
  const path = join(await temporaryFolder(), 'ae.pt');
  const odd = { dtype: 'float64', dims: [1], data: new Float64Array(1) } as const;
  await expect(writeTorch(path, { odd })).rejects.toThrow('float64');
  await expect(writeTorch(path, { odd: { ...floatValue([1, 2]), dims: [3] } })).rejects.toThrow('[3]');
});
