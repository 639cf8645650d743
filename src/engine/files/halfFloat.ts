/** Widens 16-bit floating-point numbers as they lie in weight files to float32, exactly. */

/** bfloat16 is the upper half of a float32. `source[i]` holds the 16 bits of number i. */
export function bfloat16ToFloat32(source: Uint16Array): Float32Array {
  const bits = new Uint32Array(source.length);
  for (let i = 0; i < source.length; i++) bits[i] = source[i]! << 16;
  return new Float32Array(bits.buffer);
}

/** All 65,536 numbers of 16 bits, made when first needed: looking one up takes a small part of the time of computing it. */
let widened: Float32Array | undefined;

/** IEEE 754 binary16: 1 sign bit, 5 exponent bits (bias 15), 10 fraction bits. */
export function float16ToFloat32(source: Uint16Array): Float32Array {
  widened ??= Float32Array.from({ length: 65536 }, (_, bits) => widenHalf(bits));
  const result = new Float32Array(source.length);
  for (let i = 0; i < source.length; i++) result[i] = widened[source[i]!]!;
  return result;
}

function widenHalf(bits: number): number {
  const sign = bits & 0x8000 ? -1 : 1;
  const exponent = (bits >> 10) & 0x1f;
  const fraction = bits & 0x3ff;
  if (exponent === 0) return sign * fraction * 2 ** -24;
  if (exponent === 31) return fraction ? Number.NaN : sign * Number.POSITIVE_INFINITY;
  return sign * (1 + fraction / 1024) * 2 ** (exponent - 15);
}
