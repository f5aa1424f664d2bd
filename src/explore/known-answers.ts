/**
 * What a protocol's own handlers have answered when paths were carried out, by command: the model calls no handler, and takes
 * these instead.
 */
import type { EventObject } from 'xstate';
import { describeEvent } from './script.js';

/** `event`: what was answered, `undefined` for nothing; `afterMs`: virtual time. `none`: not before the deadline. `failed`: it threw. */
export type KnownAnswer = { readonly event: EventObject | undefined; readonly afterMs: number } | 'none' | 'failed';

/** With that many commands of one type answered, a further one is taken to be answered as the last. */
const COMMANDS_PER_TYPE_MAX = 8;

export class KnownAnswers {
  readonly #byCommand = new Map<string, KnownAnswer>();
  readonly #lastOfType = new Map<string, { count: number; answer: KnownAnswer }>();

  /** How many different commands were answered. */
  get size(): number {
    return this.#byCommand.size;
  }

  note(command: EventObject, answer: KnownAnswer): void {
    const key = describeEvent(command);
    const count = (this.#lastOfType.get(command.type)?.count ?? 0) + (this.#byCommand.has(key) ? 0 : 1);
    if (count <= COMMANDS_PER_TYPE_MAX) this.#byCommand.set(key, answer);
    this.#lastOfType.set(command.type, { count, answer });
  }

  /** @returns `undefined` when nobody knows yet */
  of(command: EventObject): KnownAnswer | undefined {
    const known = this.#byCommand.get(describeEvent(command));
    if (known !== undefined) return known;
    const last = this.#lastOfType.get(command.type);
    return last && last.count >= COMMANDS_PER_TYPE_MAX ? last.answer : undefined;
  }
}
