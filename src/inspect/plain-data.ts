/**
 * Values as JSON and back, without loss: a recording holds whatever a chart, a codec or a user's context holds.
 *
 * - What JSON has no word for becomes an object with one key that starts with `$`: `{"$bytes":"AQI="}`. Keys that look like one get
 *   another `$` in front.
 * - It never throws at a value: what cannot be kept (a cycle, a value without end, a getter that throws) is `{"$elided":"why"}`.
 * - Reading makes data alone. A function comes back as its name, an object of a class as a plain one; nothing is looked up or called.
 */
import type { AnyMachineSnapshot } from 'xstate';
import { bothTrees, Masks, type MaskTree } from './masks.js';

/** Bytes of which the number alone was kept. Guards that ask for `byteLength` see no difference. */
export class ByteCount {
  constructor(readonly byteLength: number) {}
}

/** Stands for what was not kept. */
export class Elided {
  constructor(readonly why: string) {}
}

/** Of one value: parts, and characters and bytes in them. A context may hold a whole cache. */
const PARTS_MAX = 100_000;
const LENGTH_MAX = 16 * 1024 * 1024;
const DEPTH_MAX = 100;
const LIMITS: PlainLimits = { parts: PARTS_MAX, length: LENGTH_MAX, depth: DEPTH_MAX };
const NONE = new Masks({});

/** What is kept of one value at most; what is beyond it is elided. */
export interface PlainLimits {
  readonly parts: number;
  /** Characters and bytes in them. */
  readonly length: number;
  readonly depth: number;
}

export interface PlainOptions {
  readonly masks?: Masks;
  /** Masked besides what `masks` says of types: for a context. */
  readonly tree?: MaskTree | undefined;
  /** A masked part is left out instead of masked: for a comparison. */
  readonly leavesOut?: boolean;
  /** Of bytes their number alone. */
  readonly countsBytes?: boolean;
  /** Default: what a recording keeps. */
  readonly limits?: PlainLimits;
}

/** @returns `value` as JSON can hold it */
export function toPlain(
  value: unknown,
  { masks = NONE, tree, leavesOut = false, countsBytes = false, limits = LIMITS }: PlainOptions = {},
): unknown {
  try {
    return new Writer({ masks, leavesOut, countsBytes, limits }).write(value, tree, 0);
  } catch {
    return elided('it could not be looked at');
  }
}

/** @returns what `toPlain` was given, but for what it elided. @throws {TypeError} when it is not what `toPlain` makes */
export function fromPlain(plain: unknown): unknown {
  if (typeof plain !== 'object' || plain === null) return plain;
  if (Array.isArray(plain)) return plain.map(fromPlain);
  const entries = Object.entries(plain);
  const [first] = entries;
  if (entries.length === 1 && first && /^\$[^$]/.test(first[0])) return fromTag(first[0], first[1]);
  return Object.fromEntries(entries.map(([key, inner]) => [key.replace(/^\$\$/, '$'), fromPlain(inner)]));
}

class Writer {
  readonly #above = new Set<object>();
  readonly #options: Required<Omit<PlainOptions, 'tree'>>;
  #partsLeft: number;
  #lengthLeft: number;

  constructor(options: Required<Omit<PlainOptions, 'tree'>>) {
    this.#options = options;
    this.#partsLeft = options.limits.parts;
    this.#lengthLeft = options.limits.length;
  }

  write(value: unknown, tree: MaskTree | undefined, depth: number): unknown {
    if (tree === true && this.#options.leavesOut) return { $masked: true };
    this.#partsLeft -= 1;
    if (this.#partsLeft < 0) return elided(`more than ${this.#options.limits.parts} parts`);
    switch (typeof value) {
      case 'string':
        if (!this.#fits(value.length)) return elided(`a text of ${value.length} characters`);
        return tree === true ? '*'.repeat(value.length) : value;
      case 'number':
        if (tree === true) return 0;
        return Number.isFinite(value) && !Object.is(value, -0)
          ? value
          : { $number: Object.is(value, -0) ? '-0' : `${value}` };
      case 'boolean':
        return tree === true ? false : value;
      case 'bigint':
        return { $bigint: tree === true ? '0' : `${value}` };
      case 'undefined':
        return { $undefined: true };
      case 'function':
        return { $function: value.name };
      case 'symbol':
        return { $symbol: value.description ?? '' };
      default:
        return value === null ? null : this.#writeObject(value as object, tree, depth);
    }
  }

  #writeObject(value: object, tree: MaskTree | undefined, depth: number): unknown {
    if (value instanceof Uint8Array) return this.#writeBytes(value, tree);
    if (value instanceof ByteCount) return { $length: value.byteLength };
    if (value instanceof Elided) return elided(value.why);
    if (value instanceof ActorName) return { $actor: value.id };
    // eslint-disable-next-line no-restricted-globals -- a value, not the time
    if (value instanceof Date) return { $date: tree === true ? 0 : value.getTime() };
    if (isActor(value)) return { $actor: value.id };
    if (this.#above.has(value)) return elided('a part of itself');
    const { depth: depthMax } = this.#options.limits;
    if (depth >= depthMax) return elided(`deeper than ${depthMax}`);
    this.#above.add(value);
    const written = this.#writeParts(value, tree, depth + 1);
    this.#above.delete(value);
    return written;
  }

  #writeParts(value: object, tree: MaskTree | undefined, depth: number): unknown {
    const all = tree === true ? tree : undefined;
    // What is named of a list is named of each item; of a map, of each value, and of that of this key besides.
    const named = tree === true ? undefined : tree;
    if (Array.isArray(value)) return Array.from(value, (item: unknown) => this.write(item, tree, depth));
    if (value instanceof Map) {
      return {
        $map: [...(value as Map<unknown, unknown>)].map(([key, inner]) => {
          const below = bothTrees(tree, typeof key === 'string' ? named?.get(key) : undefined);
          return [this.write(key, all, depth), this.write(inner, below, depth)];
        }),
      };
    }
    if (value instanceof Set)
      return { $set: [...(value as Set<unknown>)].map((item) => this.write(item, tree, depth)) };
    if (value instanceof Error) return this.#writeError(value, all, depth);
    if (ArrayBuffer.isView(value) || value instanceof ArrayBuffer) return elided(nameOf(value));
    if (isChartSnapshot(value)) {
      const { status, value: state, context, output, error } = value;
      return this.#writeFields({ status, value: state, context, output, error }, tree, depth);
    }
    const fields = this.#writeFields(value as Record<string, unknown>, tree, depth);
    const prototype: unknown = Object.getPrototypeOf(value);
    // An object of another realm (a test's, a worker's) has another Object.prototype.
    if (prototype === null || Object.getPrototypeOf(prototype) === null) return fields;
    return { $object: [nameOf(value), fields] };
  }

  #writeFields(value: Record<string, unknown>, tree: MaskTree | undefined, depth: number): unknown {
    const known = bothTrees(tree, this.#options.masks.ofType(value['type']));
    return Object.fromEntries(
      Object.keys(value).map((key) => {
        const isType = key === 'type' && typeof value[key] === 'string';
        const below = known === true ? (isType ? undefined : true) : known?.get(key);
        return [key.startsWith('$') ? `$${key}` : key, this.write(value[key], below, depth)];
      }),
    );
  }

  #writeError(error: Error, tree: true | undefined, depth: number): unknown {
    const { name, message } = error;
    const { code } = error as { code?: unknown };
    const text = this.write(message, this.#options.masks.hasAny ? true : tree, depth);
    return { $error: { name, message: text, ...(code !== undefined && { code: this.write(code, tree, depth) }) } };
  }

  #writeBytes(bytes: Uint8Array, tree: MaskTree | undefined): unknown {
    if (this.#options.countsBytes) return { $length: bytes.byteLength };
    if (tree === true) return { $zeros: bytes.byteLength };
    if (!this.#fits(bytes.byteLength)) return elided(`${bytes.byteLength} bytes`);
    return { $bytes: Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('base64') };
  }

  #fits(length: number): boolean {
    this.#lengthLeft -= length;
    return this.#lengthLeft >= 0;
  }
}

function elided(why: string): unknown {
  return { $elided: why };
}

function nameOf(value: object): string {
  const { constructor } = value as { constructor?: unknown };
  return typeof constructor === 'function' && constructor.name !== '' ? constructor.name : 'an object of a class';
}

/** As XState itself tells an actor from data. */
function isActor(value: object): value is { readonly id: string } {
  return 'sessionId' in value && 'send' in value && 'ref' in value;
}

/** Of an actor that a chart has invoked, in an event: the rest of it is the chart itself, some ten kilobytes of it. */
function isChartSnapshot(value: object): value is AnyMachineSnapshot {
  return 'machine' in value && '_nodes' in value && 'historyValue' in value;
}

/** A reference to an actor that a chart made; replay gives it one that does nothing. */
export class ActorName {
  constructor(readonly id: string) {}
}

function fromTag(tag: string, plain: unknown): unknown {
  const text = () => expected<string>(tag, plain, typeof plain === 'string');
  const list = () => expected<unknown[]>(tag, plain, Array.isArray(plain));
  const count = (max: number) =>
    expected<number>(tag, plain, Number.isInteger(plain) && (plain as number) >= 0 && (plain as number) <= max);
  switch (tag) {
    case '$bytes':
      return Uint8Array.from(Buffer.from(text(), 'base64'));
    case '$zeros':
      return new Uint8Array(count(LENGTH_MAX));
    case '$length':
      return new ByteCount(count(Number.MAX_SAFE_INTEGER));
    case '$bigint':
      return BigInt(text());
    case '$number':
      return Number(text());
    case '$undefined':
      return undefined;
    case '$date':
      // eslint-disable-next-line no-restricted-globals -- a value, not the time
      return new Date(expected<number>(tag, plain, typeof plain === 'number'));
    case '$map':
      return new Map(
        list().map((pair) =>
          expected<[unknown, unknown]>(tag, fromPlain(pair), Array.isArray(pair) && pair.length === 2),
        ),
      );
    case '$set':
      return new Set(list().map(fromPlain));
    case '$error': {
      const { name, message, code } = fromPlain(plain) as { name: string; message: string; code?: unknown };
      return Object.assign(new Error(message), { name }, code !== undefined && { code });
    }
    case '$object':
      return fromPlain(list()[1]);
    case '$actor':
      return new ActorName(text());
    case '$function':
      return new Elided(`the function ${text()}`);
    case '$symbol':
      return new Elided(`the symbol ${text()}`);
    case '$elided':
      return new Elided(text());
    default:
      throw new TypeError(`${tag}: there is no such kind of value`);
  }
}

function expected<T>(tag: string, value: unknown, isRight: boolean): T {
  if (isRight) return value as T;
  throw new TypeError(`${tag}: its value is not one of that kind`);
}
