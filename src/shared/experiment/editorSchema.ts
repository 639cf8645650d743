/**
 * Schemas as editors get them: what has a kind is chosen by it, so that a wrong kind is told as that. Of plain
 * alternatives, editors tell what the likeliest one lacks.
 */

import type { JsonSchema } from './jsonSchema.ts';

/** JSON Schema, draft 7, as it is written into a file. */
export interface EditorSchema {
  readonly [word: string]: unknown;
}

/** Words of JSON Schema. The second one as a plain key would make an object look like a promise. */
const [when, so] = ['if', 'then'] as const;

/** The schema with all alternatives that have a kind, in it and in its parts, chosen by kind. */
export function editorSchema(schema: JsonSchema): EditorSchema {
  const { anyOf, properties, items, additionalProperties, definitions } = schema;
  const parts = {
    ...schema,
    ...(properties && { properties: eachOf(properties) }),
    ...(items && { items: editorSchema(items) }),
    ...(typeof additionalProperties === 'object' && {
      additionalProperties: editorSchema(additionalProperties),
    }),
    ...(anyOf && { anyOf: anyOf.map(editorSchema) }),
    ...(definitions && { definitions: eachOf(definitions) }),
  };
  const kinds = (anyOf ?? []).map(({ properties: fields }) => fields?.kind?.const);
  return anyOf && kinds.length > 1 && kinds.every((kind) => kind !== undefined)
    ? byKind(schema.description, anyOf)
    : parts;
}

function byKind(description: string | undefined, choices: readonly JsonSchema[]): EditorSchema {
  const kinds = choices.map((choice) => choice.properties!.kind!.const!);
  const kind = {
    description: 'The kind; the other fields depend on it.',
    type: 'string',
    enum: kinds,
    enumDescriptions: choices.map((choice) => choice.description ?? ''),
  };
  return {
    description,
    type: 'object',
    properties: { kind },
    required: ['kind'],
    allOf: choices.map((choice, i) => ({
      [when]: { properties: { kind: { const: kinds[i] } }, required: ['kind'] },
      [so]: editorSchema(choice),
    })),
  };
}

function eachOf(schemas: Readonly<Record<string, JsonSchema>>): EditorSchema {
  return Object.fromEntries(Object.entries(schemas).map(([name, schema]) => [name, editorSchema(schema)]));
}
