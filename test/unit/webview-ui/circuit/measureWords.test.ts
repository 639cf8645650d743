/** What the measures are called: each method measures something else, and what is on its way is said to be. */
import { describe, expect, it } from 'vitest';
import { measureText, measureWords, spokenMeasures } from '../../../../webview-ui/circuit/measureWords.ts';

const by = (name: string) => ({ method: { name, parameters: {} } });
const evaluation = {
  faithfulness: 0.5,
  completeness: 0.25,
  full: 1,
  empty: 0,
  circuit: 0.5,
  complement: 0.25,
};

describe('measures', () => {
  it('say what they are of when that is less than what is drawn', () => {
    expect(measureWords(by('gradient attribution')).faithfulness.of).toBe('heads and MLPs');
    expect(measureWords(by('gradient attribution')).faithfulness.title).toMatch(/Near 1.+features are drawn/);
    expect(measureWords(by('sparse feature circuit')).faithfulness.of).toBeUndefined();
  });

  it('of attribution graphs are scores of which both are good near 1', () => {
    const { faithfulness, completeness } = measureWords(by('attribution graph'));
    expect([faithfulness.name, completeness.name]).toEqual(['Replacement score', 'Completeness score']);
    for (const { title } of [faithfulness, completeness]) expect(title).toContain('Near 1');
    expect(measureWords(by('eap')).completeness.title).toContain('Near 0');
  });

  it('are on their way, or there are none', () => {
    expect(measureText(undefined, true)).toBe('measuring…');
    expect(measureText(undefined, false)).toBe('–');
    expect(measureText(0.5, true)).toBe('0.5');
  });

  it('are spoken once they are there', () => {
    const graph = by('attribution graph');
    expect(spokenMeasures(graph, evaluation, false)).toBe('Replacement score 0.5, Completeness score 0.25');
    expect(spokenMeasures(graph, evaluation, true)).toBe('');
    expect(spokenMeasures(graph, undefined, false)).toBe('');
  });
});
