/**
 * The charts that one viewer of an outlet follows: those of the server or client itself, and both charts of each session that it has
 * chosen, from the moment it comes to the moment it goes. Sessions that nobody follows cost nothing.
 *
 * Steps are told one by one, the event with what it led to: an event that a chart is given while it still processes another one waits
 * here as it does there.
 */
import type { AnyMachineSnapshot, AnyStateMachine, EventObject } from 'xstate';
import { Subscription, type Observable } from 'rxjs';
import type { ActorTap } from '../../engine/engine.js';
import type { AnyProtocol } from '../../session/protocol.js';
import type { Session } from '../../session/session.js';
import type { SessionInside } from '../../session/tap.js';
import { sessionMachine } from '../../../machines/session.js';
import type { Feed, FeedChange, FeedSession, Place } from '../feed.js';
import type { Chart } from '../drawing/chart.js';
import { Masks } from '../masks.js';
import { ByteCount } from '../plain-data.js';
import { boundedPlain, type BoundedOptions } from './bounded.js';
import type { Selection } from './selection.js';

/** One server or client, from inside. */
export interface OutletSource {
  readonly name: string;
  readonly protocol: AnyProtocol;
  readonly feed: Pick<Feed, 'changes' | 'sessions' | 'sendEvent' | 'charts'>;
  session(id: string): (Session & SessionInside) | undefined;
  /** Charts that are no session's: the server socket's or the client's first. Told at once, and again when others take their place. */
  readonly owners: Observable<readonly OwnerChart[]>;
}

export interface OwnerChart {
  /** `server-socket`, `client`, `sweeper`, or `shared:rooms` of one that a protocol's sessions share. */
  readonly name: string;
  readonly machine: AnyStateMachine;
  readonly actor: { readonly snapshot: AnyMachineSnapshot; tap(tap: ActorTap): () => void };
}

/** A chart that is followed. */
export interface FollowedChart {
  /** Unique among all that are shown: `media-control/12/protocol`. */
  readonly id: string;
  /** Id of the chart of the server socket or the client. */
  readonly parent: string | undefined;
  readonly machine: AnyStateMachine;
  readonly source: OutletSource;
  /** Of the session that takes events for it; `undefined`: nobody may give it any. */
  readonly takesEventsOf: string | undefined;
  readonly snapshot: AnyMachineSnapshot;
  /** JSON, masked and bounded. */
  contextOf(snapshot: AnyMachineSnapshot): unknown;
  /** Likewise. */
  eventOf(event: EventObject): PlainEvent;
}

export type PlainEvent = { readonly type: string } & Readonly<Record<string, unknown>>;

/** What one of these throws stays out of the session that is followed: it is told as `failed`. */
export interface ChartFollower {
  began(chart: FollowedChart): void;
  /** It processed `event`, and this is where it is. `undefined`: it was given that one before it was followed. */
  stepped(chart: FollowedChart, event: EventObject | undefined, snapshot: AnyMachineSnapshot): void;
  /** It is over, or what it belongs to has gone. */
  ended(chart: FollowedChart): void;
  /** A session that was chosen has no room: `max` are followed. Told once, however often there is room again. */
  full(max: number): void;
  /** Our own bug, or something that cannot be written. It should let go. */
  failed(error: unknown): void;
}

export interface FollowedOptions {
  readonly sources: readonly OutletSource[];
  readonly selection: Selection;
  readonly payloads: boolean;
}

export class FollowedCharts {
  readonly #options: FollowedOptions;
  readonly #follower: ChartFollower;
  readonly #charts = new Map<string, LiveChart>();
  /** By source and id: what lets go of it. */
  readonly #sessions = new Map<string, () => void>();
  readonly #wires = new Subscription();
  readonly #owners = new Map<OutletSource, Map<OwnerChart['actor'], () => void>>();
  readonly #ownerIds = new Map<OutletSource, string>();
  #isFull = false;

  /** @throws {TypeError} when this XState is not one that can be looked into */
  constructor(options: FollowedOptions, follower: ChartFollower) {
    this.#options = options;
    this.#follower = follower;
    try {
      this.#begin();
    } catch (error) {
      this.stop();
      throw error;
    }
  }

  /** In the order in which they came. */
  get charts(): Iterable<FollowedChart> {
    return this.#charts.values();
  }

  get(id: string): FollowedChart | undefined {
    return this.#charts.get(id);
  }

  /** Lets go of all of them; nothing more is told. */
  stop(): void {
    this.#wires.unsubscribe();
    this.#charts.clear(); // so that nobody is told of an end
    for (const letGo of this.#sessions.values()) letGo();
    for (const owners of this.#owners.values()) for (const letGo of owners.values()) letGo();
    this.#sessions.clear();
    this.#owners.clear();
  }

  #begin(): void {
    const { sources, selection } = this.#options;
    const chosen = sources.filter(({ name }) => selection.sources?.has(name) ?? true);
    for (const source of chosen)
      this.#wires.add(source.owners.subscribe((charts) => this.#followOwners(source, charts)));
    const wanted = chosen.flatMap((source) =>
      [...source.feed.sessions()]
        .filter((session) => this.#isWanted(source, session))
        .slice(-selection.max - 1) // one more, to know that there are more
        .map((session) => ({ source, session })),
    );
    wanted.sort((a, b) => a.session.startedAtMs - b.session.startedAtMs);
    const left = Math.max(0, wanted.length - selection.first);
    if (left > 0 && selection.first === selection.max) this.#noteFull();
    for (const { source, session } of wanted.slice(left)) this.#follow(source, session.id);
    for (const source of chosen) this.#wires.add(source.feed.changes.subscribe((change) => this.#look(source, change)));
  }

  #look(source: OutletSource, { type, session }: FeedChange): void {
    if (type === 'removed') return; // its tap tells, after its last step
    if (type === 'moved' && this.#options.selection.state === undefined) return;
    if (this.#sessions.has(`${source.name}/${session.id}`) || !this.#isWanted(source, session)) return;
    if (this.#sessions.size >= this.#options.selection.max) this.#noteFull();
    else this.#follow(source, session.id);
  }

  #noteFull(): void {
    if (this.#isFull) return;
    this.#isFull = true;
    this.#tell(() => this.#follower.full(this.#options.selection.max));
  }

  #isWanted({ name, feed }: OutletSource, session: FeedSession): boolean {
    const { sessions, state } = this.#options.selection;
    if (sessions && !sessions.has(session.id) && !sessions.has(`${name}/${session.id}`)) return false;
    if (state === undefined) return true;
    return isIn(feed.charts.session, session.session, state) || isIn(feed.charts.protocol, session.protocol, state);
  }

  /** Those that are gone end, and those that are there already go on. */
  #followOwners(source: OutletSource, charts: readonly OwnerChart[]): void {
    const known = this.#owners.get(source) ?? new Map<OwnerChart['actor'], () => void>();
    this.#owners.set(source, known);
    if (charts[0]) this.#ownerIds.set(source, `${source.name}/${charts[0].name}`);
    for (const [actor, letGo] of known) {
      if (charts.some((chart) => chart.actor === actor)) continue;
      known.delete(actor);
      letGo();
    }
    for (const { name, machine, actor } of charts) {
      if (known.has(actor)) continue;
      const chart = new LiveChart({
        id: `${source.name}/${name}`,
        parent: name === charts[0]!.name ? undefined : this.#ownerIds.get(source),
        machine,
        source,
        takesEventsOf: undefined,
        snapshotOf: () => actor.snapshot,
        shown: shownOf(source.protocol, this.#options.payloads),
        isProtocols: name.startsWith('shared:'),
      });
      this.#add(chart);
      if (this.#wires.closed) return;
      const untap = actor.tap(this.#tapOf(chart));
      known.set(actor, () => {
        untap();
        this.#end(chart);
      });
    }
  }

  #follow(source: OutletSource, id: string): void {
    const session = source.session(id);
    if (!session) return; // of the same name as one that has just gone
    const key = `${source.name}/${id}`;
    const shown = shownOf(source.protocol, this.#options.payloads);
    const chartOf = (name: 'session' | 'protocol') =>
      new LiveChart({
        id: `${key}/${name}`,
        parent: this.#ownerIds.get(source),
        machine: name === 'session' ? sessionMachine : source.protocol.machine,
        source,
        takesEventsOf: name === 'protocol' ? id : undefined,
        snapshotOf: () => (name === 'session' ? session.transportSnapshot : session.protocolSnapshot),
        shown,
        isProtocols: name === 'protocol',
      });
    const [transport, protocol] = [chartOf('session'), chartOf('protocol')];
    const end = () => {
      untap();
      this.#sessions.delete(key);
      this.#end(protocol);
      this.#end(transport);
    };
    this.#add(transport);
    this.#add(protocol);
    if (this.#wires.closed) return;
    const untap = session.tap({ transport: this.#tapOf(transport), protocol: this.#tapOf(protocol), ended: end });
    this.#sessions.set(key, untap);
  }

  /** A viewer that cannot take it lets go of everything, which closes the wires. */
  #add(chart: LiveChart): void {
    if (this.#wires.closed) return;
    this.#charts.set(chart.id, chart);
    this.#tell(() => this.#follower.began(chart));
  }

  #tapOf(chart: LiveChart): ActorTap {
    const waiting: EventObject[] = [];
    const isFollowed = () => this.#charts.get(chart.id) === chart;
    return {
      event: (event) => {
        if (isFollowed()) waiting.push(event);
      },
      snapshot: (snapshot) => {
        if (!isFollowed()) return;
        const event = waiting.shift();
        this.#tell(() => this.#follower.stepped(chart, event, snapshot));
        // A viewer that could not take it has let go of everything.
        if (snapshot.status !== 'active' && isFollowed()) this.#end(chart);
      },
      failed: () => this.#end(chart),
    };
  }

  #end(chart: LiveChart): void {
    if (this.#charts.get(chart.id) !== chart) return;
    this.#charts.delete(chart.id);
    this.#tell(() => this.#follower.ended(chart));
  }

  /** Sessions are in the middle of their work when this is called. */
  #tell(what: () => void): void {
    try {
      what();
    } catch (error) {
      this.#follower.failed(error);
    }
  }
}

interface LiveChartParts {
  readonly id: string;
  readonly parent: string | undefined;
  readonly machine: AnyStateMachine;
  readonly source: OutletSource;
  readonly takesEventsOf: string | undefined;
  readonly snapshotOf: () => AnyMachineSnapshot;
  readonly shown: Shown;
  /** It comes from the protocol: what that calls secret of a context is said of its. */
  readonly isProtocols: boolean;
}

interface Shown {
  readonly masks: Masks;
  readonly countsBytes: boolean;
}

function shownOf({ secrets = {} }: AnyProtocol, payloads: boolean): Shown {
  return { masks: new Masks(payloads ? {} : secrets), countsBytes: !payloads };
}

class LiveChart implements FollowedChart {
  readonly id: string;
  readonly parent: string | undefined;
  readonly machine: AnyStateMachine;
  readonly source: OutletSource;
  readonly takesEventsOf: string | undefined;
  readonly #parts: LiveChartParts;

  constructor(parts: LiveChartParts) {
    this.id = parts.id;
    this.parent = parts.parent;
    this.machine = parts.machine;
    this.source = parts.source;
    this.takesEventsOf = parts.takesEventsOf;
    this.#parts = parts;
  }

  get snapshot(): AnyMachineSnapshot {
    return this.#parts.snapshotOf();
  }

  contextOf({ context }: AnyMachineSnapshot): unknown {
    const { shown, isProtocols } = this.#parts;
    return boundedPlain(context, { ...shown, tree: isProtocols ? shown.masks.context : undefined });
  }

  eventOf(event: EventObject): PlainEvent {
    const { shown, isProtocols } = this.#parts;
    const tree = isProtocols ? shown.masks.ofOwnEvent(event) : undefined;
    const plain = boundedPlain(withoutBytes(event, shown), { ...shown, tree }) as Record<string, unknown>;
    // An object of a class, or one that was too long, is not written as its fields.
    return plain['type'] === event.type ? (plain as PlainEvent) : { type: event.type, value: plain };
  }
}

/** Where only their number is shown they need not be walked. */
function withoutBytes(event: EventObject, { countsBytes }: BoundedOptions): object {
  const { bytes } = event as { readonly bytes?: unknown };
  return countsBytes && bytes instanceof Uint8Array ? { ...event, bytes: new ByteCount(bytes.byteLength) } : event;
}

function isIn({ states }: Chart, place: Place, path: string): boolean {
  return place.some((number) => states[number]?.path === path);
}
