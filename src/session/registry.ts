/**
 * The live sessions of one server: by id, by the key that a protocol gave them, and in groups.
 *
 * `recent` keeps a small record of sessions that have ended, for people who look; the sweeper lets them go. A live session
 * costs one entry of a Map; what is listed, iterated and counted is live sessions only.
 */
import { Subject } from 'rxjs';
import type { Message } from '../codec/codec.js';
import { PublicStream, type Report } from './public-stream.js';
import type { Session, SessionRecord } from './session.js';

/** A change of the registry, or of a session's state while somebody watches `changes`. */
export type RegistryChange =
  | { readonly type: 'added'; readonly session: Session }
  | { readonly type: 'changed'; readonly session: Session }
  | { readonly type: 'removed'; readonly session: Session; readonly record: SessionRecord };

/** A session as its registry knows it. */
export interface RegistryMember extends Session {
  /**
   * As `send`, for a message that somebody else sends: one that cannot be encoded does not end this session.
   * @throws what `encode` threw
   */
  offer(message: Message): boolean;
}

/** What only the owner of a registry may do. */
export interface RegistryControl {
  readonly registry: SessionRegistry;
  insert(session: RegistryMember): void;
  remove(session: RegistryMember, record: SessionRecord): void;
  changed(session: RegistryMember): void;
  setKey(session: RegistryMember, key: string): boolean;
  join(session: RegistryMember, group: string): void;
  leave(session: RegistryMember, group: string): void;
  /** Lets records go that were there at the last call. @returns how many */
  forgetRecent(): number;
}

export class RegistryError extends Error {
  override readonly name = 'RegistryError';
  constructor(
    readonly code: 'DUPLICATE_ID',
    message: string,
  ) {
    super(message);
  }
}

const NOBODY: ReadonlySet<RegistryMember> = new Set();

export class SessionRegistry implements Iterable<Session> {
  readonly #sessions = new Map<string, RegistryMember>();
  readonly #keys = new Map<string, RegistryMember>();
  readonly #groups = new Map<string, Set<RegistryMember>>();
  readonly #recent: SessionRecord[] = [];
  /** How many of `#recent`, from its beginning, were there when the sweeper came by last. */
  #seenCount = 0;
  readonly #changes = new Subject<RegistryChange>();
  readonly #recentMax: number;

  /** Sessions that come, go and change state, hot. Changes of state are looked for only while somebody subscribes. */
  readonly changes: PublicStream<RegistryChange>;

  private constructor(recentMax: number, report: Report, watch: (watching: boolean) => void) {
    this.#recentMax = recentMax;
    let watchers = 0;
    this.changes = new PublicStream((subscriber) => {
      if ((watchers += 1) === 1) watch(true);
      const subscription = this.#changes.subscribe(subscriber);
      return () => {
        subscription.unsubscribe();
        if ((watchers -= 1) === 0) watch(false);
      };
    }, report);
  }

  /** @param watch told when the first watcher of `changes` comes and when the last has gone */
  static create(recentMax: number, report: Report, watch: (watching: boolean) => void): RegistryControl {
    const registry = new SessionRegistry(recentMax, report, watch);
    return {
      registry,
      insert: (session) => registry.#insert(session),
      remove: (session, record) => registry.#remove(session, record),
      changed: (session) => registry.#changes.next({ type: 'changed', session }),
      setKey: (session, key) => registry.#setKey(session, key),
      join: (session, group) => registry.#join(session, group),
      leave: (session, group) => registry.#leave(session, group),
      forgetRecent: () => registry.#forgetRecent(),
    };
  }

  /** Live sessions. */
  get size(): number {
    return this.#sessions.size;
  }

  /** @returns `undefined` when no live session has this id. */
  get(id: string): Session | undefined {
    return this.#sessions.get(id);
  }

  /** @returns the live session that set this key, else `undefined`. */
  byKey(key: string): Session | undefined {
    return this.#keys.get(key);
  }

  /** Sessions of a group at this moment; joins and leaves during an iteration do not disturb it. */
  group(name: string): readonly Session[] {
    return [...(this.#groups.get(name) ?? NOBODY)];
  }

  /** Names of the groups that have members. */
  get groups(): readonly string[] {
    return [...this.#groups.keys()];
  }

  /** Live sessions, oldest first. Sessions that come or go meanwhile do not disturb it. */
  [Symbol.iterator](): IterableIterator<Session> {
    return this.#sessions.values();
  }

  /** Sessions that have ended, newest last: until the sweep after next, at most `recentMax` (1 000). */
  get recent(): readonly SessionRecord[] {
    return [...this.#recent];
  }

  /**
   * Sends to every session, or to those of a group. One that cannot take it (closing, beyond its hard cap) does not hold up the others.
   * @returns how many took it.
   * @throws what the first codec threw that cannot encode it, after the others had their turn: whoever sends it is at fault.
   */
  broadcast(
    message: Message,
    options: { readonly group?: string; readonly except?: string | readonly string[] } = {},
  ): number {
    const { group, except = [] } = options;
    // A copy: a session that takes the message may end, and so leave, or make others join.
    const members = [...(group === undefined ? this.#sessions.values() : (this.#groups.get(group) ?? NOBODY))];
    let taken = 0;
    let failure: { error: unknown } | undefined;
    for (const session of members) {
      if (session.id === except || (Array.isArray(except) && except.includes(session.id))) continue;
      try {
        if (session.offer(message)) taken += 1;
      } catch (error) {
        failure ??= { error };
      }
    }
    if (failure) throw failure.error;
    return taken;
  }

  #insert(session: RegistryMember): void {
    if (this.#sessions.has(session.id)) {
      throw new RegistryError(
        'DUPLICATE_ID',
        `a live session has the id ${JSON.stringify(session.id)}: ids must differ while both are live`,
      );
    }
    this.#sessions.set(session.id, session);
    this.#changes.next({ type: 'added', session });
  }

  #remove(session: RegistryMember, record: SessionRecord): void {
    if (this.#sessions.get(session.id) !== session) return;
    this.#sessions.delete(session.id);
    if (session.key !== undefined) this.#keys.delete(session.key);
    for (const group of session.groups) this.#leaveGroup(session, group);
    this.#recent.push(record);
    if (this.#recent.length > this.#recentMax) {
      this.#recent.shift();
      this.#seenCount = Math.max(0, this.#seenCount - 1);
    }
    this.#changes.next({ type: 'removed', session, record });
  }

  #forgetRecent(): number {
    const forgotten = this.#recent.splice(0, this.#seenCount).length;
    this.#seenCount = this.#recent.length;
    return forgotten;
  }

  #setKey(session: RegistryMember, key: string): boolean {
    const holder = this.#keys.get(key);
    if (holder) return holder === session;
    if (session.key !== undefined) this.#keys.delete(session.key);
    this.#keys.set(key, session);
    return true;
  }

  #join(session: RegistryMember, group: string): void {
    const members = this.#groups.get(group) ?? new Set<RegistryMember>();
    this.#groups.set(group, members.add(session));
  }

  #leave(session: RegistryMember, group: string): void {
    this.#leaveGroup(session, group);
  }

  #leaveGroup(session: RegistryMember, group: string): void {
    const members = this.#groups.get(group);
    members?.delete(session);
    if (members?.size === 0) this.#groups.delete(group);
  }
}
