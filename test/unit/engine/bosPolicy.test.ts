/** The beginning-of-sequence token wherever positions are counted, held against direct runs with the token put first. */
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Engine } from '../../../src/engine/engine.ts';
import { floatsOf } from '../../../src/engine/graph/value.ts';
import { loadTokenizer, type Tokenizer } from '../../../src/engine/model/tokenizer.ts';
import { Transformer } from '../../../src/engine/model/transformer.ts';
import { openSaeLens } from '../../../src/engine/sae/formats/saelens.ts';
import type { BosPolicy, Edit, ModelInfo, SaeInfo } from '../../../src/shared/domain.ts';
import type { AnalyzeRequest } from '../../../src/shared/engineApi.ts';
import { miniFolder } from '../../fixtures/tinyModel.ts';
import { failure, temporaryFolder } from '../temporaryFolder.ts';

const prompt = 'When Mary and John went to the store, John gave a drink to';
const otherPrompt = 'When Mary and John went to the store, Mary gave a drink to';
const contrast = { answer: ' Mary', wrong: ' John' };
let engine: Engine;
let model: ModelInfo;
let sae: SaeInfo;
let transformer: Transformer;
let tokenizer: Tokenizer;

beforeAll(async () => {
  engine = new Engine({ threads: 1 });
  model = await engine.openModel({ path: miniFolder });
  sae = (await engine.listSaes({ model: model.id, folders: [] })).find(({ layer }) => layer === 1)!;
  transformer = await Transformer.open(miniFolder, { threads: 1 });
  tokenizer = await loadTokenizer(miniFolder);
});

afterAll(async () => {
  await engine.closeModel({ model: model.id });
  await transformer.release();
});

const policy = (bos: BosPolicy): Promise<ModelInfo> => engine.openModel({ path: miniFolder, bos });

function ask(text: string, changes: Partial<AnalyzeRequest> = {}): AnalyzeRequest {
  return { model: model.id, text, saes: [sae.id], topFeatures: 3, topPredictions: 4, edits: [], ...changes };
}

/** The ids that the model reads with the token put first. */
function withBos(text: string): Int32Array {
  return Int32Array.of(tokenizer.bosId!, ...tokenizer.encode(text).ids);
}

async function logitsAt(ids: Int32Array, position: number): Promise<Float32Array> {
  const { logits } = await transformer.run({ tokens: [ids], logits: 'all' });
  const { dVocab } = model;
  return floatsOf(logits!).slice(position * dVocab, (position + 1) * dVocab);
}

describe('the policy', () => {
  it('is the tokenizer’s own at first, and changes on an open model', async () => {
    expect(model).toMatchObject({ bos: 'none', bosToken: '<|endoftext|>' });
    expect((await policy('always')).bos).toBe('prepended');
    // A call that does not say leaves it as it is.
    expect((await engine.openModel({ path: miniFolder })).bos).toBe('prepended');
    expect((await policy('never')).bos).toBe('none');
    expect((await policy('auto')).bos).toBe('none');
  });

  it('takes nothing over from runs under another policy', async () => {
    await policy('never');
    const before = await engine.analyze(ask(prompt));
    await policy('always');
    const first = await engine.analyze(ask(prompt));
    expect(first.reused).toBe(0);
    expect(first.strip.tokens.length).toBe(before.strip.tokens.length + 1);
    expect((await engine.analyze(ask(`${prompt} a`))).reused).toBe(first.strip.tokens.length);
    await policy('never');
    const again = await engine.analyze(ask(prompt));
    expect(again.reused).toBe(0);
    expect(again.strip).toEqual(before.strip);
    expect(again.provenance.bos).toBe('none');
  });
});

describe('a handle of its own', () => {
  const separate = (bos?: BosPolicy) => engine.openModel({ path: miniFolder, bos, separate: true });
  const begins = async (id: string) => {
    const { provenance, strip } = await engine.analyze(ask(prompt, { model: id, saes: [] }));
    return [provenance.bos, strip.tokens.length];
  };

  it('keeps its reading whatever others ask for, and changes nobody else’s', async () => {
    const length = tokenizer.encode(prompt).ids.length;
    await policy('never');
    const [always, never] = await Promise.all([separate('always'), separate('never')]);
    expect(new Set([model.id, always.id, never.id]).size).toBe(3);
    expect([always.bos, never.bos, always.path, always.hash]).toEqual([
      'prepended',
      'none',
      model.path,
      model.hash,
    ]);
    expect(await begins(model.id)).toEqual(['none', length]);
    await policy('always');
    expect(await begins(never.id)).toEqual(['none', length]);
    expect(await begins(always.id)).toEqual(['prepended', length + 1]);
    await policy('never');
    expect(await begins(always.id)).toEqual(['prepended', length + 1]);
    expect((await engine.openModel({ path: miniFolder })).id).toBe(model.id);
    await engine.closeModel({ model: always.id });
    expect((await failure(begins(always.id))).message).toContain('is not loaded');
    expect(await begins(model.id)).toEqual(['none', length]);
    await engine.closeModel({ model: never.id });
  });

  it('stays open when the model’s other handles are closed, and shares its SAEs', async () => {
    const other = new Engine({ threads: 1 });
    const [base, own] = await Promise.all([
      other.openModel({ path: miniFolder }),
      other.openModel({ path: miniFolder, bos: 'always', separate: true }),
    ]);
    const request = { ...ask(prompt), edits: [], model: base.id };
    await other.analyze(request);
    await other.closeModel({ model: base.id });
    expect((await failure(other.analyze(request))).message).toContain('is not loaded');
    const { provenance, features } = await other.analyze({ ...request, model: own.id });
    expect([provenance.bos, features.length]).toEqual(['prepended', 1]);
    await other.closeModel({ model: own.id });
  });
});

describe('with a beginning-of-sequence token', () => {
  beforeAll(() => policy('always'));

  it('an analysis is that of the tokens with it first', async () => {
    const ids = withBos(prompt);
    const analysis = await engine.analyze(ask(prompt, { contrast }));
    const { strip, predictions, probabilities } = analysis;
    expect(strip.tokens.map(({ id }) => id)).toEqual([...ids]);
    expect(strip.tokens[0]).toEqual({ id: ids[0], text: '<|endoftext|>', start: 0, end: 0, special: true });
    expect(strip.tokens[1]!.start).toBe(0);
    expect(strip.used).toEqual({ start: 0, end: prompt.length });
    expect(analysis.provenance.bos).toBe('prepended');
    expect([predictions.length, probabilities.length, analysis.features[0]!.indices.length]).toEqual([
      ids.length,
      ids.length,
      3 * ids.length,
    ]);
    const [first, last] = [await logitsAt(ids, 0), await logitsAt(ids, ids.length - 1)];
    expect(predictions[0]![0]!.logit).toBeCloseTo(Math.max(...first), 3);
    expect(predictions.at(-1)![0]!.logit).toBeCloseTo(Math.max(...last), 3);
    const total = first.reduce((sum, logit) => sum + Math.exp(logit), 0);
    expect(probabilities[0]).toBeNaN();
    expect(probabilities[1]).toBeCloseTo(Math.exp(first[ids[1]!]!) / total, 5);
    const [mary, john] = [tokenizer.idOf(' Mary')!, tokenizer.idOf(' John')!];
    expect(analysis.contrast).toBeCloseTo(last[mary]! - last[john]!, 3);
    expect(analysis.attention.every((source) => source === undefined || source.source > 0)).toBe(true);
  });

  it('positions are those of the strip: of a contrast, of heat and of attention', async () => {
    const ids = withBos(prompt);
    const early = await engine.analyze(ask(prompt, { contrast: { ...contrast, position: 1 } }));
    const logits = await logitsAt(ids, 1);
    const [mary, john] = [tokenizer.idOf(' Mary')!, tokenizer.idOf(' John')!];
    expect(early.contrast).toBeCloseTo(logits[mary]! - logits[john]!, 3);
    const beyond = engine.analyze(ask(prompt, { contrast: { ...contrast, position: ids.length } }));
    expect((await failure(beyond)).message).toContain(`${ids.length} tokens`);
    const feature = { sae: sae.id, index: early.features[0]!.indices[3 * (ids.length - 1)]! };
    const heat = await engine.featureHeat({ run: early.run, features: [feature] });
    expect(heat.length).toBe(ids.length);
    expect(heat.at(-1)).toBeCloseTo(early.features[0]!.activations[3 * (ids.length - 1)]!, 3);
    expect((await engine.attention({ run: early.run, layer: 0 })).positions).toBe(ids.length);
    expect((await engine.logitLens({ run: early.run, top: 1 })).cells[0]!.length).toBe(ids.length);
    const { position } = await engine.residualAttribution({ run: early.run, contrast });
    expect(position).toBe(ids.length - 1);
  });

  it('suggested answers are those behind the prompt', async () => {
    const { predictions } = await engine.analyze(ask(prompt));
    const suggested = await engine.suggestAnswers({ model: model.id, text: prompt });
    expect(suggested[0]!.id).toBe(predictions.at(-1)![0]!.id);
  });

  it('interventions act at the strip’s positions', async () => {
    const edit = (positions?: readonly number[]): Edit => ({
      id: 'e',
      target: { kind: 'mlp', layer: 0 },
      action: { kind: 'zero' },
      strength: 1,
      enabled: true,
      positions,
    });
    const last = withBos(prompt).length - 1;
    const atLast = await engine.analyze(ask(prompt, { edits: [edit([last])] }));
    expect(atLast.effect!.kl).toBeGreaterThan(1e-6);
    const behind = await engine.analyze(ask(prompt, { edits: [edit([last + 1])] }));
    expect(behind.effect!.kl).toBeLessThan(1e-6);
  });

  it('a patch from a prompt of another length moves text onto text', async () => {
    const edit: Edit = {
      id: 'e',
      target: { kind: 'hook', hook: 'blocks.0.hook_resid_pre' },
      action: { kind: 'patch', text: 'John gave a drink to' },
      strength: 1,
      enabled: true,
    };
    const analysis = await engine.analyze(ask(prompt, { edits: [edit] }));
    const inner = withBos('John gave a drink to').length - 1;
    // Before the patched positions everything is as it was; the token before the text of the other prompt goes nowhere.
    const clean = await engine.analyze(ask(prompt));
    const untouched = withBos(prompt).length - inner;
    for (let position = 0; position < untouched; position++)
      expect(analysis.predictions[position]![0]!.logit).toBeCloseTo(
        clean.predictions[position]![0]!.logit,
        4,
      );
  });

  it('prompts are compared and circuits found with it in both', async () => {
    const { pairs, equalLength } = await engine.comparePrompts({
      model: model.id,
      clean: prompt,
      corrupted: otherPrompt,
    });
    expect(equalLength).toBe(true);
    expect(pairs[0]).toEqual({ clean: 0, corrupted: 0, same: true });
    const graph = await engine.findCircuit({
      model: model.id,
      text: prompt,
      contrast,
      counterfactual: otherPrompt,
      saes: [],
      maxNodes: 12,
    });
    expect(graph.tokens[0]).toMatchObject({ special: true });
    expect(graph.provenance.bos).toBe('prepended');
    const kept = graph.nodes.map(({ id }) => id);
    const request = { graph, model: model.id, contrast, kept };
    expect(Number.isFinite((await engine.evaluateCircuit(request)).faithfulness)).toBe(true);
    await policy('never');
    expect((await failure(engine.evaluateCircuit(request))).message).toContain('beginning-of-sequence');
    await policy('always');
  });

  it('stays first when the prompt is cut, and counts in the context', async () => {
    const text = 'The model reads the words one by one. '.repeat(40);
    const { strip, predictions } = await engine.analyze(ask(text, { saes: [] }));
    expect(strip.truncated).toBe(true);
    expect(strip.tokens.length).toBeLessThanOrEqual(model.nContext);
    expect(strip.tokens[0]!.special).toBe(true);
    expect(strip.tokens[1]!.start).toBe(strip.used.start);
    const ids = Int32Array.from(strip.tokens, ({ id }) => id);
    expect(predictions.at(-1)![0]!.logit).toBeCloseTo(Math.max(...(await logitsAt(ids, ids.length - 1))), 3);
  });

  it('an SAE is trained on rows that begin with it, and says so', async () => {
    const out = join(await temporaryFolder(), 'sae');
    const hook = 'blocks.0.hook_resid_post';
    const training = { model: model.id, hook, out, corpus: [], dSae: 24, k: 3, steps: 10, seed: 5 };
    const metrics = await engine.trainSae(training);
    expect((await openSaeLens(out)).config.prependBos).toBe(true);
    // Every row but its first token is measured.
    expect(metrics.tokens % 127).toBe(0);
  });

  it('special tokens that are written out are told apart from it', async () => {
    const { strip } = await engine.analyze(ask('a<|endoftext|>b', { saes: [] }));
    expect(strip.tokens.map(({ special, marker }) => [special ?? false, marker ?? false])).toEqual([
      [true, false],
      [false, false],
      [false, true],
      [false, false],
    ]);
    expect(strip.tokens[2]).toMatchObject({ start: 1, end: 14 });
  });
});
