/** Outlets for XState's two inspectors: the visualizer's server makes them, and gives each of them the upgrades to its path. */
import { Observable } from 'rxjs';
import type { AnyMachineSnapshot, AnyStateMachine } from 'xstate';
import type { EngineActor } from '../engine/engine.js';
import type { Session } from '../session/session.js';
import type { SessionInside } from '../session/tap.js';
import { Allowance } from './allowance.js';
import type { Feed } from './feed.js';
import { insideOf, type Inside } from './inside.js';
import type { OutletSource, OwnerChart } from './outlets/followed-charts.js';
import type { Outlet, OutletRequest, OutletSocket } from './outlets/outlet.js';
import { parseSelection, SelectionError, type Selection } from './outlets/selection.js';
import { closeReason } from './outlets/send-to.js';
import { StatelyViewer } from './outlets/stately-outlet.js';
import { Xstate4Viewer } from './outlets/xstate4-outlet.js';
import { LIMITS } from './visualizer/messages.js';

export interface OutletsOptions {
  /** The servers and clients that are shown, by the names that the page has for them; asked again for each viewer. */
  readonly sources: () => readonly OutletTarget[];
  /** Viewers may give sessions events. */
  readonly control: boolean;
  /** Bytes are shown, and nothing is masked. */
  readonly payloads: boolean;
  /** The clock by which what a viewer says is counted. */
  readonly nowMs: () => number;
  /** Told of each event that a viewer wants a session to have, and once of each burst of messages that is too much. */
  readonly requested?: (request: OutletRequest) => void;
  /** Told, for people, of what a viewer does not get. */
  readonly noted?: (text: string) => void;
}

/** One server or client. */
export interface OutletTarget {
  readonly name: string;
  /** What `createFeed` was given. */
  readonly target: object;
  readonly feed: Feed;
}

/** Viewers of one outlet at a time. */
const VIEWERS_MAX = 4;

/** What an outlet starts for each viewer. */
interface Viewer {
  receive?(text: string): void;
  stop(): void;
}

type MakeViewer = (
  socket: OutletSocket,
  followed: { readonly sources: readonly OutletSource[]; readonly selection: Selection; readonly payloads: boolean },
) => Viewer;

/** @returns one for each path: `/xstate4`, `/stately` */
export function createOutlets(options: OutletsOptions): readonly Outlet[] {
  const { control, requested = () => {}, noted = () => {} } = options;
  return [
    new ViewerOutlet('/xstate4', options, (socket, followed) => {
      const path = '/xstate4';
      return new Xstate4Viewer(socket, {
        ...followed,
        control,
        requested: (request) => requested({ path, ...request }),
        noted: (text) => noted(`${path}: ${text}`),
      });
    }),
    new ViewerOutlet('/stately', options, (socket, followed) => {
      const viewer = new StatelyViewer(socket, { ...followed, noted: (text) => noted(`/stately: ${text}`) });
      void viewer.start();
      return viewer;
    }),
  ];
}

class ViewerOutlet implements Outlet {
  readonly #viewers = new Map<OutletSocket, Viewer>();
  readonly #sources = new WeakMap<object, OutletSource>();

  constructor(
    readonly path: string,
    private readonly options: OutletsOptions,
    private readonly make: MakeViewer,
  ) {}

  connect(socket: OutletSocket, query: URLSearchParams): void {
    if (this.#viewers.size >= VIEWERS_MAX) {
      socket.close(1013, `${VIEWERS_MAX} viewers are here already, which are all that may be`);
      return;
    }
    const sources = this.options.sources().map((target) => this.#sourceOf(target));
    let selection: Selection;
    try {
      const names = sources.map(({ name }) => name);
      selection = parseSelection(query, names);
    } catch (error) {
      if (!(error instanceof SelectionError)) throw error;
      socket.close(1008, closeReason(error.message));
      return;
    }
    const viewer = this.make(socket, { sources, selection, payloads: this.options.payloads });
    this.#viewers.set(socket, viewer);
    const allowance = new Allowance(LIMITS.commands);
    socket.onMessage((text) => {
      if (allowance.take(this.options.nowMs())) viewer.receive?.(text);
      else if (allowance.beginsBurst) this.#noteBurst();
    });
    socket.onClose(() => {
      this.#viewers.delete(socket);
      viewer.stop();
    });
  }

  stop(): void {
    for (const [socket, viewer] of this.#viewers) {
      viewer.stop();
      socket.close(1001, 'the visualizer has stopped');
    }
    this.#viewers.clear();
  }

  /** What is too much is not even read: it may have been meant for any session, or for none. */
  #noteBurst(): void {
    const text = `more than ${LIMITS.commands} messages in a second: what is too much is not read`;
    const nobody = { source: '', session: '', event: '' };
    this.options.requested?.({ path: this.path, ...nobody, outcome: 'refused', text });
  }

  #sourceOf(target: OutletTarget): OutletSource {
    let source = this.#sources.get(target.feed);
    if (source?.name !== target.name) this.#sources.set(target.feed, (source = sourceOf(target)));
    return source;
  }
}

function sourceOf({ name, target, feed }: OutletTarget): OutletSource {
  const inside = insideOf(target);
  const { runtime } = inside;
  return {
    name,
    feed,
    protocol: runtime.protocol,
    session: (id) => runtime.registry.registry.get(id) as (Session & SessionInside) | undefined,
    owners: ownersOf(inside),
  };
}

/** A server that starts again has another sweeper and other shared charts: looked for when its own chart moves, which it does then. */
function ownersOf(inside: Inside): Observable<readonly OwnerChart[]> {
  const { kind, owner, runtime } = inside;
  const shared = Object.keys(runtime.protocol.shared ?? {});
  const chartsNow = (): OwnerChart[] => {
    const sweeper = inside.sweeper();
    return [
      chartOf(kind === 'server' ? 'server-socket' : 'client', owner),
      ...(sweeper ? [chartOf('sweeper', sweeper)] : []),
      ...shared.flatMap((name) => {
        const actor = runtime.sharedActor(name);
        return actor ? [chartOf(`shared:${name}`, actor)] : [];
      }),
    ];
  };
  return new Observable((subscriber) => {
    let last = chartsNow();
    subscriber.next(last);
    return owner.watch(() => {
      const next = chartsNow();
      if (next.length === last.length && next.every(({ actor }, index) => actor === last[index]!.actor)) return;
      last = next;
      subscriber.next(next);
    });
  });
}

function chartOf(name: string, actor: EngineActor<AnyStateMachine>): OwnerChart {
  const { machine } = actor.snapshot as AnyMachineSnapshot;
  return { name, machine, actor: actor as unknown as OwnerChart['actor'] };
}
