/** Holds edge attribution patching against scores that TransformerLens's hooks and autograd gave for the same weights. */
import { readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { describe, expect, it, onTestFinished } from 'vitest';
import { edgesOf, type GraphShape } from '../../src/engine/method/componentGraph.ts';
import { edgeAt } from '../../src/engine/method/eapIgFile.ts';
import { attributeAllEdges } from '../../src/engine/method/edgeAttributionPatching.ts';
import { Transformer } from '../../src/engine/model/transformer.ts';
import type { TokenPair } from '../../src/engine/task/task.ts';

const fixtures = fileURLToPath(new URL('../fixtures/parity', import.meta.url));

interface Recorded {
  readonly steps: number;
  readonly answer: number;
  readonly wrong: number;
  readonly models: Readonly<
    Record<
      string,
      {
        readonly clean: readonly number[][];
        readonly corrupted: readonly number[][];
        readonly eap: Readonly<Record<string, number>>;
        readonly eap_ig: Readonly<Record<string, number>>;
      }
    >
  >;
}

const recorded: Recorded = JSON.parse(await readFile(`${fixtures}/eap/scores.json`, 'utf8'));

/** Recorded scores by edge; those of heads that share a key or value add up. */
function expectedScores(scores: Readonly<Record<string, number>>, shape: GraphShape): Map<number, number> {
  const expected = new Map<number, number>();
  for (const [name, score] of Object.entries(scores)) {
    const at = edgeAt(name, shape);
    expect(at, name).toBeDefined();
    expected.set(at!, (expected.get(at!) ?? 0) + score);
  }
  return expected;
}

describe.each(Object.keys(recorded.models))('edges of %s', (name) => {
  it.each(['eap', 'eap_ig'] as const)(
    'have the scores of TransformerLens (%s), within 1e-3 of their range',
    async (method) => {
      const { clean, corrupted, ...scores } = recorded.models[name]!;
      const folder = name === 'gpt2' ? `${fixtures}/gpt2` : `${fixtures}/families/${name}`;
      const model = await Transformer.open(folder);
      onTestFinished(() => model.release());
      const pairs: TokenPair[] = clean.map((ids, i) => ({
        clean: Int32Array.from(ids),
        corrupted: Int32Array.from(corrupted[i]!),
        answers: [recorded.answer],
        wrongAnswers: [recorded.wrong],
        roles: {},
        template: '',
      }));
      const steps = method === 'eap' ? 0 : recorded.steps;
      const graph = await attributeAllEdges(model, { pairs, metric: 'logitDifference', steps });
      const expected = expectedScores(scores[method], model.config);
      expect(expected.size).toBe(edgesOf(graph, false).length);
      const range = Math.max(...[...expected.values()].map(Math.abs));
      expect(range).toBeGreaterThan(0.01);
      let worst = 0;
      for (const [at, score] of expected) worst = Math.max(worst, Math.abs(graph.scores[at]! - score));
      expect(worst / range).toBeLessThan(1e-3);
    },
  );
});
