/** What was found in one model is not acted on in another, or in the same one read otherwise. */
import { describe, expect, it } from 'vitest';
import { modelMismatch, requireModelOf } from '../../../src/host/requireModelOf.ts';

const found = {
  model: { name: 'gpt2', hash: 'a' },
  bos: 'prepended',
  precision: 'float32',
  saes: [{ hook: 'blocks.1.hook_resid_pre', hash: 's1' }],
} as const;
const open = {
  name: 'gpt2',
  hash: 'a',
  bos: 'prepended',
  precision: 'float32',
  saes: [{ hash: 's0' }, { hash: 's1' }],
} as const;

describe('requireModelOf', () => {
  it('lets the same model pass, whatever it is called now', () => {
    expect(modelMismatch(found, { ...open, name: 'copy of gpt2' })).toBeUndefined();
    expect(() => requireModelOf(found, open, 'The sweep')).not.toThrow();
  });

  it('tells model, beginning of prompts, precision and SAE apart, in words', () => {
    const refused = (change: object): string => {
      try {
        requireModelOf(found, { ...open, ...change }, 'The sweep', 'or run it again');
      } catch (error) {
        return String(error);
      }
      return '';
    };
    expect(refused({ hash: 'b', name: 'mini' })).toMatch(/The sweep.*gpt2.*mini is open.*or run it again/);
    expect(refused({ bos: 'none' })).toMatch(
      /beginning-of-sequence token before every prompt, and now there is none/,
    );
    expect(refused({ precision: 'Q4_1' })).toMatch(/float32.*Q4_1/);
    expect(refused({ saes: [{ hash: 's0' }] })).toMatch(/SAE at blocks\.1\.hook_resid_pre/);
  });

  it('does not compare what one of both sides leaves out', () => {
    expect(modelMismatch({ model: found.model }, { ...open, bos: 'none', precision: 'x' })).toBeUndefined();
    expect(modelMismatch(found, { ...open, saes: undefined })).toBeUndefined();
  });
});
