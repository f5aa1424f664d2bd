/**
 * The page's one WebSocket. It comes back by itself, and what was subscribed is subscribed anew; whoever listens is told of each message
 * of a type. It holds no data of its own but `hello`.
 */
import {
  VISUALIZER_PATH,
  VISUALIZER_VERSION,
  type LogEntry,
  type PageMessage,
  type ServerMessage,
} from '../../../src/inspect/visualizer/messages.js';
import { named } from '../chart/named.js';

export type LinkStatus =
  /** Not there yet. */
  | 'connecting'
  | 'live'
  /** It was there, and will be again. */
  | 'reconnecting'
  /** The server speaks another version: the page has to be loaded again. */
  | 'outdated'
  /** The server does not let us in: the token is another one now. */
  | 'refused';

export type Hello = Extract<ServerMessage, { type: 'hello' }>;
export type MessageOf<T extends ServerMessage['type']> = Extract<ServerMessage, { type: T }>;
export type Subscribe = Extract<PageMessage, { type: 'subscribe' }>;
export type Command = Omit<Extract<PageMessage, { type: 'command' }>, 'type' | 'ref'>;

export interface CommandResult {
  readonly outcome: LogEntry['outcome'] | 'lost';
  readonly text: string;
  readonly recording?: string;
}

const RETRY_MS = 1_000;
const ANSWER_MS = 10_000;

export class Link {
  status: LinkStatus = 'connecting';
  hello: Hello | undefined;
  /** No ticks are asked for: the person has paused them. */
  isPaused = false;

  readonly #url: string;
  #socket: WebSocket | undefined;
  readonly #subscriptions = new Map<string, Subscribe>();
  readonly #listeners = new Map<string, Set<(message: ServerMessage) => void>>();
  readonly #frames = new Set<(frame: DataView) => void>();
  readonly #changed = new Set<() => void>();
  readonly #answers = new Map<number, (result: CommandResult) => void>();
  #ref = 0;

  constructor(url = `${location.protocol === 'https:' ? 'wss' : 'ws'}://${location.host}${VISUALIZER_PATH}`) {
    this.#url = url;
    document.addEventListener('visibilitychange', () => this.#sendPause());
    this.#open();
  }

  /** Told when `status`, `hello` or `isPaused` changes. For `useSyncExternalStore`. */
  readonly onChange = (listener: () => void): (() => void) => {
    this.#changed.add(listener);
    return () => this.#changed.delete(listener);
  };

  on<T extends ServerMessage['type']>(type: T, listener: (message: MessageOf<T>) => void): () => void {
    const listeners = this.#listeners.get(type) ?? new Set();
    this.#listeners.set(type, listeners.add(listener as (message: ServerMessage) => void));
    return () => listeners.delete(listener as (message: ServerMessage) => void);
  }

  /** Binary frames: the wall's. */
  onFrame(listener: (frame: DataView) => void): () => void {
    this.#frames.add(listener);
    return () => this.#frames.delete(listener);
  }

  /** One of each topic; of `session` one for each session. Asked for again after a reconnect. @returns what ends it */
  subscribe(message: Subscribe): () => void {
    const key = message.topic === 'session' ? `session ${message.source} ${message.id}` : message.topic;
    this.#subscriptions.set(key, message);
    this.send(message);
    return () => {
      if (this.#subscriptions.get(key) !== message) return;
      this.#subscriptions.delete(key);
      this.send(
        message.topic === 'session'
          ? { type: 'unsubscribe', topic: 'session', source: message.source, id: message.id }
          : { type: 'unsubscribe', topic: message.topic },
      );
    };
  }

  send(message: PageMessage): void {
    if (this.#socket?.readyState === WebSocket.OPEN && this.hello) this.#socket.send(JSON.stringify(message));
  }

  /** @returns what became of it; `lost`: no answer came, and it may have been carried out. */
  command(command: Command): Promise<CommandResult> {
    const ref = (this.#ref += 1);
    return new Promise((resolve) => {
      const timer = setTimeout(() => answer({ outcome: 'lost', text: 'no answer came within 10 s' }), ANSWER_MS);
      const answer = (result: CommandResult) => {
        clearTimeout(timer);
        this.#answers.delete(ref);
        resolve(result);
      };
      this.#answers.set(ref, answer);
      if (this.status !== 'live') return answer({ outcome: 'lost', text: 'the server is not connected' });
      this.send({ type: 'command', ref, ...command });
    });
  }

  pause(on: boolean): void {
    this.isPaused = on;
    this.#sendPause();
    this.#tellChanged();
  }

  #sendPause(): void {
    this.send({ type: 'pause', on: this.isPaused || document.hidden });
  }

  #open(): void {
    const socket = (this.#socket = new WebSocket(this.#url));
    socket.binaryType = 'arraybuffer';
    socket.addEventListener('message', ({ data }) => {
      if (typeof data === 'string') this.#receive(JSON.parse(data) as ServerMessage);
      else for (const listener of this.#frames) listener(new DataView(data as ArrayBuffer));
    });
    socket.addEventListener('close', () => void this.#closed());
  }

  #receive(message: ServerMessage): void {
    if (message.type === 'hello') this.#begin(message);
    if (message.type === 'sources' && this.hello) {
      this.hello = { ...this.hello, sources: message.sources };
      this.#tellChanged();
    }
    if (message.type === 'result') this.#answers.get(message.ref)?.(message);
    for (const listener of this.#listeners.get(message.type) ?? []) listener(message);
  }

  #begin(hello: Hello): void {
    if (hello.version !== VISUALIZER_VERSION) {
      this.#setStatus('outdated');
      this.#socket?.close();
      return;
    }
    const charts = Object.entries(hello.charts).map(([key, chart]) => [key, named(chart, key)] as const);
    this.hello = { ...hello, charts: Object.fromEntries(charts) };
    this.#setStatus('live');
    for (const message of this.#subscriptions.values()) this.send(message);
    this.#sendPause();
  }

  async #closed(): Promise<void> {
    for (const answer of [...this.#answers.values()])
      answer({ outcome: 'lost', text: 'the connection broke before the answer came' });
    if (this.status === 'outdated') return;
    if (this.status === 'live') this.#setStatus('reconnecting');
    // A refused upgrade looks like any other failure; a plain request tells them apart.
    const isRefused = await fetch('/', { method: 'HEAD', cache: 'no-store' }).then(
      ({ status }) => status === 401,
      () => false,
    );
    if (isRefused) this.#setStatus('refused');
    setTimeout(() => this.#open(), RETRY_MS);
  }

  #setStatus(status: LinkStatus): void {
    if (this.status === status) return;
    this.status = status;
    this.#tellChanged();
  }

  #tellChanged(): void {
    for (const listener of [...this.#changed]) listener();
  }
}
