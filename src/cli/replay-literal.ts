/** Values as TypeScript, for a test that a person reads. Whatever a value is, its text is data: nothing of a peer becomes code. */
import { ByteCount, Elided } from '../inspect/plain-data.js';

/** Longer bytes are written in base64. */
const PLAIN_BYTES_MAX = 32;
/** Of a line, in characters. */
const WIDTH = 120;

/** @param indent of the line that it begins on, in blanks; `beside`: characters that stand on that line besides */
export function literal(value: unknown, indent = 0, beside = 0): string {
  const flat = write(value, undefined);
  return flat.length + indent + beside <= WIDTH ? flat : write(value, indent);
}

/** A text in single quotes where it has none. */
export function textLiteral(text: string): string {
  const quoted = JSON.stringify(text).replace(/[\u007f-\u009f\u2028-\u202e\u2066-\u2069]/g, escaped);
  return /['\\]/.test(quoted) ? quoted : `'${quoted.slice(1, -1)}'`;
}

/** For a comment: nothing ends it, or its line. */
export function commentText(text: string): string {
  return text.replace(/[\u0000-\u001f\u007f-\u009f\u2028-\u202e\u2066-\u2069]/g, escaped).replaceAll('*/', '* /');
}

function escaped(character: string): string {
  return `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`;
}

/** @param indent `undefined`: all on one line */
function write(value: unknown, indent: number | undefined): string {
  switch (typeof value) {
    case 'string':
      return textLiteral(value);
    case 'bigint':
      return `${value}n`;
    case 'number':
      return Object.is(value, -0) ? '-0' : String(value);
    case 'object':
      return value === null ? 'null' : writeObject(value, indent);
    default:
      return String(value);
  }
}

function writeObject(value: object, indent: number | undefined): string {
  const below = indent === undefined ? undefined : indent + 2;
  if (value instanceof Uint8Array) return writeBytes(value);
  if (value instanceof ByteCount) return `new Uint8Array(${value.byteLength})`;
  if (value instanceof Elided) return `undefined /* ${commentText(value.why)} */`;
  // eslint-disable-next-line no-restricted-globals -- a value, not the time
  if (value instanceof Date) return `new Date(${value.getTime()})`;
  if (value instanceof Error) return `new Error(${textLiteral(value.message)})`;
  if (value instanceof Map) return `new Map(${write([...(value as Map<unknown, unknown>)], indent)})`;
  if (value instanceof Set) return `new Set(${write([...(value as Set<unknown>)], indent)})`;
  if (Array.isArray(value))
    return joined(
      '[]',
      value.map((item) => write(item, below)),
      indent,
    );
  const fields = Object.entries(value).filter(([, inner]) => inner !== undefined);
  return joined(
    '{}',
    fields.map(([key, inner]) => `${keyText(key)}: ${write(inner, below)}`),
    indent,
  );
}

function writeBytes(bytes: Uint8Array): string {
  if (bytes.byteLength <= PLAIN_BYTES_MAX) return `Uint8Array.of(${bytes.join(', ')})`;
  if (bytes.every((byte) => byte === 0)) return `new Uint8Array(${bytes.byteLength})`;
  return `new Uint8Array(Buffer.from('${Buffer.from(bytes).toString('base64')}', 'base64'))`;
}

/** `__proto__: x` would set a prototype; in brackets it is a field. */
function keyText(key: string): string {
  if (key === '__proto__') return "['__proto__']";
  return /^[A-Za-z_$][\w$]*$/.test(key) ? key : textLiteral(key);
}

function joined(brackets: '[]' | '{}', parts: readonly string[], indent: number | undefined): string {
  const [open, close] = [brackets[0]!, brackets[1]!];
  if (parts.length === 0) return brackets;
  const pad = brackets === '{}' ? ' ' : '';
  const flat = `${open}${pad}${parts.join(', ')}${pad}${close}`;
  if (indent === undefined || (flat.length + indent <= WIDTH && !flat.includes('\n'))) return flat;
  const inner = ' '.repeat(indent + 2);
  return `${open}\n${parts.map((part) => `${inner}${part},\n`).join('')}${' '.repeat(indent)}${close}`;
}
