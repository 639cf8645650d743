/** The embedded model's recipe from end to end with tiny numbers: it can be interrupted anywhere, and its card tells what was measured. */
import { cp, mkdir, mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { LoadedModel } from '../../../../src/engine/loadedModel.ts';
import { readFeatureStatistics } from '../../../../src/engine/sae/featureStatistics.ts';
import { openSaeLens } from '../../../../src/engine/sae/formats/saelens.ts';
import { evaluationSets } from '../../../../src/engine/task/evaluationSets.ts';
import { measureTask } from '../../../../src/engine/task/measure.ts';
import type { MiniReport } from '../../../../src/engine/training/mini/modelCard.ts';
import { type MiniRecipe, miniRecipe, miniSites } from '../../../../src/engine/training/mini/recipe.ts';
import { trainMini } from '../../../../src/engine/training/mini/trainMini.ts';
import type { Progress } from '../../../../src/shared/domain.ts';
import { failure } from '../../temporaryFolder.ts';

const learningRate = { kind: 'linear', peak: 1e-2, warmup: 1, total: 6 } as const;
const recipe: MiniRecipe = {
  ...miniRecipe,
  tokenizerDocuments: 600,
  corpusTokens: 6000,
  shape: { nLayers: 1, nHeads: 2, dModel: 8, dMlp: 16, nContext: 64, layerNormEps: 1e-5 },
  stages: [
    { rows: 4, rowLength: 15, steps: 6, optimizer: { learningRate, clipNorm: 1 } },
    { rows: 2, rowLength: 31, steps: 4, optimizer: { learningRate, clipNorm: 1 } },
  ],
  sae: { dSae: 24, k: 3, tokens: 2048, batch: 256, steps: 5, learningRate: 1e-3, evaluationTokens: 512 },
  transcoder: { dSae: 24, k: 3, tokens: 2048, batch: 256, steps: 5, learningRate: 1e-3 },
};

let root: string;
let report: MiniReport;
const whole = () => join(root, 'whole');

/** Runs what is missing of the recipe in `folder`. */
function training(folder: string, call: { signal?: AbortSignal; report?: (step: Progress) => void } = {}) {
  return trainMini(recipe, { folder, work: `${folder}.work`, log: () => {}, ...call });
}

beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), 'fovea-mini-'));
  report = await training(whole());
}, 300_000);

afterAll(() => rm(root, { recursive: true, force: true }));

/** A new folder with the tokenizer that was trained already. */
async function withTokenizer(folder: string): Promise<string> {
  await mkdir(folder, { recursive: true });
  for (const name of ['tokenizer.json', 'tokenizer_config.json', 'special_tokens_map.json']) {
    await cp(join(whole(), name), join(folder, name));
  }
  return folder;
}

const weightsOf = (folder: string) => readFile(join(folder, 'model.safetensors'));

describe('trainMini', () => {
  it('writes a model that opens, with an SAE and its statistics at every site', async () => {
    const model = await LoadedModel.open(whole());
    expect(model.info).toMatchObject({ nLayers: 1, nHeads: 2, dModel: 8, dMlp: 16, nContext: 64 });
    expect(model.info.dVocab).toBe(model.tokenizer.vocabSize);
    expect([...report.saes.keys()]).toEqual(miniSites(1));
    for (const hook of miniSites(1)) {
      const folder = join(whole(), 'saes', hook);
      const { config } = await openSaeLens(folder);
      expect(config).toMatchObject({ architecture: 'topk', k: 3, dIn: 8, dSae: 24, hookName: hook });
      const statistics = await readFeatureStatistics(folder, 24);
      expect(statistics!.tokens).toBe(512);
      const mean = statistics!.density.reduce((sum, density) => sum + density, 0);
      expect(mean).toBeCloseTo(report.saes.get(hook)!.l0, 1);
    }
    await model.release();
  });

  it('writes a transcoder for every MLP, with its statistics', async () => {
    const hook = 'blocks.0.mlp.hook_in';
    expect([...report.transcoders.keys()]).toEqual([hook]);
    const folder = join(whole(), 'transcoders', hook);
    const { config } = await openSaeLens(folder);
    const target = { kind: 'transcoder', hooks: ['blocks.0.hook_mlp_out'], width: 8 };
    expect(config).toMatchObject({ architecture: 'jumprelu', dIn: 8, dSae: 24, hookName: hook, target });
    const statistics = await readFeatureStatistics(folder, 24);
    const mean = statistics!.density.reduce((sum, density) => sum + density, 0);
    expect(mean).toBeCloseTo(report.transcoders.get(hook)!.l0, 1);
  });

  it('states what was measured', async () => {
    const card = await readFile(join(whole(), 'README.md'), 'utf8');
    const model = await LoadedModel.open(whole());
    for (const name of ['agreement.simple', 'capitals']) {
      const { pairs } = evaluationSets(recipe.seed).find((set) => set.name === name)!;
      const score = await measureTask(model.transformer, model.tokenizer, pairs);
      expect(report.tasks.get(name)).toEqual(score);
    }
    await model.release();
    for (const { prompts, accuracy, logitDifference } of report.tasks.values()) {
      const cells = `| ${prompts} | ${(100 * accuracy).toFixed(1)} % | ${logitDifference.toFixed(2)} |`;
      expect(card).toContain(cells);
    }
    expect(card).not.toMatch(/NaN|undefined|Infinity/);
    for (const [hook, { l0, explainedVariance, ceRecovered }] of [...report.saes, ...report.transcoders]) {
      expect(card).toContain(
        `| \`${hook}\` | ${l0.toFixed(1)} | ${explainedVariance.toFixed(3)} | ${ceRecovered.toFixed(3)} |`,
      );
    }
    expect(card).toContain('6 steps of 4 rows × 15 tokens');
    expect(report.loss).toBeGreaterThan(1);
    expect(card).toContain(`${report.loss.toFixed(3)} nats`);
  });

  it('goes on after interruptions to the very same model and SAEs', async () => {
    const folder = await withTokenizer(join(root, 'interrupted'));
    const stops = [
      ({ what, done }: Progress) => what.includes('(1 of 2)') && done === 3,
      ({ what, done }: Progress) => what.includes('(2 of 2)') && done === 2,
      ({ what, done }: Progress) => what.includes('blocks.0.hook_attn_out') && done === 2,
    ];
    for (const isTime of stops) {
      const controller = new AbortController();
      const stopping = training(folder, {
        signal: controller.signal,
        report: (step) => {
          if (isTime(step)) controller.abort();
        },
      });
      expect((await failure(stopping)).code).toBe('cancelled');
    }
    const finished = await training(folder);
    expect((await weightsOf(folder)).equals(await weightsOf(whole()))).toBe(true);
    for (const hook of miniSites(1)) {
      const [a, b] = await Promise.all(
        [folder, whole()].map(async (at) => (await openSaeLens(join(at, 'saes', hook))).read('W_dec')),
      );
      expect(a).toEqual(b);
    }
    expect([...finished.tasks]).toEqual([...report.tasks]);
    expect([...finished.saes]).toEqual([...report.saes]);
    expect([...finished.transcoders]).toEqual([...report.transcoders]);
  }, 300_000);

  it('makes up for statistics that an interruption left out', async () => {
    const folder = join(root, 'lost');
    await cp(whole(), folder, { recursive: true });
    const sae = join(folder, 'saes', miniSites(1)[2]!);
    const before = await readFeatureStatistics(sae, 24);
    await rm(join(sae, 'features.json'));
    await training(folder);
    expect(await readFeatureStatistics(sae, 24)).toEqual(before);
  }, 300_000);
});
