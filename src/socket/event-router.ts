/**
 * Where the events of a backend's sockets go: to the one stream when the socket is claimed, else into its bounded queue for
 * `waitEvents`. Every backend uses this one, so that claiming and waiting mean the same on all of them.
 *
 * - A throw of a direct subscriber is given to the scheduler, which has a way to report errors: RxJS would throw it into the
 *   process, on a timer of its own. What is thrown behind operators is RxJS's (`PublicStream`).
 * - Only reading is bounded by the queue. What else can happen to a socket is a handful of facts or answers to commands.
 */
import { type Observable, type SchedulerLike, Subject, type Subscriber, type Subscription } from 'rxjs';
import type { SocketEvent, SocketHandle } from '../../machines/events.js';
import { checkInteger } from './check.js';
import { SocketError } from './errors.js';
import { PublicStream } from './public-stream.js';
import type { SocketRecord, SocketSignal, WaitOptions } from './socket-layer.js';

/** What a record has for this router; both are for unclaimed sockets alone. */
export interface RoutedSocket extends SocketRecord {
  /** Events that nobody took yet, oldest first; made when the first one has to wait. */
  pending: SocketEvent[] | undefined;
  waiting: Wait | undefined;
  closed: boolean;
  /** Its queue is full, or no longer: stop reading, or go on if that is what was asked for last. */
  holdReading(held: boolean): void;
}

export interface EventRouterOptions {
  readonly time: SchedulerLike;
  /** Events that wait for `waitEvents` before reading is paused. */
  readonly waitQueueMax: number;
  readonly find: (handle: SocketHandle) => RoutedSocket | undefined;
}

export class EventRouter {
  readonly events: Observable<SocketSignal>;
  readonly #subject = new Subject<SocketSignal>();
  readonly #options: EventRouterOptions;

  constructor(options: EventRouterOptions) {
    this.#options = options;
    this.events = new PublicStream((subscriber) => this.#subject.subscribe(subscriber), this.#report);
  }

  /** Never throws. */
  deliver(socket: RoutedSocket, event: SocketEvent): void {
    if (socket.owner !== undefined) this.#emit(socket, event);
    else if (socket.waiting !== undefined) socket.waiting.end(event);
    else this.#keep(socket, event);
  }

  claim(socket: RoutedSocket, owner: object): void {
    socket.owner = owner;
    socket.waiting?.fail(inUse(socket.handle));
    const { pending } = socket;
    if (pending === undefined) return;
    socket.pending = undefined;
    for (const event of pending) this.#emit(socket, event);
    if (pending.length >= this.#options.waitQueueMax && !socket.closed) socket.holdReading(false);
  }

  /** The socket is forgotten by its layer. */
  forget(socket: RoutedSocket): void {
    socket.pending = undefined;
    socket.waiting?.fail(new SocketError('SOCKET_DELETED', `socket ${socket.handle} was deleted during the wait`));
  }

  isFull(socket: RoutedSocket): boolean {
    return (
      socket.owner === undefined && socket.pending !== undefined && socket.pending.length >= this.#options.waitQueueMax
    );
  }

  waitEvents(handle: SocketHandle | null | undefined, options: WaitOptions = {}): Observable<SocketEvent> {
    return new PublicStream<SocketEvent>((subscriber) => {
      const { timeoutMs = 100 } = options;
      let socket: RoutedSocket;
      try {
        checkInteger('waitEvents.timeoutMs', timeoutMs, { min: 0, max: 2 ** 31 - 1 });
        socket = this.#waitable(handle);
      } catch (error) {
        subscriber.error(error);
        return undefined;
      }
      const next = this.#take(socket);
      if (next !== undefined) {
        subscriber.next(next);
        subscriber.complete();
        return undefined;
      }
      return new Wait(socket, subscriber, this.#options.time, timeoutMs).stop;
    }, this.#report);
  }

  #waitable(handle: SocketHandle | null | undefined): RoutedSocket {
    if (handle === null || handle === undefined) throw new SocketError('HANDLE_NULL', 'there is no handle to wait for');
    const socket = this.#options.find(handle);
    if (socket === undefined) throw new SocketError('HANDLE_UNKNOWN', `there is no socket behind handle ${handle}`);
    if (socket.markedDeleted) throw new SocketError('SOCKET_DELETED', `socket ${handle} is marked deleted`);
    if (socket.owner !== undefined || socket.waiting !== undefined) throw inUse(handle);
    if (socket.closed && socket.pending === undefined) {
      throw new SocketError('SOCKET_STOPPED', `socket ${handle} is closed, and its last event was taken`);
    }
    return socket;
  }

  #take(socket: RoutedSocket): SocketEvent | undefined {
    const { pending } = socket;
    if (pending === undefined) return undefined;
    const event = pending.shift();
    if (pending.length === 0) socket.pending = undefined;
    if (pending.length === this.#options.waitQueueMax - 1 && !socket.closed) socket.holdReading(false);
    return event;
  }

  #keep(socket: RoutedSocket, event: SocketEvent): void {
    const pending = (socket.pending ??= []);
    pending.push(event);
    if (pending.length === this.#options.waitQueueMax && !socket.closed) socket.holdReading(true);
  }

  #emit(socket: RoutedSocket, event: SocketEvent): void {
    try {
      this.#subject.next({ socket, event });
    } catch (error) {
      this.#report(error); // of a Subscriber of the user's own class, which nobody guards
    }
  }

  readonly #report = (error: unknown): void => {
    this.#options.time.schedule(() => {
      throw error;
    });
  };
}

function inUse(handle: SocketHandle): SocketError {
  return new SocketError('HANDLE_IN_USE', `socket ${handle} is claimed, or somebody else waits for its events`);
}

/** One wait of one subscriber. */
export class Wait {
  readonly #socket: RoutedSocket;
  readonly #subscriber: Subscriber<SocketEvent>;
  readonly #timer: Subscription;

  constructor(socket: RoutedSocket, subscriber: Subscriber<SocketEvent>, time: SchedulerLike, timeoutMs: number) {
    this.#socket = socket;
    this.#subscriber = subscriber;
    socket.waiting = this;
    this.#timer = time.schedule(() => {
      socket.statistics.receiveRetries += 1;
      this.end({ type: 'WAIT_TIMEOUT', waits: 1 });
    }, timeoutMs);
  }

  end(event: SocketEvent): void {
    this.stop();
    this.#subscriber.next(event);
    this.#subscriber.complete();
  }

  fail(error: SocketError): void {
    this.stop();
    this.#subscriber.error(error);
  }

  /** Also what an early unsubscribe does: the next event is kept for the next wait. */
  readonly stop = (): void => {
    this.#timer.unsubscribe();
    if (this.#socket.waiting === this) this.#socket.waiting = undefined;
  };
}
