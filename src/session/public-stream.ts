/**
 * Streams that users subscribe to. RxJS throws what a subscriber throws into the process, on a timer; for a subscriber
 * of ours that is caught here and reported, and the stream goes on for it and for the others.
 * Behind the user's own operators only RxJS's `config.onUnhandledError` can catch: whoever runs the process sets it.
 */
import { isObservable, Observable, Subscriber, type Observer, type Subscription } from 'rxjs';

export type Report = (error: unknown) => void;

/** An Observable whose direct subscribers may throw. */
export class PublicStream<T> extends Observable<T> {
  readonly #report: Report;

  constructor(source: (subscriber: Subscriber<T>) => Subscription | (() => void) | void, report: Report) {
    super(source);
    this.#report = report;
  }

  override subscribe(observer?: Partial<Observer<T>> | ((value: T) => void) | null, ...rest: any[]): Subscription {
    // An operator subscribes with a Subscriber of its own, which must be passed on as it is.
    if (observer instanceof Subscriber || isObservable(observer)) return super.subscribe(observer);
    const [error, complete] = rest as [((error: unknown) => void)?, (() => void)?];
    const user: Partial<Observer<T>> =
      typeof observer === 'function' || !observer ? { next: observer ?? (() => {}) } : observer;
    return super.subscribe({
      next: (value) => this.#guard(() => user.next?.(value)),
      error: (reason: unknown) => this.#guard(() => (user.error ?? error)?.(reason)),
      complete: () => this.#guard(() => (user.complete ?? complete)?.()),
    });
  }

  #guard(tell: () => void): void {
    try {
      tell();
    } catch (error) {
      this.#report(error);
    }
  }
}

/** A value that changes: `value` is the present one; subscribers get it first, and then each change. */
export class Live<T> extends PublicStream<T> {
  readonly #read: () => T;

  constructor(read: () => T, changes: Observable<T>, report: Report) {
    super((subscriber) => {
      subscriber.next(read());
      return changes.subscribe(subscriber);
    }, report);
    this.#read = read;
  }

  get value(): T {
    return this.#read();
  }
}
