/** Circuits of other tools: reading and writing their files. */
import type { CallOptions } from './callOptions.ts';
import type { CircuitDocument } from './circuit.ts';
import type { ModelId } from './domain.ts';

/**
 * `fovea`: `*.circuit.json`. `attributionGraph`: the public JSON of attribution graphs. `eapIg`: EAP-IG's JSON.
 * `autoCircuit`: auto-circuit's prune scores (`.pt`, a dictionary of tensors by module).
 */
export type CircuitFileFormat = 'fovea' | 'attributionGraph' | 'eapIg' | 'autoCircuit';

export interface CircuitFileApi {
  /** Reads a circuit; the format is told by the content. `model`, when open, gives shapes that a format leaves out. */
  readCircuitFile(
    request: { readonly path: string; readonly model?: ModelId },
    options?: CallOptions,
  ): Promise<{
    readonly document: CircuitDocument;
    readonly format: CircuitFileFormat;
    readonly notes: readonly string[];
  }>;
  /**
   * Writes a circuit. EAP-IG and auto-circuit need the shape of the model: that of `model`, or what the circuit's own
   * parameters say of it. @throws request.invalid when the format cannot say what the circuit is made of.
   */
  writeCircuitFile(
    request: {
      readonly path: string;
      readonly format: CircuitFileFormat;
      readonly document: CircuitDocument;
      readonly model?: ModelId;
    },
    options?: CallOptions,
  ): Promise<{ readonly notes: readonly string[] }>;
}

export const circuitFileMethods: { readonly [M in keyof CircuitFileApi]: true } = {
  readCircuitFile: true,
  writeCircuitFile: true,
};
