/** Which SAE a link or a row of the Models view means. */

import type { SaeInfo } from '../../shared/domain.ts';
import type { CommandServices } from '../services.ts';

/** The listed SAE that `given` names by its id or as a row; nothing for anything else. */
export function asSae({ models }: Pick<CommandServices, 'models'>, given: unknown): SaeInfo | undefined {
  const id = typeof given === 'string' ? given : fieldOf(fieldOf(given, 'sae'), 'id');
  return models.saes.find((sae) => sae.id === id);
}

/** A field of something that may be of any shape. */
export function fieldOf(value: unknown, name: string): unknown {
  return typeof value === 'object' && value !== null ? (value as Record<string, unknown>)[name] : undefined;
}
