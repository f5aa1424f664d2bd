/**
 * How much memory a recorded value keeps, roughly and cheaply: a ring is bounded in bytes, and measuring exactly would cost more than
 * recording. Texts and bytes count in full near the top; of long lists the first items stand for all.
 */

const SAMPLE = 8;
const KEYS_MAX = 64;
const DEPTH_MAX = 5;
/** Of any value; of an object or list besides. Measured on V8: a field is 8 bytes, a small object 24 to 56. */
const VALUE_BYTES = 8;
const OBJECT_BYTES = 40;

/** Looked at of one value, at most: what refers to half of a program would take seconds. */
const PARTS_MAX = 2_000;

/** @returns bytes, estimated; it never throws at a value */
export function estimateBytes(value: unknown): number {
  try {
    return new Estimate().of(value, 0);
  } catch {
    return VALUE_BYTES + OBJECT_BYTES; // a getter that throws, or a proxy
  }
}

class Estimate {
  #partsLeft = PARTS_MAX;

  of(value: unknown, depth: number): number {
    this.#partsLeft -= 1;
    switch (typeof value) {
      case 'string':
        return VALUE_BYTES + value.length;
      case 'object':
        return value === null ? VALUE_BYTES : VALUE_BYTES + this.#ofObject(value, depth);
      default:
        return VALUE_BYTES;
    }
  }

  #ofObject(value: object, depth: number): number {
    if (value instanceof Uint8Array) return OBJECT_BYTES + value.byteLength;
    if (depth >= DEPTH_MAX || this.#partsLeft <= 0) return OBJECT_BYTES;
    if (Array.isArray(value)) {
      const { length } = value;
      const sampled = Math.min(SAMPLE, length);
      let bytes = 0;
      for (let index = 0; index < sampled; index += 1) bytes += this.of(value[index], depth + 1);
      return OBJECT_BYTES + (sampled === 0 ? 0 : (bytes * length) / sampled);
    }
    if (value instanceof Map || value instanceof Set) return OBJECT_BYTES * (1 + value.size);
    let bytes = OBJECT_BYTES;
    let keys = 0;
    for (const key in value) {
      keys += 1;
      if (keys > KEYS_MAX || this.#partsLeft <= 0) break;
      bytes += this.of((value as Record<string, unknown>)[key], depth + 1);
    }
    return bytes;
  }
}
