/** Error messages are filled from their data, and tell apart what was expected from bugs. */
import { describe, expect, it } from 'vitest';
import {
  describeError,
  EngineError,
  errorTemplates,
  isEngineError,
  throwIfCancelled,
} from '../../../src/shared/errors.ts';

describe('describeError', () => {
  it('puts the data in place of its names, whatever the data says', () => {
    const data = { path: '{reason} $& $1', reason: '{path}' };
    expect(describeError('file.unreadable', data)).toBe(
      '{reason} $& $1 cannot be read: {path}. Check that the file is whole and that you may read it.',
    );
    expect(describeError('prompt.tooLong', { characters: 0, limit: 5 })).toContain('has 0 characters');
  });

  it('leaves no braces in any template', () => {
    for (const template of Object.values(errorTemplates)) {
      const names = [...template.matchAll(/\{(\w+)\}/g)].map(([, name]) => name);
      expect(template.replaceAll(/\{\w+\}/g, '')).not.toMatch(/[{}]/);
      expect(template).toMatch(/[.]$/);
      expect(new Set(names).size).toBeLessThanOrEqual(4);
    }
  });
});

describe('isEngineError', () => {
  it('knows coded errors, and a code when asked for one', () => {
    const error = new EngineError('tokenizer.missing', { path: '/m' });
    expect(isEngineError(error)).toBe(true);
    expect(isEngineError(error, 'tokenizer.missing')).toBe(true);
    expect(isEngineError(error, 'cancelled')).toBe(false);
    expect(isEngineError(new Error('tokenizer.missing'))).toBe(false);
    expect(isEngineError(undefined)).toBe(false);
  });
});

describe('throwIfCancelled', () => {
  it('throws once the signal was aborted', () => {
    const controller = new AbortController();
    throwIfCancelled(undefined);
    throwIfCancelled(controller.signal);
    controller.abort();
    expect(() => throwIfCancelled(controller.signal)).toThrow('Cancelled.');
  });
});
