/** Finding a circuit again uses the method that it was found with, or is not offered. */
import { expect, it } from 'vitest';
import { searchAgain } from '../../../../src/host/circuits/searchAgain.ts';

it.each([
  ['gradient attribution', 'findCircuit'],
  ['attribution graph', 'attributionGraph'],
  ['sparse feature circuit', undefined],
  ['eap-ig', undefined],
  ['acdc', undefined],
])('%s is found again by %s', (name, command) => {
  expect(searchAgain({ method: { name, parameters: {} } })).toBe(command);
});
