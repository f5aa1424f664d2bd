/**
 * Streams that users subscribe to. RxJS throws what a subscriber throws into the process, on a timer; for a subscriber
 * of ours that is caught here and reported, and the stream goes on for it and for the others.
 * Behind the user's own operators only RxJS's `config.onUnhandledError` can catch: whoever runs the process sets it.
 */
import { isObservable, Observable, Subscriber, type Observer, type Subscription } from 'rxjs';

export type Report = (error: unknown) => void;

/** An Observable whose direct subscribers may throw; an error of the stream that one of them does not take is reported, too. */
export class PublicStream<T> extends Observable<T> {
  readonly #report: Report;
  #subscriberCount = 0;

  constructor(source: (subscriber: Subscriber<T>) => Subscription | (() => void) | void, report: Report) {
    super(source);
    this.#report = report;
  }

  /** Who has subscribed and not unsubscribed. */
  get subscriberCount(): number {
    return this.#subscriberCount;
  }

  override subscribe(observer?: Partial<Observer<T>> | ((value: T) => void) | null, ...rest: any[]): Subscription {
    const subscription = this.#subscribe(observer, rest);
    this.#subscriberCount += 1;
    subscription.add(() => (this.#subscriberCount -= 1));
    return subscription;
  }

  #subscribe(
    observer: Partial<Observer<T>> | ((value: T) => void) | null | undefined,
    rest: readonly unknown[],
  ): Subscription {
    // An operator subscribes with a Subscriber of its own, which must be passed on as it is.
    if (observer instanceof Subscriber || isObservable(observer)) return super.subscribe(observer);
    const [error, complete] = rest as [((error: unknown) => void)?, (() => void)?];
    const user =
      typeof observer === 'function' || !observer ? { next: observer ?? undefined, error, complete } : observer;
    const report = this.#report;
    return super.subscribe({
      // Every byte of every socket comes this way: no closure per value.
      next(value) {
        try {
          user.next?.(value);
        } catch (thrown) {
          report(thrown);
        }
      },
      error(reason: unknown) {
        if (!user.error) return report(reason);
        try {
          user.error(reason);
        } catch (thrown) {
          report(thrown);
        }
      },
      complete() {
        try {
          user.complete?.();
        } catch (thrown) {
          report(thrown);
        }
      },
    });
  }
}
