/** Names of found circuits. */
import { expect, it } from 'vitest';
import { circuitName } from '../../../../src/host/circuits/circuitName.ts';

it('names a found circuit by its prompts and its method, not by its metric', () => {
  expect(circuitName('indirectObject.prompt.txt', 'gradient')).toBe('indirectObject: gradient attribution');
  expect(circuitName('indirectObject.task.jsonl', 'features')).toBe('indirectObject: features');
  expect(circuitName('Untitled-1', 'attributionGraph')).toBe('Untitled-1: attribution graph');
  expect(circuitName('names', 'eap-ig')).toBe('names: EAP-IG');
  expect(circuitName('.txt', 'acdc')).toBe('.txt: ACDC');
});
