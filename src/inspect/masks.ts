/** Which parts of a recorded value a protocol calls secret, and what is written instead. */
import type { Secrets } from '../session/protocol.js';

/** `true`: all of it. */
export type MaskTree = true | ReadonlyMap<string, MaskTree>;

export class Masks {
  /** Of a chart's context and input. */
  readonly context: MaskTree | undefined;
  readonly #byType: ReadonlyMap<string, MaskTree>;

  constructor(secrets: Secrets) {
    const byType = new Map(Object.entries(secrets).map(([type, paths]) => [type, treeOf(paths)]));
    this.context = byType.get('context');
    // The registry answers a SET_KEY with the same key.
    const key = byType.get('SET_KEY');
    if (key) for (const answer of ['KEY_SET', 'KEY_TAKEN']) byType.set(answer, bothTrees(key, byType.get(answer))!);
    this.#byType = byType;
  }

  /** Is anything secret? Then texts of errors are as well: they may quote what somebody could not read. */
  get hasAny(): boolean {
    return this.#byType.size > 0;
  }

  /** Of a message, event or command. */
  ofType(type: unknown): MaskTree | undefined {
    return typeof type === 'string' ? this.#byType.get(type) : undefined;
  }

  /** A text that is shown by itself, and stands in a field of such a one. */
  textOf(type: string, field: string, text: string): string {
    const tree = this.#byType.get(type);
    return tree === true || tree?.has(field) ? '*'.repeat(text.length) : text;
  }

  /** Besides what is named of its type: of an event that XState itself gives the protocol's chart, whose input becomes its context. */
  ofOwnEvent({ type, error }: { readonly type?: unknown; readonly error?: unknown }): MaskTree | undefined {
    if (type === 'xstate.init') return this.context && new Map([['input', this.context]]);
    const isThrown = typeof type === 'string' && type.startsWith('xstate.error.') && this.ofThrown(error);
    return isThrown ? new Map([['error', isThrown]]) : undefined;
  }

  /** An error keeps its name and code, and its text is masked in any case. */
  ofThrown(thrown: unknown): true | undefined {
    return this.hasAny && !(thrown instanceof Error) ? true : undefined;
  }
}

/** What is masked by either. */
export function bothTrees(a: MaskTree | undefined, b: MaskTree | undefined): MaskTree | undefined {
  if (a === undefined || b === undefined) return a ?? b;
  if (a === true || b === true) return true;
  const both = new Map(a);
  for (const [name, tree] of b) both.set(name, bothTrees(both.get(name), tree)!);
  return both;
}

function treeOf(paths: readonly string[]): MaskTree {
  return paths.map(treeOfPath).reduce((tree, other) => bothTrees(tree, other)!);
}

function treeOfPath(path: string): MaskTree {
  return path.split('.').reduceRight<MaskTree>((tree, name) => new Map([[name, tree]]), true);
}
