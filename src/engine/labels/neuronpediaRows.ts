/** Reads labels out of what Neuronpedia hands out: lines of its bulk exports, and answers of its API. */

import * as v from 'valibot';

/** One label of one feature, as it stands in an export. */
export interface LabelRow {
  /** `gpt2-small/8-res-jb`: model and source, as Neuronpedia names them. */
  readonly source: string;
  readonly index: number;
  readonly text: string;
  /** Who wrote it, for people. */
  readonly origin: string;
}

/** Longer labels are no labels; exports hold sentences. */
export const maxLabelCharacters = 2000;

/** The largest dictionaries have about 16 million features. */
const maxFeatureIndex = 100_000_000;

const name = v.pipe(v.string(), v.minLength(1), v.maxLength(200));

/** Exports write the index as a text, the API as a number. */
const featureIndex = v.pipe(
  v.union([v.pipe(v.string(), v.regex(/^\d{1,9}$/), v.transform(Number)), v.number()]),
  v.integer(),
  v.minValue(0),
  v.maxValue(maxFeatureIndex),
);

const explanation = {
  description: v.optional(v.nullable(v.string())),
  explanationModelName: v.optional(v.nullable(v.string())),
  typeName: v.optional(v.nullable(v.string())),
};

const address = { modelId: name, layer: name, index: featureIndex };

const explanationRow = v.looseObject({ ...address, ...explanation, description: v.string() });

/** A feature as `GET /api/feature/{modelId}/{source}/{index}` answers it. */
const featureAnswer = v.looseObject({
  ...address,
  explanations: v.optional(v.nullable(v.array(v.looseObject(explanation)))),
});

/**
 * The labels of one parsed line or answer: none for a feature that has no label yet, undefined when it is neither an
 * explanation nor a feature.
 */
export function labelRows(value: unknown): readonly LabelRow[] | undefined {
  const row = v.safeParse(explanationRow, value);
  if (row.success) return rowsOf(row.output, [row.output]);
  const feature = v.safeParse(featureAnswer, value);
  if (feature.success) return rowsOf(feature.output, feature.output.explanations ?? []);
  return undefined;
}

type Address = { readonly modelId: string; readonly layer: string; readonly index: number };
type Explanation = {
  readonly description?: string | null;
  readonly explanationModelName?: string | null;
  readonly typeName?: string | null;
};

function rowsOf({ modelId, layer, index }: Address, explanations: readonly Explanation[]): LabelRow[] {
  const source = `${modelId}/${layer}`;
  return explanations.flatMap(({ description, explanationModelName, typeName }) => {
    const text = description?.trim().slice(0, maxLabelCharacters);
    if (!text) return [];
    const by = explanationModelName || typeName;
    return [{ source, index, text, origin: by ? `Neuronpedia · ${by.slice(0, 100)}` : 'Neuronpedia' }];
  });
}
