/**
 * Values of a recording as its lines have them: JSON, where an object with one key that starts with `$` stands for what JSON has no word
 * for (docs/recording.md). They are shown and compared as they are; nothing is made of them but bytes, when somebody wants to see those.
 */

export type PlainObject = Readonly<Record<string, unknown>>;

export function isPlainObject(value: unknown): value is PlainObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** @returns `['$bytes', 'AQI=']` of what stands for something else; `undefined` of what is itself */
export function tagOf(value: unknown): readonly [tag: string, inner: unknown] | undefined {
  if (!isPlainObject(value)) return undefined;
  const [first, second] = Object.entries(value);
  return first && !second && /^\$[^$]/.test(first[0]) ? first : undefined;
}

/** A key of somebody's own that begins with `$` has another `$` in front. */
export function keyText(key: string): string {
  return key.startsWith('$$') ? key.slice(1) : key;
}

export interface PlainBytes {
  readonly length: number;
  /** `undefined`: they were counted alone, or masked. */
  readonly bytes: Uint8Array | undefined;
  readonly isMasked: boolean;
}

/** @returns `undefined` for what is no bytes */
export function bytesOf(value: unknown): PlainBytes | undefined {
  const [tag, inner] = tagOf(value) ?? [];
  if (tag === '$length' && typeof inner === 'number') return { length: inner, bytes: undefined, isMasked: false };
  if (tag === '$zeros' && typeof inner === 'number') return { length: inner, bytes: undefined, isMasked: true };
  if (tag !== '$bytes' || typeof inner !== 'string') return undefined;
  const bytes = fromBase64(inner);
  return bytes && { length: bytes.byteLength, bytes, isMasked: false };
}

/** What a value is to a reader: one text, or parts with names. */
export type Part =
  | { readonly kind: 'leaf'; readonly text: string; readonly type: 'text' | 'number' | 'word' | 'note' }
  | {
      readonly kind: 'branch';
      /** `{3}`, `[2]`, `Map(4)`. */
      readonly summary: string;
      readonly parts: readonly (readonly [name: string, value: unknown])[];
    };

const leaf = (text: string, type: Extract<Part, { kind: 'leaf' }>['type']): Part => ({ kind: 'leaf', text, type });

/** One level of it: what is below is looked at when it is unfolded. */
export function partOf(value: unknown): Part {
  if (value === null || typeof value === 'boolean') return leaf(`${value}`, 'word');
  if (typeof value === 'number') return leaf(`${value}`, 'number');
  if (typeof value === 'string') return leaf(JSON.stringify(value), 'text');
  if (Array.isArray(value)) return branch(`[${value.length}]`, Object.entries(value));
  const tagged = tagOf(value);
  if (tagged) return taggedPart(...tagged);
  if (!isPlainObject(value)) return leaf('nothing', 'note');
  const entries = Object.entries(value).map(([key, inner]) => [keyText(key), inner] as const);
  return branch(`{${entries.length}}`, entries);
}

function branch(summary: string, parts: readonly (readonly [string, unknown])[]): Part {
  return { kind: 'branch', summary, parts };
}

function taggedPart(tag: string, inner: unknown): Part {
  switch (tag) {
    case '$bytes':
    case '$length':
    case '$zeros': {
      const bytes = bytesOf({ [tag]: inner });
      return leaf(bytes ? `${bytes.length} bytes${bytes.isMasked ? ', masked' : ''}` : 'bytes', 'note');
    }
    case '$bigint':
      return leaf(`${String(inner)}n`, 'number');
    case '$number':
      return leaf(String(inner), 'number');
    case '$undefined':
      return leaf('undefined', 'word');
    case '$date':
      return leaf(typeof inner === 'number' ? isoText(inner) : 'a date', 'text');
    case '$map': {
      const pairs = (Array.isArray(inner) ? inner : []) as [unknown, unknown][];
      return branch(
        `Map(${pairs.length})`,
        pairs.map(([key, item]) => [plainText(key), item]),
      );
    }
    case '$set': {
      const items = Array.isArray(inner) ? (inner as unknown[]) : [];
      return branch(`Set(${items.length})`, Object.entries(items));
    }
    case '$error': {
      const { name, message } = (isPlainObject(inner) ? inner : {}) as { name?: unknown; message?: unknown };
      return leaf(`${String(name)}: ${plainText(message)}`, 'note');
    }
    case '$object': {
      const [name, fields] = Array.isArray(inner) ? (inner as unknown[]) : [];
      const part = partOf(fields);
      return part.kind === 'branch' ? branch(`${String(name)} ${part.summary}`, part.parts) : part;
    }
    case '$function':
      return leaf(`function ${String(inner)}`, 'note');
    case '$symbol':
      return leaf(`symbol ${String(inner)}`, 'note');
    case '$actor':
      return leaf(`actor ${String(inner)}`, 'note');
    default:
      return leaf(`not kept: ${String(inner)}`, 'note');
  }
}

/** On one line, for titles and lists: `{type: "PING", payload: 4 bytes}`. */
export function plainText(value: unknown, lengthMax = 200): string {
  const text = textOf(value, 0);
  return text.length > lengthMax ? `${text.slice(0, lengthMax - 1)}…` : text;
}

function textOf(value: unknown, depth: number): string {
  const part = partOf(value);
  if (part.kind === 'leaf') return part.text;
  if (depth > 3) return part.summary;
  const inner = part.parts.slice(0, 20);
  const more = part.parts.length > inner.length ? ', …' : '';
  if (part.summary.startsWith('[')) return `[${inner.map(([, item]) => textOf(item, depth + 1)).join(', ')}${more}]`;
  return `{${inner.map(([name, item]) => `${name}: ${textOf(item, depth + 1)}`).join(', ')}${more}}`;
}

export function samePlain(a: unknown, b: unknown): boolean {
  if (a === b) return true;
  if (typeof a !== 'object' || typeof b !== 'object' || a === null || b === null) return false;
  if (Array.isArray(a) !== Array.isArray(b)) return false;
  const [one, other] = [a as PlainObject, b as PlainObject];
  const keys = Object.keys(one);
  return (
    keys.length === Object.keys(other).length && keys.every((key) => key in other && samePlain(one[key], other[key]))
  );
}

function fromBase64(text: string): Uint8Array | undefined {
  try {
    return Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
  } catch {
    return undefined;
  }
}

function isoText(ms: number): string {
  const date = new Date(ms);
  return Number.isNaN(date.getTime()) ? 'no date' : date.toISOString();
}
