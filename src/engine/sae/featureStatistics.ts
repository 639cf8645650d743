/**
 * What is known of an SAE's features apart from any prompt: how often and how strongly they fire, and
 * their labels. Kept beside the weights in `features.json`, which is optional.
 */

import { existsSync } from 'node:fs';
import { join } from 'node:path';
import * as v from 'valibot';
import { EngineError } from '../../shared/errors.ts';
import { formatText } from '../../shared/format.ts';
import { malformed } from '../files/fileErrors.ts';
import { readJson, writeJson } from '../files/json.ts';

const fileName = 'features.json';

const schema = v.object({
  version: v.literal(1),
  /** Where the labels come from, in words. */
  labelSource: v.string(),
  /** Tokens the numbers were counted on. */
  tokens: v.number(),
  /** Fraction of tokens on which each feature is active: `[d_sae]`. */
  density: v.array(v.number()),
  /** Largest activation seen: `[d_sae]`. */
  maxActivation: v.array(v.number()),
  /** Labels; empty where there is none: `[d_sae]`. */
  labels: v.array(v.string()),
});

/** The content of `features.json`. */
export type FeatureStatistics = v.InferOutput<typeof schema>;

/**
 * Reads the statistics of the SAE in `folder`, when it has some.
 * @throws file.malformed, file.unreadable
 */
export async function readFeatureStatistics(
  folder: string,
  dSae: number,
): Promise<FeatureStatistics | undefined> {
  const path = join(folder, fileName);
  if (!existsSync(path)) return undefined;
  const statistics = await readJson(path, schema);
  for (const field of ['density', 'maxActivation', 'labels'] as const) {
    const found = statistics[field].length;
    if (found !== dSae) throw malformed(path, field, `${dSae} entries, one per feature`, String(found));
  }
  return statistics;
}

/** Statistics, or why those that are there cannot be used: an SAE works without them. */
export interface ToldStatistics {
  readonly statistics?: FeatureStatistics;
  readonly fault?: string;
}

/** As `readFeatureStatistics`, but a damaged file is told and otherwise treated as absent. */
export async function tellFeatureStatistics(folder: string, dSae: number): Promise<ToldStatistics> {
  try {
    return { statistics: await readFeatureStatistics(folder, dSae) };
  } catch (error) {
    if (error instanceof EngineError) return { fault: formatText(error.message) };
    throw error;
  }
}

/** Writes the statistics beside the SAE in `folder`. */
export function writeFeatureStatistics(folder: string, statistics: FeatureStatistics): Promise<void> {
  return writeJson(join(folder, fileName), statistics);
}
