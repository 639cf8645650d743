/** The hand-compiled transformer solves its task, by the paths that were written into it and no others. */
import { afterAll, beforeAll, expect, test } from 'vitest';
import { floatsOf } from '../../../../../src/engine/graph/value.ts';
import { patchPaths } from '../../../../../src/engine/method/pathPatching.ts';
import { loadTokenizer } from '../../../../../src/engine/model/tokenizer.ts';
import { Transformer } from '../../../../../src/engine/model/transformer.ts';
import { compiledTask, compiledVocabulary, writeCompiledIoi } from '../../../../fixtures/compiledIoi.ts';
import { compiledConfig, planted } from '../../../../fixtures/compiledIoiWeights.ts';

let model: Transformer;
let fixture: Awaited<ReturnType<typeof writeCompiledIoi>>;

beforeAll(async () => {
  fixture = await writeCompiledIoi();
  model = await Transformer.open(fixture.folder);
});
afterAll(async () => {
  await model.release();
  await fixture.remove();
});

test('the compiled transformer names the indirect object by a clear margin, in both orders', async () => {
  for (const pair of compiledTask(24).pairs) {
    const { logits } = await model.run({ tokens: [pair.clean], logits: 'last' });
    const data = floatsOf(logits!);
    const others = Array.from(data).filter((_, id) => id !== pair.answers[0]);
    expect(data[pair.answers[0]!]! - Math.max(...others)).toBeGreaterThan(6);
    const reference = floatsOf((await model.run({ tokens: [pair.corrupted], logits: 'last' })).logits!);
    expect(Math.max(...reference.map(Math.abs))).toBeLessThan(0.05);
  }
});

test('its tokenizer splits texts into the whole words of its vocabulary', async () => {
  const tokenizer = await loadTokenizer(fixture.folder);
  const { ids } = tokenizer.encode('When Mary and John went to the store, John gave a drink to');
  expect(Array.from(ids, (id) => compiledVocabulary[id])).toEqual([
    'When',
    ' Mary',
    ' and',
    ' John',
    ' went',
    ' to',
    ' the',
    ' store',
    ',',
    ' John',
    ' gave',
    ' a',
    ' drink',
    ' to',
  ]);
});

const allHeads = Array.from({ length: compiledConfig.nLayers }, (_, layer) =>
  Array.from({ length: compiledConfig.nHeads }, (_, head) => ({ layer, head })),
).flat();

test.each([
  { to: 'the logits', receivers: [], at: 'END', from: [planted.nameMover, planted.negativeNameMover] },
  {
    to: 'queries of the name mover',
    receivers: [{ ...planted.nameMover, input: 'q' as const }],
    at: 'END',
    from: [planted.sInhibition],
  },
  {
    to: 'values of S-inhibition',
    receivers: [{ ...planted.sInhibition, input: 'v' as const }],
    at: 'S2',
    from: [planted.duplicateToken, planted.induction],
  },
  {
    to: 'keys of induction',
    receivers: [{ ...planted.induction, input: 'k' as const }],
    at: 'S1+1',
    from: [planted.previousToken],
  },
])(
  'path patching to $to finds the planted heads above 10 % and all others below 1 %',
  async ({ receivers, at, from }) => {
    const { effects } = await patchPaths({
      model,
      task: compiledTask(24),
      metric: 'logitDifference',
      senders: allHeads,
      receivers,
      positions: [at],
    });
    allHeads.forEach(({ layer, head }, i) => {
      const isPlanted = from.some((one) => one.layer === layer && one.head === head);
      if (isPlanted) expect(Math.abs(effects[i]!)).toBeGreaterThan(0.1);
      else expect(Math.abs(effects[i]!)).toBeLessThan(0.01);
    });
  },
);
