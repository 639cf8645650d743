/** The part of JSON Schema (draft 7) that Fovea's own schemas use, and a check of values against it. */

/** A schema. `$ref` names a definition of the root: `#/definitions/NAME`. */
export interface JsonSchema {
  readonly $schema?: string;
  readonly $ref?: string;
  readonly title?: string;
  readonly description?: string;
  readonly type?: 'object' | 'array' | 'string' | 'number' | 'integer' | 'boolean';
  readonly const?: string | number | boolean;
  readonly enum?: readonly string[];
  readonly enumDescriptions?: readonly string[];
  readonly default?: unknown;
  readonly examples?: readonly unknown[];
  readonly properties?: Readonly<Record<string, JsonSchema>>;
  readonly required?: readonly string[];
  readonly additionalProperties?: boolean | JsonSchema;
  readonly items?: JsonSchema;
  readonly minItems?: number;
  readonly maxItems?: number;
  readonly minimum?: number;
  readonly maximum?: number;
  readonly exclusiveMinimum?: number;
  readonly minLength?: number;
  readonly maxLength?: number;
  readonly pattern?: string;
  readonly anyOf?: readonly JsonSchema[];
  readonly definitions?: Readonly<Record<string, JsonSchema>>;
}

/** One thing that is wrong with a value. */
export interface SchemaProblem {
  /** Keys and places from the root. */
  readonly path: readonly (string | number)[];
  readonly expected: string;
  readonly found: string;
}

/** All that keeps `value` from being what `root` describes; nothing when it is. */
export function findSchemaProblems(value: unknown, root: JsonSchema): readonly SchemaProblem[] {
  return check(value, root, { root, path: [] });
}

interface Place {
  readonly root: JsonSchema;
  readonly path: readonly (string | number)[];
}

function check(value: unknown, given: JsonSchema, place: Place): readonly SchemaProblem[] {
  const schema = resolve(given, place.root);
  if (schema.anyOf) return checkChoices(value, schema.anyOf, place);
  const problem = (expected: string): readonly SchemaProblem[] => [
    { path: place.path, expected, found: describeValue(value) },
  ];
  if (schema.const !== undefined && value !== schema.const) return problem(JSON.stringify(schema.const));
  if (schema.enum && !schema.enum.includes(value as string)) {
    return problem(`one of ${schema.enum.join(', ')}`);
  }
  switch (schema.type) {
    case 'object':
      return isObject(value) ? checkFields(value, schema, place) : problem('an object');
    case 'array':
      return Array.isArray(value) ? checkItems(value, schema, place) : problem('a list');
    case 'string':
      return fitsText(value, schema) ? [] : problem(describeText(schema));
    case 'number':
    case 'integer':
      return fitsNumber(value, schema) ? [] : problem(describeNumber(schema));
    case 'boolean':
      return typeof value === 'boolean' ? [] : problem('true or false');
    default:
      return [];
  }
}

/** Of several shapes, the one that the value names by `kind`, or the one of its type, is held against it. */
function checkChoices(
  value: unknown,
  choices: readonly JsonSchema[],
  place: Place,
): readonly SchemaProblem[] {
  const schemas = choices.flatMap((choice) => shapesOf(choice, place.root));
  const problems = schemas.map((schema) => check(value, schema, place));
  if (problems.some(({ length }) => length === 0)) return [];
  const kinds = schemas.flatMap(({ properties }) => kindOf(properties) ?? []);
  if (isObject(value) && kinds.length > 1) {
    const at = schemas.findIndex(({ properties }) => kindOf(properties) === value.kind);
    if (at >= 0) return problems[at]!;
    const found = describeValue(value.kind);
    return [{ path: [...place.path, 'kind'], expected: `one of ${kinds.join(', ')}`, found }];
  }
  const ofType = problems.filter((_, i) => isOfType(value, schemas[i]!));
  if (ofType.length > 0) return deepest(ofType);
  const expected = schemas.map(describeSchema).join(', or ');
  return [{ path: place.path, expected, found: describeValue(value) }];
}

/** A choice among choices is one choice. */
function shapesOf(schema: JsonSchema, root: JsonSchema): readonly JsonSchema[] {
  const resolved = resolve(schema, root);
  return resolved.anyOf ? resolved.anyOf.flatMap((inner) => shapesOf(inner, root)) : [resolved];
}

function kindOf(properties: JsonSchema['properties']): string | undefined {
  const kind = properties?.kind?.const;
  return typeof kind === 'string' ? kind : undefined;
}

/** The shape that got furthest is the one that was meant. */
function deepest(problems: readonly (readonly SchemaProblem[])[]): readonly SchemaProblem[] {
  const depth = ([first]: readonly SchemaProblem[]): number => first?.path.length ?? 0;
  return [...problems].sort((a, b) => depth(b) - depth(a))[0] ?? [];
}

function checkFields(
  value: Readonly<Record<string, unknown>>,
  { properties = {}, required = [], additionalProperties = true }: JsonSchema,
  place: Place,
): readonly SchemaProblem[] {
  const missing = required.filter((name) => !Object.hasOwn(value, name));
  const problems: SchemaProblem[] = missing.map((name) => {
    const schema = resolve(properties[name] ?? {}, place.root);
    return { path: [...place.path, name], expected: describeSchema(schema), found: 'nothing' };
  });
  for (const [name, inner] of Object.entries(value)) {
    const path = [...place.path, name];
    const known = Object.hasOwn(properties, name) ? properties[name] : undefined;
    if (!known && additionalProperties === false) {
      const expected = `no such field (there are ${Object.keys(properties).join(', ')})`;
      problems.push({ path, expected, found: describeValue(inner) });
      continue;
    }
    const schema = known ?? (typeof additionalProperties === 'object' ? additionalProperties : {});
    problems.push(...check(inner, schema, { ...place, path }));
  }
  return problems;
}

function checkItems(
  value: readonly unknown[],
  { items = {}, minItems = 0, maxItems = Number.POSITIVE_INFINITY }: JsonSchema,
  place: Place,
): readonly SchemaProblem[] {
  if (value.length < minItems || value.length > maxItems) {
    const expected =
      maxItems === Number.POSITIVE_INFINITY
        ? `at least ${minItems} entries`
        : `${minItems} to ${maxItems} entries`;
    return [{ path: place.path, expected, found: `${value.length}` }];
  }
  return value.flatMap((inner, i) => check(inner, items, { ...place, path: [...place.path, i] }));
}

function fitsText(value: unknown, { minLength = 0, maxLength = 65_536, pattern }: JsonSchema): boolean {
  if (typeof value !== 'string' || value.length < minLength || value.length > maxLength) return false;
  return pattern === undefined || new RegExp(pattern, 'u').test(value);
}

function fitsNumber(value: unknown, schema: JsonSchema): boolean {
  if (typeof value !== 'number' || !Number.isFinite(value)) return false;
  if (schema.type === 'integer' && !Number.isSafeInteger(value)) return false;
  const { minimum = -Infinity, maximum = Infinity, exclusiveMinimum = -Infinity } = schema;
  return value >= minimum && value <= maximum && value > exclusiveMinimum;
}

/** The definition that a reference names. */
export function resolve(schema: JsonSchema, root: JsonSchema): JsonSchema {
  const name = schema.$ref?.replace('#/definitions/', '');
  if (name === undefined) return schema;
  const named = root.definitions?.[name] ?? {};
  return { ...named, description: schema.description ?? named.description };
}

function isOfType(value: unknown, { type, const: fixed, enum: words }: JsonSchema): boolean {
  if (type === 'object') return isObject(value);
  if (type === 'array') return Array.isArray(value);
  if (type === 'integer' || type === 'number') return typeof value === 'number';
  return typeof value === (type ?? (fixed !== undefined || words ? 'string' : ''));
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function describeSchema(schema: JsonSchema): string {
  if (schema.const !== undefined) return JSON.stringify(schema.const);
  if (schema.enum) return `one of ${schema.enum.join(', ')}`;
  switch (schema.type) {
    case 'object':
      return 'an object';
    case 'array':
      return 'a list';
    case 'string':
      return describeText(schema);
    case 'number':
    case 'integer':
      return describeNumber(schema);
    case 'boolean':
      return 'true or false';
    default:
      return schema.description ?? 'a value';
  }
}

function describeText({ minLength = 0, maxLength, pattern, examples }: JsonSchema): string {
  const [example] = examples ?? [];
  if (pattern !== undefined) return `a text like ${JSON.stringify(example ?? pattern)}`;
  if (maxLength !== undefined) return `a text of ${minLength} to ${maxLength} characters`;
  return minLength > 0 ? 'a text that is not empty' : 'a text';
}

function describeNumber({ type, minimum, maximum, exclusiveMinimum }: JsonSchema): string {
  const parts = [
    ...(minimum === undefined ? [] : [`of at least ${minimum}`]),
    ...(exclusiveMinimum === undefined ? [] : [`above ${exclusiveMinimum}`]),
    ...(maximum === undefined ? [] : [`of at most ${maximum}`]),
  ];
  return [`a ${type === 'integer' ? 'whole ' : ''}number`, parts.join(' and ')].filter(Boolean).join(' ');
}

/** A value as a message may show it. */
function describeValue(value: unknown): string {
  if (value === undefined) return 'nothing';
  if (Array.isArray(value)) return 'a list';
  if (isObject(value)) return 'an object';
  const text = JSON.stringify(value);
  return text.length > 60 ? `${text.slice(0, 60)}…` : text;
}
