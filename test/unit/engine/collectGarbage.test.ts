/** Garbage is collected when asked, without any flag on the command line. */
import { expect, it } from 'vitest';
import { collectGarbage } from '../../../src/engine/collectGarbage.ts';

it('what nobody holds any more is gone', async () => {
  let held: object | undefined = { data: new Uint8Array(1000) };
  const seen = new WeakRef(held);
  collectGarbage();
  expect(seen.deref()).toBe(held);
  held = undefined;
  // A weak reference keeps its object until the running task has ended.
  await new Promise((resolve) => setTimeout(resolve));
  collectGarbage();
  expect(seen.deref()).toBeUndefined();
});
