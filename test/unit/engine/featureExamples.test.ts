/** Examples of features: where the activations of a whole text are largest, looked up by another way. */
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Engine } from '../../../src/engine/engine.ts';
import { miniFolder } from '../../fixtures/tinyModel.ts';
import { temporaryFolder } from '../temporaryFolder.ts';

const sae = join(miniFolder, 'saes', 'blocks.1.hook_resid_post');
const paragraphs = [
  'Mary is a nurse. She works at a crowded hospital and likes to care for sick patients.',
  'Tom is a pilot. He has learned to fly planes over mountains. In the evening he reads by himself.',
  'The keys to the cabinet are on the table.',
  'When Anna and John went to the store, John gave a drink to Anna.',
];

let engine: Engine;
let model: string;
beforeAll(async () => {
  engine = new Engine({ threads: 1 });
  model = (await engine.openModel({ path: miniFolder })).id;
});
afterAll(() => engine?.closeModel({ model }));

/** A file with the paragraphs. */
async function textFile(): Promise<string> {
  const file = join(await temporaryFolder(), 'texts.txt');
  await writeFile(file, paragraphs.join('\n\n'));
  return file;
}

/** Activations of a feature on each token of a text, as the token panel asks for them. */
async function heat(text: string, index: number): Promise<readonly number[]> {
  const { run } = await engine.analyze({
    model,
    text,
    saes: [sae],
    topFeatures: 1,
    topPredictions: 1,
    edits: [],
  });
  return [...(await engine.featureHeat({ run, features: [{ sae, index }] }))];
}

describe('feature examples', () => {
  it('are the stretches around the largest activations of each text, the largest first', async () => {
    const file = await textFile();
    for (const index of [407, 118, 325]) {
      const found = (
        await engine.featureExamples({ model, features: [{ sae, index }], count: 4, files: [file] })
      )[0]!;
      const heats = await Promise.all(paragraphs.map((text) => heat(text, index)));
      const peaks = heats
        .map((values) => Math.max(...values))
        .filter((peak) => peak > 0)
        .sort((a, b) => b - a);
      expect(found.map(({ activations }) => Math.max(...activations))).toHaveLength(peaks.length);
      found.forEach(({ activations, tokens }, i) => {
        expect(Math.max(...activations)).toBeCloseTo(peaks[i]!, 3);
        // The stretch is part of one of the texts, with the activations that it has there.
        const text = paragraphs.findIndex((paragraph) => paragraph.includes(tokens.join('')));
        expect(text).toBeGreaterThanOrEqual(0);
        const at =
          heats[text]!.indexOf(Math.max(...heats[text]!)) - activations.indexOf(Math.max(...activations));
        activations.forEach((activation, j) => {
          expect(activation).toBeCloseTo(heats[text]![at + j]!, 3);
        });
        expect(tokens.length).toBeLessThanOrEqual(17);
      });
    }
  });

  it('come from the built-in generator when no file is named, and are all different', async () => {
    const features = [
      { sae, index: 407 },
      { sae, index: 3 },
    ];
    const [one, other] = await engine.featureExamples({ model, features, count: 5 });
    expect(one).toHaveLength(5);
    expect(new Set(one!.map(({ tokens }) => tokens.join(''))).size).toBe(5);
    expect(other).not.toEqual(one);
    const peaks = one!.map(({ activations }) => Math.max(...activations));
    expect(peaks).toEqual([...peaks].sort((a, b) => b - a));
  });

  it('are searched once for each SAE', async () => {
    const asked = { model, features: [{ sae, index: 9 }], count: 2 };
    const whats: string[] = [];
    const report = ({ what }: { readonly what: string }): void => {
      if (what === 'Looking for examples') whats.push(what);
      else read += 1;
    };
    let read = 0;
    await engine.featureExamples(asked, { report });
    const searched = whats.length;
    await engine.featureExamples({ ...asked, features: [{ sae, index: 10 }] }, { report });
    expect(whats.length).toBe(searched);
    // Reading the windows is told of, feature by feature.
    expect(read).toBe(2);
    // Another text is searched anew.
    await engine.featureExamples({ ...asked, files: [await textFile()] }, { report });
    expect(whats.length).toBeGreaterThan(searched);
  });

  it('refuses features that are not there, and texts that are empty or missing', async () => {
    const ask = (index: number, files?: readonly string[]) =>
      engine.featureExamples({ model, features: [{ sae, index }], count: 1, ...(files && { files }) });
    await expect(ask(512)).rejects.toThrow(/0 to 511/);
    await expect(ask(1, ['/nowhere/at/all.txt'])).rejects.toThrow(/all\.txt/);
    const empty = join(await temporaryFolder(), 'empty.txt');
    await writeFile(empty, ' \n\n ');
    await expect(ask(1, [empty])).rejects.toThrow(/no tokens/);
  });
});
