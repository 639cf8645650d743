/**
 * What is remembered of SAEs between sessions: how the user wants each to be read, and what its check found.
 * SAEs are known by their hash and release, so a copy elsewhere is the same SAE when it is read the same.
 */

import type { ModelInfo, SaeInfo } from '../shared/domain.ts';
import { type SaeCheck, type SaeConvention, subjectKey } from '../shared/saeCheck.ts';
import type { Memory } from './modelStore.ts';

const conventionsKey = 'saeConventions';
const checksKey = 'saeChecks';

/** So many of each are remembered; the oldest go first. */
const mostKept = 500;

type KnownSae = Pick<SaeInfo, 'hash' | 'release' | 'convention'>;
type KnownModel = Pick<ModelInfo, 'hash' | 'bos'>;

/** Remembers in one of VS Code's mementos. */
export class SaeReadings {
  constructor(private readonly memory: Memory) {}

  /** How the user wants the SAE to be read: an empty convention means as declared, nothing that nobody said. */
  convention(sae: KnownSae): SaeConvention | undefined {
    return this.read<SaeConvention>(conventionsKey)[declaredKey(sae)];
  }

  keepConvention(sae: KnownSae, convention: SaeConvention): void {
    this.write(conventionsKey, declaredKey(sae), convention);
  }

  /** What the check found when this model and this SAE were last measured, under the SAE's present convention. */
  check(model: KnownModel, sae: KnownSae): SaeCheck | undefined {
    return this.read<SaeCheck>(checksKey)[readingKey(model, sae)];
  }

  keepCheck(model: KnownModel, sae: KnownSae, check: SaeCheck): void {
    this.write(checksKey, readingKey(model, sae), check);
  }

  private read<T>(key: string): Readonly<Record<string, T>> {
    return this.memory.get<Record<string, T>>(key) ?? {};
  }

  private write(key: string, name: string, value: unknown): void {
    const { [name]: _before, ...others } = this.read<unknown>(key);
    const entries = [...Object.entries(others), [name, value] as const].slice(-mostKept);
    void this.memory.update(key, Object.fromEntries(entries));
  }
}

/** Text that is the same exactly when a measured check still holds. */
export function readingKey(
  { hash: model, bos }: KnownModel,
  { hash: sae, release, convention }: KnownSae,
): string {
  return subjectKey({ model, bos, sae, ...(release !== undefined && { release }) }, convention);
}

/** A release can say more than the files: a copy that is not known to belong to one is read otherwise. */
function declaredKey({ hash, release }: KnownSae): string {
  return release === undefined ? hash : `${hash} ${release}`;
}
