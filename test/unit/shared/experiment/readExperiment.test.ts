/** Experiments are read by their schema: good ones as they are, bad ones with the place that is wrong. */
import { readdirSync, readFileSync } from 'node:fs';
import { Ajv } from 'ajv';
import { describe, expect, it } from 'vitest';
import { isEngineError } from '../../../../src/shared/errors.ts';
import { type Experiment, methodsOf } from '../../../../src/shared/experiment/experiment.ts';
import { methodKinds } from '../../../../src/shared/experiment/experimentMethodSchemas.ts';
import {
  experimentSchema,
  experimentSchemaText,
} from '../../../../src/shared/experiment/experimentSchema.ts';
import type { JsonSchema } from '../../../../src/shared/experiment/jsonSchema.ts';
import { partsOf, readExperiment } from '../../../../src/shared/experiment/readExperiment.ts';
import { expectGolden } from '../../golden.ts';

const pair = { kind: 'pair', clean: 'a b', corrupted: 'a c', answers: [' d'], wrongAnswers: [' e'] };
const good = { pairs: pair, method: { kind: 'patch', sweep: 'resid_pre' } };

const read = (value: unknown): Experiment => readExperiment('x.fovea.json', JSON.stringify(value));

/** What is said of a file that cannot be read. */
function complaint(value: unknown): string {
  try {
    readExperiment('x.fovea.json', typeof value === 'string' ? value : JSON.stringify(value));
  } catch (error) {
    if (isEngineError(error, 'request.invalid')) return error.message;
    throw error;
  }
  return 'nothing';
}

describe('an experiment', () => {
  it('is read as it stands, with one method or several', () => {
    expect(read(good)).toEqual(good);
    const several = { ...good, method: [{ kind: 'logitLens' }, good.method] };
    expect(methodsOf(read(several))).toEqual(several.method);
    expect(methodsOf(read(good))).toEqual([good.method]);
  });

  it('names the field that is wrong, what it should be, and what it is', () => {
    const { method, pairs } = good;
    expect(complaint('{')).toMatch(/^x\.fovea\.json cannot be used: the file should be JSON/);
    expect(complaint([])).toContain('the file should be an object, but is a list');
    expect(complaint({ pairs })).toContain('method should be');
    expect(complaint({ ...good, modell: 'x' })).toContain('modell should be no such field');
    expect(complaint({ ...good, seed: 1.5 })).toContain(
      'seed should be a whole number of at least 0, but is 1.5',
    );
    expect(complaint({ ...good, method: { ...method, sweep: 'resid' } })).toMatch(
      /method\.sweep should be one of resid_pre, .*but is "resid"/,
    );
    expect(complaint({ ...good, method: [method, { kind: 'patchh' }] })).toMatch(
      /method\[1\]\.kind should be one of patch, .*but is "patchh"/,
    );
    expect(complaint({ ...good, pairs: { ...pairs, answers: [] } })).toContain(
      'pairs.answers should be 1 to 10000 entries, but is 0',
    );
    expect(complaint({ ...good, pairs: { ...pairs, answers: [1] } })).toContain('pairs.answers[0] should be');
    const paths = { kind: 'patchPaths', receivers: ['x:1.2'] };
    expect(complaint({ ...good, method: paths })).toContain(
      'method.receivers[0] should be a text like "q:2.5", but is "x:1.2"',
    );
    const keep = { kind: 'attributeEdges', gradients: 'eap', keep: { top: 0 } };
    expect(complaint({ ...good, method: keep })).toContain(
      'method.keep.top should be a whole number of at least 1',
    );
  });

  it('tells everything that is wrong, and what can be read all the same', () => {
    const parts = partsOf({
      ...good,
      seed: -1,
      modell: 'x',
      method: [{ kind: 'patch' }, good.method, { kind: 'acdc', threshold: 'a', budget: -1 }],
    });
    expect(parts.problems.map(({ path }) => path.join('.'))).toEqual([
      'method.0.sweep',
      'method.2.threshold',
      'method.2.budget',
      'seed',
      'modell',
    ]);
    expect(parts.fields).toEqual({ pairs: good.pairs });
    expect(parts.methods).toEqual([{ path: ['method', 1], method: good.method }]);
    expect(partsOf(good).methods).toEqual([{ path: ['method'], method: good.method }]);
    expect(partsOf(7)).toMatchObject({ fields: {}, methods: [], problems: [{ path: [] }] });
    expect(partsOf({ ...good, method: 7 }).methods).toEqual([]);
  });

  it('is not led astray by names that every object has', () => {
    expect(complaint('{"__proto__": {}, "method": {"kind": "logitLens"}}')).toContain('no such field');
    expect(complaint({ ...good, method: { kind: 'constructor' } })).toContain('method.kind should be one of');
    expect(complaint({ ...good, pairs: { kind: 'toString' } })).toContain('pairs.kind should be one of');
  });

  it('may be large, but not without end', () => {
    const long = { ...good, description: 'x'.repeat(2_100_000) };
    expect(complaint(long)).toContain('at most 2000000 characters');
  });
});

describe('the schema', () => {
  it('is the one that editors get', () => {
    expect(readFileSync('media/experiment.schema.json', 'utf8')).toBe(experimentSchemaText());
  });

  it('tells a wrong kind as that, and no more, to whoever reads the file', () => {
    const validate = new Ajv({ allErrors: true, strict: false }).compile(
      JSON.parse(readFileSync('media/experiment.schema.json', 'utf8')),
    );
    const faults = (value: object) => {
      validate(value);
      return (validate.errors ?? []).map(({ instancePath, keyword }) => `${instancePath} ${keyword}`);
    };
    expect(faults(good)).toEqual([]);
    expect(faults({ ...good, pairs: { ...pair, kind: 'pare' } })).toEqual(['/pairs/kind enum']);
    const method = [good.method, { kind: 'pach', sweep: 'resid_pre' }];
    // The list is one of two shapes, the other one a single method.
    expect(faults({ ...good, method }).filter((fault) => fault.startsWith('/method/'))).toEqual([
      '/method/1/kind enum',
    ]);
    expect(faults({ ...good, method: { kind: 'patch' } })).toContain('/method required');
    expect(faults({ ...good, method: { ...good.method, heads: [1] } })).toContain(
      '/method additionalProperties',
    );
  });

  it('is the one that the manifest gives to experiments', () => {
    const { contributes } = JSON.parse(readFileSync('package.json', 'utf8'));
    expect(contributes.jsonValidation).toEqual([
      { fileMatch: '*.fovea.json', url: './media/experiment.schema.json' },
    ]);
  });

  it('explains every field and every method', () => {
    const bare: string[] = [];
    const isExplained = ({ description, $ref, const: fixed }: JsonSchema): boolean =>
      [description, $ref, fixed].some((words) => words !== undefined);
    const visit = (schema: JsonSchema, path: string): void => {
      for (const [name, inner] of Object.entries(schema.properties ?? {})) {
        // Thresholds of the study are explained as a whole.
        if (!isExplained(inner) && !path.endsWith('thresholds')) bare.push(`${path}.${name}`);
        visit(inner, `${path}.${name}`);
      }
      for (const inner of schema.anyOf ?? []) visit(inner, path);
      if (schema.items) visit(schema.items, path);
      for (const [name, inner] of Object.entries(schema.definitions ?? {})) visit(inner, name);
    };
    visit(experimentSchema, '');
    expect(bare).toEqual([]);
    expect(methodKinds).toHaveLength(14);
  });

  it('takes every example that ships', () => {
    const files = readdirSync('examples').filter((name) => name.endsWith('.fovea.json'));
    expect(files.length).toBeGreaterThan(0);
    for (const name of files) readExperiment(name, readFileSync(`examples/${name}`, 'utf8'));
  });

  it('lists the methods that people know', () => {
    expectGolden('experiment/methods.txt', `${methodKinds.join('\n')}\n`);
  });
});
