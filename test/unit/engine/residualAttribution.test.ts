/** Direct logit attribution against every component's write times the direction that the contrast reads along, by plain loops. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Analysis, ResidualAttribution } from '../../../src/shared/analysis.ts';
import type { PlainHook } from '../../fixtures/plainGpt2.ts';
import { failure } from '../temporaryFolder.ts';
import {
  atRows,
  contrast,
  dHead,
  dModel,
  dVocab,
  edit,
  nHeads,
  openTinyEngine,
  rowAt,
  type TinyEngine,
} from './tinyEngine.ts';

const zeroHead = edit({ kind: 'head', layer: 1, head: 2 }, { kind: 'zero' });
const zeroed = atRows('blocks.1.attn.hook_z', (row) => row.fill(0, 2 * dHead));

let look: TinyEngine;

beforeAll(async () => {
  look = await openTinyEngine(2);
});

afterAll(() => look?.close());

describe('residualAttribution', () => {
  /** Every component's write times the direction the contrast reads along, by plain loops. */
  function expectComponents(found: ResidualAttribution, analysis: Analysis, hook?: PlainHook): void {
    const hooks = look.plainHooks(analysis, hook);
    const p = found.position;
    const ids = new Map(vocabulary);
    const unembed = (d: number) =>
      look.weight('wte.weight')[ids.get(contrast.answer)! * dModel + d]! -
      look.weight('wte.weight')[ids.get(contrast.wrong)! * dModel + d]!;
    const gained = Array.from({ length: dModel }, (_, d) => look.weight('ln_f.weight')[d]! * unembed(d));
    const mean = gained.reduce((a, b) => a + b) / dModel;
    const scale = hooks.get('ln_final.hook_scale')![p]!;
    const along = (write: ArrayLike<number>) =>
      gained.reduce((sum, w, d) => sum + ((w - mean) / scale) * write[d]!, 0);
    const named = new Map(found.components.map(({ component, value }) => [component, value]));
    expect(named.size).toBe(2 + 2 * (nHeads + 1) + 1);
    expect(named.get('token embedding')).toBeCloseTo(along(rowAt(hooks.get('hook_embed')!, p)), 3);
    expect(named.get('position embedding')).toBeCloseTo(along(rowAt(hooks.get('hook_pos_embed')!, p)), 3);
    let biases = Array.from({ length: dModel }, (_, d) => unembed(d) * look.weight('ln_f.bias')[d]!).reduce(
      (a, b) => a + b,
    );
    for (let layer = 0; layer < 2; layer++) {
      for (let head = 0; head < nHeads; head++) {
        const z = hooks.get(`blocks.${layer}.attn.hook_z`)!;
        const write = new Float64Array(dModel);
        for (let i = 0; i < dHead; i++) {
          for (let d = 0; d < dModel; d++) {
            write[d]! +=
              z[(p * nHeads + head) * dHead + i]! *
              look.weight(`h.${layer}.attn.c_proj.weight`)[(head * dHead + i) * dModel + d]!;
          }
        }
        expect(named.get(`head ${layer}.${head}`)).toBeCloseTo(along(write), 3);
      }
      expect(named.get(`MLP ${layer}`)).toBeCloseTo(
        along(rowAt(hooks.get(`blocks.${layer}.hook_mlp_out`)!, p)),
        3,
      );
      biases += along(look.weight(`h.${layer}.attn.c_proj.bias`));
    }
    expect(found.components.at(-1)!.value).toBeCloseTo(biases, 3);
    const total = found.components.reduce((sum, { value }) => sum + value, 0);
    expect(total).toBeCloseTo(found.total, 3);
    const logits = hooks.get('unembed.hook_out')!.subarray(p * dVocab);
    expect(found.total).toBeCloseTo(
      logits[ids.get(contrast.answer)!]! - logits[ids.get(contrast.wrong)!]!,
      3,
    );
  }

  const vocabulary = new Map<string, number>();

  beforeAll(async () => {
    const { predictions } = await look.analyze();
    for (const { text, id } of predictions[0]!) vocabulary.set(text, id);
  });

  it('takes the contrast apart into what components and biases add to it', async () => {
    const analysis = await look.analyze();
    for (const position of [undefined, 1]) {
      const found = await look.engine.residualAttribution({
        run: analysis.run,
        contrast: { ...contrast, position },
      });
      expect(found.what).toBe('" words" − " letter"');
      expect(found.position).toBe(position ?? analysis.strip.tokens.length - 1);
      expectComponents(found, analysis);
    }
  });

  it('takes the edited run apart, in which an ablated head adds nothing', async () => {
    const analysis = await look.analyze([zeroHead]);
    const found = await look.engine.residualAttribution({ run: analysis.run, contrast });
    expectComponents(found, analysis, zeroed);
    expect(found.components.find(({ component }) => component === 'head 1.2')!.value).toBe(0);
  });

  it('takes the best token’s logit without a contrast', async () => {
    const analysis = await look.analyze();
    const found = await look.engine.residualAttribution({ run: analysis.run, position: 2 });
    const best = analysis.predictions[2]![0]!;
    expect(found.what).toContain('logit of');
    expect(found.total).toBeCloseTo(best.logit, 3);
    expect(found.components.reduce((sum, { value }) => sum + value, 0)).toBeCloseTo(best.logit, 3);
  });

  it.each([99, -1, 1.5])('refuses position %d', async (position) => {
    const { run } = await look.analyze();
    const error = await failure(look.engine.residualAttribution({ run, position }));
    expect(error).toMatchObject({ code: 'request.invalid', data: { what: `Position ${position}` } });
  });
});
