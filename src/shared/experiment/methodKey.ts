/** What a method's numbers depend on, in one short text: parts of an earlier run are used when it is the same, and only then. */

import type { Provenance, SaeInfo } from '../domain.ts';
import { toJson } from './canonicalJson.ts';
import type { ExperimentMethod } from './experiment.ts';
import type { MethodContext } from './runMethods.ts';

/**
 * SHA-256 (hex) over the version, the model, the prompts, the SAEs and how they are read, the metric, the seed, and the
 * method; undefined for one that reads files whose content has no hash.
 */
export async function methodKey(
  context: MethodContext,
  provenance: Provenance,
  method: ExperimentMethod,
): Promise<string | undefined> {
  if (method.kind === 'logitLens' && method.tuned !== undefined) return undefined;
  const { metric, seed } = context;
  const { version, model, bos, precision } = provenance;
  const saes = (await saesOf(context, method)).map(({ id, hash, convention }) => ({ id, hash, convention }));
  const prompts = method.kind === 'shift' ? undefined : await promptsOf(context);
  return sha256(
    JSON.stringify({ version, model, bos, precision, prompts, saes: toJson(saes), metric, seed, method }),
  );
}

/** The request for the pairs, and what its file holds now. */
async function promptsOf({ pairs, readText }: MethodContext): Promise<unknown> {
  if (pairs?.kind !== 'task' || pairs.task.kind !== 'file') return pairs;
  return { pairs, text: await sha256(await readText(pairs.task.path)) };
}

/** The SAEs and transcoders that the method runs with. */
async function saesOf(context: MethodContext, method: ExperimentMethod): Promise<readonly SaeInfo[]> {
  switch (method.kind) {
    case 'patchFeatures':
    case 'ablateFeatures':
      return [await context.sae(method.sae)];
    case 'gradientCircuit':
      return context.namesSaes ? context.saes() : [];
    case 'sparseFeatureCircuit':
      return context.saes();
    case 'attributionGraph':
      return context.transcoders();
    case 'shift': {
      const { ablate = 'benchmark' } = method;
      const named = ablate === 'benchmark' ? [] : ablate;
      return [...(await context.saes()), ...(await Promise.all(named.map(({ sae }) => context.sae(sae))))];
    }
    default:
      return [];
  }
}

async function sha256(text: string): Promise<string> {
  const bytes = new Uint8Array(await crypto.subtle.digest('SHA-256', new TextEncoder().encode(text)));
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('');
}
