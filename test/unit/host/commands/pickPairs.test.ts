/** Pairs without a file: the picks of a generator, and the task that comes of them. */
import { describe, expect, it } from 'vitest';
import { generators } from '../../../../src/engine/task/generators.ts';
import { nameOfGenerated, pickGenerated } from '../../../../src/host/commands/pickGenerator.ts';
import { askLimit, pickPairs } from '../../../../src/host/commands/pickPairs.ts';
import type { CommandServices } from '../../../../src/host/services.ts';
import { agreementStructures } from '../../../../src/shared/task.ts';
import { answerPicks } from '../../../fixtures/quickPicks.ts';

const services = { session: {} } as unknown as CommandServices;

describe('pickPairs', () => {
  it('takes generated pairs without a file, and asks for their number once', async () => {
    answerPicks(['Generated Pairs…', 'Agreement', 'nounpp'], ['24']);
    const chosen = await pickPairs(services, 'Find');
    expect(chosen).toEqual({
      name: 'agreement nounpp',
      pairs: {
        kind: 'task',
        task: {
          kind: 'generator',
          name: 'agreement',
          count: 24,
          seed: expect.any(Number),
          options: { structure: 'nounpp' },
        },
      },
    });
    // No box would be answered any more.
    expect(chosen && (await askLimit(chosen, 'Find', 32))).toBe(chosen);
  });

  it('asks for the number of a file’s pairs', async () => {
    answerPicks([], ['7']);
    const pairs = { kind: 'task', task: { kind: 'file', path: '/t' } } as const;
    expect(await askLimit({ pairs, name: 't' }, 'Find', 32)).toMatchObject({ pairs: { limit: 7 } });
  });
});

describe('pickGenerated', () => {
  it('offers every generator, and the structures of agreement', async () => {
    const { offered } = answerPicks(['Agreement', 'All structures'], ['5']);
    const found = await pickGenerated({ title: 'New', usual: 50 });
    expect(offered[0]).toHaveLength(Object.keys(generators).length);
    expect(offered[1]).toEqual(['All structures, mixed', ...agreementStructures]);
    expect(generators.agreement.options.structure).toEqual(['all', ...agreementStructures]);
    expect(found).toEqual({ name: 'agreement', count: 5, seed: expect.any(Number) });
    expect(found && nameOfGenerated(found)).toBe('agreement');
  });

  it.each([
    ['Indirect Objects', 'ioi'],
    ['Greater Than', 'greaterThan'],
    ['Induction', 'induction'],
    ['Pronouns', 'pronoun'],
    ['Biographies', 'bios'],
  ])('writes %s', async (label, name) => {
    answerPicks([label], ['12']);
    expect(await pickGenerated({ title: 'New', usual: 50 })).toMatchObject({ name, count: 12 });
  });

  it.each([
    [[], []],
    [['Agreement'], ['5']],
    [['Induction'], []],
  ])('writes nothing when the user backs out (%j, %j)', async (labels, texts) => {
    answerPicks(labels, texts);
    expect(await pickGenerated({ title: 'New', usual: 50 })).toBeUndefined();
  });
});
