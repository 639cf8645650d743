/** Saving over a file that others may have changed: what is asked, what is written, and which changes are one's own. */
import { createHash } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { type ConflictAnswer, DiskCopy } from '../../../../src/host/circuits/diskCopy.ts';

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);
const hash = (text: string): string => createHash('sha256').update(text).digest('hex');

function file(content: string | undefined, answer?: ConflictAnswer) {
  const seen = { content, asked: 0 };
  const places = {
    read: async () => (seen.content === undefined ? undefined : bytes(seen.content)),
    write: async (written: Uint8Array) => {
      seen.content = new TextDecoder().decode(written);
    },
    ask: async () => {
      seen.asked++;
      return answer;
    },
  };
  return { seen, places };
}

describe('saving', () => {
  it('writes without a question while the file is as it was read, and again after that', async () => {
    const { seen, places } = file('read');
    const copy = new DiskCopy(hash('read'));
    expect(await copy.save(bytes('one'), places)).toBe('saved');
    expect(await copy.save(bytes('two'), places)).toBe('saved');
    expect(seen).toEqual({ content: 'two', asked: 0 });
    expect(copy.hash).toBe(hash('two'));
  });

  it('makes a file anew that is gone', async () => {
    const { seen, places } = file(undefined);
    expect(await new DiskCopy(hash('read')).save(bytes('one'), places)).toBe('saved');
    expect(seen).toEqual({ content: 'one', asked: 0 });
  });

  it.each([
    ['overwrite', 'saved', 'mine'],
    ['revert', 'revert', 'theirs'],
    ['compare', 'compare', 'theirs'],
    [undefined, 'cancelled', 'theirs'],
  ] as const)('asks when others have written: %s', async (answer, outcome, content) => {
    const { seen, places } = file('theirs', answer);
    const copy = new DiskCopy(hash('read'));
    expect(await copy.save(bytes('mine'), places)).toBe(outcome);
    expect(seen).toEqual({ content, asked: 1 });
    expect(copy.hash).toBe(hash(answer === 'overwrite' ? 'mine' : 'read'));
  });

  it('asks when nobody knows what the file held', async () => {
    const { seen, places } = file('theirs');
    await new DiskCopy(undefined).save(bytes('mine'), places);
    expect(seen).toEqual({ content: 'theirs', asked: 1 });
  });

  it('that fails leaves the file to be asked about', async () => {
    const { places } = file('read');
    const copy = new DiskCopy(hash('read'));
    const fails = async () => Promise.reject(new Error('no space'));
    await expect(copy.save(bytes('one'), { ...places, write: fails })).rejects.toThrow('no space');
    expect([copy.hash, copy.isOurs(bytes('half'))]).toEqual([hash('read'), false]);
  });
});

describe('a change on disk', () => {
  it('is one’s own while writing and when the content is what was written', async () => {
    const { seen, places } = file('read');
    const copy = new DiskCopy(hash('read'));
    const during: boolean[] = [];
    const write = async (written: Uint8Array) => {
      during.push(copy.isOurs(bytes('half')));
      await places.write(written);
    };
    await copy.save(bytes('mine'), { ...places, write });
    expect(during).toEqual([true]);
    expect(copy.isOurs(bytes('mine'))).toBe(true);
    expect(copy.isOurs(bytes('theirs'))).toBe(false);
    copy.note(bytes('theirs'));
    expect(copy.isOurs(bytes('theirs'))).toBe(true);
    expect(seen.content).toBe('mine');
  });
});
