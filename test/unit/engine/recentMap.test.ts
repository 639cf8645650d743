/** What a map that forgets keeps, by number and by weight. */
import { describe, expect, it } from 'vitest';
import { RecentMap } from '../../../src/engine/recentMap.ts';

const keysIn = (map: RecentMap<number>, ...keys: string[]) =>
  keys.filter((key) => map.get(key) !== undefined);

describe('RecentMap', () => {
  it('forgets what was not set or read for longest', () => {
    const map = new RecentMap<number>({ entries: 2, weight: 100, weigh: () => 1 });
    map.set('a', 1);
    map.set('b', 2);
    map.get('a');
    map.set('c', 3);
    expect(keysIn(map, 'a', 'b', 'c')).toEqual(['a', 'c']);
  });

  it('forgets until the rest is light enough, but never the newest', () => {
    const map = new RecentMap<number>({ entries: 10, weight: 100, weigh: (value) => value });
    for (const key of ['a', 'b', 'c']) map.set(key, 30);
    expect(keysIn(map, 'a', 'b', 'c')).toHaveLength(3);
    map.set('d', 50);
    expect(keysIn(map, 'a', 'b', 'c', 'd')).toEqual(['c', 'd']);
    map.set('e', 1000);
    expect(keysIn(map, 'c', 'd', 'e')).toEqual(['e']);
  });

  it('counts an entry that is set again once', () => {
    const map = new RecentMap<number>({ entries: 10, weight: 100, weigh: (value) => value });
    map.set('a', 40);
    map.set('b', 60);
    map.set('b', 60);
    expect(keysIn(map, 'a', 'b')).toEqual(['a', 'b']);
  });
});
