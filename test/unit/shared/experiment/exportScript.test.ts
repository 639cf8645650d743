/** Scripts of experiments: prompts as texts, the same program whatever they say, and a refusal of what has no equivalent. */
import { realpath } from 'node:fs/promises';
import { describe, expect, it } from 'vitest';
import type { Engine } from '../../../../src/engine/engine.ts';
import type { SaeInfo } from '../../../../src/shared/domain.ts';
import type { Experiment, ExperimentMethod } from '../../../../src/shared/experiment/experiment.ts';
import { exportScript } from '../../../../src/shared/experiment/exportScript.ts';
import { runExperiment } from '../../../../src/shared/experiment/runExperiment.ts';
import { topKHook } from '../../../fixtures/tinyModel.ts';
import { wordPair as pairs } from '../../../fixtures/wordExperiments.ts';
import { experimentOf as experiment, tinyExperiments } from './tinyExperiments.ts';

const at = tinyExperiments();

describe('a TransformerLens script', () => {
  const script = (method: Experiment['method'], more: Partial<Experiment> = {}) =>
    exportScript(experiment(method, more), at.places);

  it('has the prompts of the task as texts, and leaves out pairs that cannot be used', async () => {
    const text = await script(
      { kind: 'ablate', sweep: 'attn_head_out_all_pos', value: 'meanByTemplate' },
      { pairs: { kind: 'file', path: 'a.task.jsonl' }, metric: 'kl' },
    );
    expect(text).toContain(
      '("When she gave words letter", "When she gave letter letter", [" words"], [" letter"], ""),',
    );
    expect(text).toContain('[" words"], [" letter"], "turned"),');
    expect(text.match(/^ {4}\("/gm)).toHaveLength(2);
    expect(text).toContain('PREPEND_BOS = False');
    expect(text).toContain('clean_logits.softmax(0)');
    expect(text).toContain('value="meanByTemplate", reference="corrupted"');
  });

  it('is the same program whatever its texts say', async () => {
    const hostile = '"""\nimport os\nos.system("x") #\\';
    const method = { kind: 'patch', sweep: 'resid_pre' } as const;
    const plain = await script(method, { name: 'name' });
    const nasty = await script(method, { name: hostile });
    const differing = nasty.split('\n').filter((line, i) => line !== plain.split('\n')[i]);
    expect(differing).toEqual(['EXPERIMENT = "\\"\\"\\"\\nimport os\\nos.system(\\"x\\") #\\\\"']);
  });

  it.each([
    [{ kind: 'acdc', threshold: 0.1 }, 'ACDC (acdc)'],
    [{ kind: 'gradientCircuit' }, 'gradientCircuit'],
    [{ kind: 'sparseFeatureCircuit' }, 'sparseFeatureCircuit'],
    [{ kind: 'attributionGraph' }, 'attributionGraph'],
    [{ kind: 'indirectObjectStudy' }, 'indirectObjectStudy'],
    [{ kind: 'shift' }, 'shift'],
    [{ kind: 'attributeEdges', gradients: 'eap-ig-activations' }, 'along activations'],
  ] as const satisfies readonly (readonly [ExperimentMethod, string])[])(
    'refuses %j, and says so',
    async (method, word) => {
      await expect(script(method)).rejects.toThrow(`cannot say`);
      await expect(script(method)).rejects.toThrow(word);
    },
  );

  it('names the strongest features by number, and the at.folder of their SAE', async () => {
    const method = { kind: 'patchFeatures', sae: topKHook, features: { strongest: 2 }, error: true } as const;
    const { methods } = await runExperiment(experiment(method), at.places);
    const numbers = methods[0]!.numbers as unknown as { axes: { labels: string[] }[] };
    const text = await script(method);
    const labels = numbers.axes[0]!.labels.map((label) => (label === 'error' ? '"error"' : label));
    expect(text).toContain(`patch_features("${topKHook}", "${at.tiny.folder}/saes/`);
    expect(text).toContain(`, [${labels.join(', ')}], by="all", direction="denoising")`);
    expect(text).toContain('from safetensors.torch import load_file');
  });

  it('writes where roles are, and a pair of the same length for every one that is resampled', async () => {
    const task = { kind: 'generator', name: 'ioi', count: 12 } as const;
    const mini = { model: await realpath('models/mini'), pairs: task };
    const text = await script({ kind: 'ablate', sweep: 'resid_pre', roles: ['S2'], value: 'resample' }, mini);
    const rows = text.match(/^ {4}\(".*\),$/gm)!;
    expect(rows).toHaveLength(12);
    const placed = rows.map((row) => /"S2": (\d+), "END": (\d+)\}, (\d+)\),$/.exec(row)!.map(Number));
    const ends = placed.map(([, , end]) => end);
    // The prompts end with the role END, so those of one length have it at one place.
    placed.forEach(([, s2, end, partner], i) => {
      expect(s2).toBeLessThan(end!);
      expect(ends[partner!]).toBe(end);
      if (ends.filter((other) => other === end).length > 1) expect(partner).not.toBe(i);
    });
    expect(new Set(ends).size).toBeGreaterThan(1);
  });

  it('refuses SAEs that it could not read', async () => {
    const method = { kind: 'patchFeatures', sae: topKHook, features: [1] } as const;
    const exportWith = (change: Partial<SaeInfo>) => {
      const listSaes: Engine['listSaes'] = async (request, call) =>
        (await at.engine.listSaes(request, call)).map((sae) => ({ ...sae, ...change }));
      const other = new Proxy(at.engine, {
        get: (target, name) => (name === 'listSaes' ? listSaes : Reflect.get(target, name)),
      });
      return exportScript(experiment(method), { ...at.places, engine: other });
    };
    expect(await exportWith({})).toContain('patch_features(');
    for (const change of [
      { architecture: 'gated' },
      { format: 'Gemma Scope' },
      { convention: { inputScale: 2 } },
    ] as const) {
      await expect(exportWith(change)).rejects.toThrow(/cannot say the SAE .* it reads folders of SAELens/);
    }
  });

  it('refuses pairs that the model cannot run', async () => {
    const unequal = { ...pairs, corrupted: 'When she' };
    await expect(script({ kind: 'patch', sweep: 'resid_pre' }, { pairs: unequal })).rejects.toThrow(/tokens/);
  });
});
