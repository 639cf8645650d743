/** The pieces that schemas of Fovea's files are put together from. */

import type { JsonSchema } from './jsonSchema.ts';

/** An object with these fields and no others. */
export function record(
  description: string,
  properties: Readonly<Record<string, JsonSchema>>,
  required: readonly string[],
): JsonSchema {
  return { description, type: 'object', properties, required, additionalProperties: false };
}

/** A list of `items`; 10,000 at most. */
export function list(description: string, items: JsonSchema, minItems = 0): JsonSchema {
  return { description, type: 'array', items, minItems, maxItems: 10_000 };
}

/** A text that is not empty. */
export function text(description: string): JsonSchema {
  return { description, type: 'string', minLength: 1 };
}

/** One of some words. */
export function choice(description: string, words: readonly string[]): JsonSchema {
  return { description, type: 'string', enum: words };
}

/** A whole number of at least `minimum`. */
export function count(description: string, minimum: number): JsonSchema {
  return { description, type: 'integer', minimum };
}

/** A number of at least 0. */
export function amount(description: string): JsonSchema {
  return { description, type: 'number', minimum: 0 };
}

/** A number from 0 to 1. */
export function share(description: string): JsonSchema {
  return { description, type: 'number', minimum: 0, maximum: 1 };
}

/** True or false. */
export function flag(description: string): JsonSchema {
  return { description, type: 'boolean' };
}
