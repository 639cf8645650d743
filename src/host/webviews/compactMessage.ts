/** Copies number arrays out of the larger buffers that they may be views of, before they are posted. */

/**
 * Answers `value` with every typed array on a buffer of its own. What came from another process is often a
 * window on the whole message, and posting a window posts all of it.
 */
export function compactMessage(value: unknown): unknown {
  if (typeof value !== 'object' || value === null) return value;
  if (ArrayBuffer.isView(value)) return compactView(value);
  if (Array.isArray(value)) return compactArray(value);
  let copy: Record<string, unknown> | undefined;
  for (const [key, child] of Object.entries(value)) {
    const compact = compactMessage(child);
    if (compact === child) continue;
    copy ??= { ...value };
    copy[key] = compact;
  }
  return copy ?? value;
}

function compactArray(values: readonly unknown[]): readonly unknown[] {
  // Long lists hold plain things of one kind; the first tells whether there is anything to look for.
  if (typeof values[0] !== 'object') return values;
  let copy: unknown[] | undefined;
  values.forEach((child, position) => {
    const compact = compactMessage(child);
    if (compact === child) return;
    copy ??= [...values];
    copy[position] = compact;
  });
  return copy ?? values;
}

function compactView(view: ArrayBufferView): ArrayBufferView {
  if (view.byteLength === view.buffer.byteLength) return view;
  if (view instanceof Float32Array || view instanceof Int32Array || view instanceof Uint8Array) {
    return view.slice();
  }
  return new DataView(view.buffer.slice(view.byteOffset, view.byteOffset + view.byteLength));
}
