/**
 * ELK in a worker of its own: laying out takes up to seconds, and the page never waits. The worker's file is the library's, as it was
 * published; what is said to it is here.
 *
 * A worker that gives no answer for 5 s is ended, and everything that waits for it fails. The next layout begins another one.
 */
import type { ElkNode } from 'elkjs/lib/elk-api.js';
import workerUrl from 'elkjs/lib/elk-worker.min.js?url';
import type { LayoutEngine } from './composition.js';
import { remembered } from './remembered-engine.js';

const ANSWER_TIMEOUT_MS = 5_000;
/** It keeps some 20 MB; charts are laid out when a page begins, and then seldom. */
const IDLE_TIMEOUT_MS = 15_000;

interface Answer {
  readonly id: number;
  readonly data?: unknown;
  readonly error?: { readonly message?: string };
}

interface Waiting {
  readonly resolve: (graph: ElkNode) => void;
  readonly reject: (error: Error) => void;
}

class ElkWorker implements LayoutEngine {
  #worker: Worker | undefined;
  #lastId = 0;
  #timer: ReturnType<typeof setTimeout> | undefined;
  readonly #waiting = new Map<number, Waiting>();

  layout(graph: ElkNode): Promise<ElkNode> {
    return new Promise((resolve, reject) => {
      try {
        const worker = (this.#worker ??= this.#begin());
        this.#lastId += 1;
        this.#waiting.set(this.#lastId, { resolve, reject });
        worker.postMessage({ id: this.#lastId, cmd: 'layout', graph, layoutOptions: {}, options: {} });
        if (this.#waiting.size === 1) this.#watch();
      } catch (error) {
        this.#end(error instanceof Error ? error.message : String(error));
        reject(new Error('the worker that lays out could not begin', { cause: error }));
      }
    });
  }

  #begin(): Worker {
    const worker = new Worker(workerUrl, { name: 'layout' });
    worker.onmessage = ({ data }: MessageEvent<Answer>) => this.#take(data);
    worker.onerror = (event) => {
      event.preventDefault();
      this.#end(event.message || 'it could not be loaded');
    };
    worker.postMessage({ id: 0, cmd: 'register', algorithms: ['layered'] });
    return worker;
  }

  #take({ id, data, error }: Answer): void {
    const waiting = this.#waiting.get(id);
    this.#waiting.delete(id);
    this.#watch();
    if (error) waiting?.reject(new Error(error.message ?? 'ELK found no places'));
    else waiting?.resolve(data as ElkNode);
  }

  #watch(): void {
    clearTimeout(this.#timer);
    this.#timer =
      this.#waiting.size > 0
        ? setTimeout(() => this.#end('it gave no answer for 5 s'), ANSWER_TIMEOUT_MS)
        : setTimeout(() => this.#end('it was idle'), IDLE_TIMEOUT_MS);
  }

  #end(why: string): void {
    clearTimeout(this.#timer);
    this.#worker?.terminate();
    this.#worker = undefined;
    const waiting = [...this.#waiting.values()];
    this.#waiting.clear();
    for (const { reject } of waiting) reject(new Error(`the worker that lays out was ended: ${why}`));
  }
}

export const elkEngine: LayoutEngine = remembered(new ElkWorker());
