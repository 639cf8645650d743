/** What the heads of the paper's classes do on average, beside what Wang et al. (2022, §3) tell of GPT-2 small. */
import { classAverageFigures } from './ioiPaper.ts';
import type { IoiHeadClass, StudiedHead } from './study.ts';

/** One average. */
export interface ClassAverage {
  readonly name: keyof typeof classAverageFigures;
  /** Absent when no head has the class. */
  readonly value?: number;
  /** The paper's number as it writes it. */
  readonly paper: string;
}

const measures: Readonly<
  Record<
    keyof typeof classAverageFigures,
    { readonly of: (head: StudiedHead) => number; readonly class?: IoiHeadClass }
  >
> = {
  moversAttention: { class: 'nameMover', of: ({ attention }) => attention.IO },
  moversCopy: { class: 'nameMover', of: ({ copyScore }) => copyScore },
  negativeCopy: { class: 'negativeNameMover', of: ({ negativeCopyScore }) => negativeCopyScore },
  inhibitionAttention: { class: 'sInhibition', of: ({ attention }) => attention.S2 },
  anyCopy: { of: ({ copyScore }) => copyScore },
  anyNegativeCopy: { of: ({ negativeCopyScore }) => negativeCopyScore },
};

/** Means over the heads of each class, and over all heads; scores and attention run from 0 to 1. */
export function classAverages(heads: readonly StudiedHead[]): readonly ClassAverage[] {
  return (Object.keys(measures) as (keyof typeof measures)[]).map((name) => {
    const { class: wanted, of } = measures[name];
    const values = heads.filter((head) => wanted === undefined || head.class === wanted).map(of);
    const sum = values.reduce((total, value) => total + value, 0);
    return {
      name,
      paper: classAverageFigures[name],
      ...(values.length > 0 && { value: sum / values.length }),
    };
  });
}
