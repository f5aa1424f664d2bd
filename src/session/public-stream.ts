/** Streams that users subscribe to (`PublicStream`), and values that they watch. */
import type { Observable } from 'rxjs';
import { PublicStream, type Report } from '../socket/public-stream.js';

export { PublicStream, type Report };

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
