/** Runs that pass through every site on the way, against the model's own run, for families whose blocks are built differently. */
import { readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { describe, expect, it, onTestFinished } from 'vitest';
import { floatsOf, floatValue } from '../../../../../src/engine/graph/value.ts';
import { sourcesOf } from '../../../../../src/engine/method/sparse/sparseEdges.ts';
import { neuronSites } from '../../../../../src/engine/method/sparse/sparseSites.ts';
import { splicedLogits } from '../../../../../src/engine/method/sparse/splicedRun.ts';
import { Transformer } from '../../../../../src/engine/model/transformer.ts';
import { largestGap } from '../../sae/plainSae.ts';

const families = fileURLToPath(new URL('../../../../fixtures/parity/families', import.meta.url));
const tokens = [Int32Array.of(3, 17, 8, 2, 40), Int32Array.of(9, 9, 31, 4, 12)];

async function open(family: string): Promise<Transformer> {
  const model = await Transformer.open(`${families}/${family}`);
  onTestFinished(() => model.release());
  return model;
}

describe.each(['gpt_neox', 'gemma2', 'llama', 'phi', 'olmo2'])('%s', (family) => {
  it('gives its own logits when nothing is changed, for every copy', async () => {
    const model = await open(family);
    const sites = neuronSites(model.config, []);
    const seen: string[] = [];
    const change = async (site: number, value: ReturnType<typeof floatValue>) => {
      seen.push(sites[site]!.hook);
      return value;
    };
    const logits = await splicedLogits(model, { tokens, copies: 2, sites, change });
    const own = floatsOf((await model.run({ tokens, logits: 'last' })).logits!);
    expect(seen).toEqual(sites.map(({ hook }) => hook));
    expect(logits.dims).toEqual([4, 1, model.config.dVocab]);
    expect(largestGap(floatsOf(logits), [...own, ...own])).toBeLessThan(1e-4);
  });

  it('gives the logits of the same edits when a value is changed', async () => {
    const model = await open(family);
    const sites = neuronSites(model.config, []);
    const hooks = ['blocks.0.hook_attn_out', 'blocks.1.hook_mlp_out', 'blocks.0.hook_resid_post'];
    const change = async (site: number, value: ReturnType<typeof floatValue>) =>
      hooks.includes(sites[site]!.hook)
        ? floatValue(
            value.data.map((x) => 0.5 * x + 0.1),
            value.dims,
          )
        : value;
    const logits = await splicedLogits(model, { tokens, copies: 1, sites, change });
    const edits = hooks.map((hook) => ({ hook, keep: 0.5, add: 0.1 }));
    const own = await model.run({ tokens, edits, logits: 'last' });
    expect(largestGap(floatsOf(logits), floatsOf(own.logits!))).toBeLessThan(1e-4);
  });
});

it('has no edge from attention to MLP where they work side by side', async () => {
  for (const family of ['gpt_neox', 'llama']) {
    const { config } = await open(family);
    const about = JSON.parse(await readFile(`${families}/${family}/config.json`, 'utf8'));
    const sites = neuronSites(config, []);
    const mlp = sites.findIndex(({ kind, layer }) => kind === 'mlp' && layer === 1);
    const kinds = sourcesOf(sites, mlp, config.parallel).map((index) => sites[index]!.kind);
    expect(kinds).toEqual(about.use_parallel_residual ? ['residual'] : ['residual', 'attention']);
  }
});
