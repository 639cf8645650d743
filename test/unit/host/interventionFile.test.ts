/** Interventions files: what is written is read, and what is damaged is named. */

// Interventions as a file: what is written is read again, and damage is named.
import { describe, expect, it } from 'vitest';
import { readInterventions, readKeptEdits, writeInterventions } from '../../../src/host/interventionFile.ts';
import type { Edit } from '../../../src/shared/domain.ts';
import { EngineError } from '../../../src/shared/errors.ts';

const edits: readonly Edit[] = [
  {
    id: 'a',
    target: { kind: 'head', layer: 2, head: 3 },
    action: { kind: 'zero' },
    strength: 1,
    enabled: true,
  },
  {
    id: 'b',
    target: { kind: 'feature', feature: { sae: '/saes/x', index: 7 } },
    action: { kind: 'add', amount: -2.5 },
    strength: 0.5,
    enabled: false,
    positions: [0, 4],
  },
  {
    id: 'c',
    target: { kind: 'hook', hook: 'blocks.1.hook_resid_pre' },
    action: { kind: 'patch', text: 'When “x”\n' },
    strength: 1,
    enabled: true,
  },
];

const content = {
  version: 1,
  model: { name: 'mini', hash: 'abc' },
  contrast: { answer: ' Mary', wrong: ' John' },
  edits,
} as const;

function failure(text: string): EngineError {
  try {
    readInterventions('/x.json', text);
  } catch (error) {
    if (error instanceof EngineError) return error;
  }
  throw new Error('It was read.');
}

describe('an interventions file', () => {
  it('reads back what was written', () => {
    expect(readInterventions('/x.json', writeInterventions(content))).toEqual(content);
  });

  it.each([
    ['not JSON', 'version: 1', 'content'],
    ['another version', JSON.stringify({ ...content, version: 2 }), 'version'],
    ['no edits', JSON.stringify({ ...content, edits: undefined }), 'edits'],
    [
      'an unknown action',
      JSON.stringify({ ...content, edits: [{ ...edits[0], action: { kind: 'eval' } }] }),
      'edits.0.action.kind',
    ],
    [
      'a negative layer',
      JSON.stringify({ ...content, edits: [{ ...edits[0], target: { kind: 'mlp', layer: -1 } }] }),
      'edits.0.target.layer',
    ],
    [
      'a strength that is text',
      JSON.stringify({ ...content, edits: [{ ...edits[0], strength: '1' }] }),
      'edits.0.strength',
    ],
    [
      'an endless amount',
      `{"version":1,"model":{"name":"","hash":""},"edits":[{"id":"a","target":{"kind":"mlp","layer":0},"action":{"kind":"add","amount":1e999},"strength":1,"enabled":true}]}`,
      'edits.0.action.amount',
    ],
  ])('names the place that is wrong: %s', (_, text, field) => {
    const error = failure(text);
    expect(error.code).toBe('file.malformed');
    expect(error.data).toMatchObject({ path: '/x.json', field });
  });

  it('takes nothing over from an earlier session that it cannot read', () => {
    expect(readKeptEdits(edits)).toEqual(edits);
    expect(readKeptEdits([{ ...edits[0], strength: null }])).toEqual([]);
    expect(readKeptEdits('edits')).toEqual([]);
  });
});
