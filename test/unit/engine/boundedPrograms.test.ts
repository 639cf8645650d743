/** However many different counts are asked for, few programs stay compiled. */
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, expect, it, vi } from 'vitest';
import { floatValue } from '../../../src/engine/graph/value.ts';
import { LoadedModel } from '../../../src/engine/loadedModel.ts';
import { openSaeLens } from '../../../src/engine/sae/formats/saelens.ts';
import { SparseAutoencoder } from '../../../src/engine/sae/sparseAutoencoder.ts';
import {
  plainActivations,
  reluHook,
  type TinyModel,
  tinyDSae,
  writeTinyModel,
} from '../../fixtures/tinyModel.ts';

const programs = vi.hoisted(() => ({ alive: 0 }));

vi.mock('../../../src/engine/graph/session.ts', async (original) => {
  const session = await original<typeof import('../../../src/engine/graph/session.ts')>();
  return {
    ...session,
    compile: async (...request: Parameters<typeof session.compile>) => {
      const compiled = await session.compile(...request);
      programs.alive++;
      const release = () => {
        programs.alive--;
        return compiled.release();
      };
      return { run: compiled.run.bind(compiled), release };
    },
  };
});

let tiny: TinyModel;
const row = Float32Array.from({ length: 12 }, (_, i) => Math.sin(i * 3));

beforeAll(async () => {
  tiny = await writeTinyModel(9);
});

afterAll(() => tiny?.remove());

beforeEach(() => {
  programs.alive = 0;
});

it('the strongest features are the same for every count, from few programs', async () => {
  const sae = new SparseAutoencoder(await openSaeLens(join(tiny.folder, 'saes', reluHook)), 1);
  const rows = Float32Array.from([...row, ...row.map((x) => -x)]);
  const order = [row, row.map((x) => -x)].map((x) =>
    plainActivations(tiny.saes.get(reluHook)!, x)
      .map((activation, index) => ({ activation, index }))
      .sort((a, b) => b.activation - a.activation),
  );
  for (let k = 1; k <= tinyDSae; k++) {
    const found = await sae.strongest(floatValue(rows, [2, 12]), k);
    const expected = order.flatMap((all) => all.slice(0, k));
    expect(found.k).toBe(k);
    expect([...found.indices]).toEqual(
      expected.map(({ activation, index }) => (activation > 0 ? index : -1)),
    );
    expected.forEach(({ activation }, i) => {
      expect(found.activations[i]).toBeCloseTo(activation, 4);
    });
  }
  expect(programs.alive).toBeLessThanOrEqual(6);
  await sae.release();
  expect(programs.alive).toBe(0);
});

it('predictions of any count leave few programs behind, and none after the release', async () => {
  const model = await LoadedModel.open(tiny.folder, { threads: 1 });
  const all = [...(await model.readout.predict(row, 400)).ids];
  for (let k = 1; k <= 12; k++) {
    expect([...(await model.readout.predict(row, k)).ids]).toEqual(all.slice(0, k));
  }
  expect(programs.alive).toBeLessThanOrEqual(4);
  await model.release();
  expect(programs.alive).toBe(0);
});
