/**
 * A web page that shows every session of servers and clients on its statechart, live. It is a server of its own, with its own clock and its
 * own errors: what goes wrong in it ends no session, and nobody who looks can slow the sessions down by not reading.
 */
import type { IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';
import { interval, Subject, type Observable, type SchedulerLike } from 'rxjs';
import { WebSocketServer, type WebSocket } from 'ws';
import type { TcpClient } from '../../client.js';
import type { TcpServer } from '../../server.js';
import { invalid } from '../../socket/check.js';
import { RealTime } from '../../time/real-time.js';
import { createFeed } from '../create-feed.js';
import { createOutlets } from '../outlets.js';
import type { Outlet } from '../outlets/outlet.js';
import { newToken } from './access.js';
import { LIMITS } from './messages.js';
import { outletSocket } from './outlet-socket.js';
import { packagePlace } from './package-place.js';
import { readPageFiles } from './page-files.js';
import type { PageSocket } from './viewer.js';
import { textOf, VisualizerError } from './visualizer-error.js';
import { VisualizerHub, type HubTarget } from './visualizer-hub.js';
import { parseVisualizerOptions, type ParsedVisualizerOptions, type VisualizerOptions } from './visualizer-options.js';
import { WebServer } from './web-server.js';

export interface Visualizer {
  /**
   * Listens, and begins to count states. Servers and clients need not have started.
   * @throws {VisualizerError} PRODUCTION when `NODE_ENV` is `production` and the option `production` is not set; LISTEN_FAILED;
   *   RECORDINGS_FAILED when `recordings` is there and cannot be read; ALREADY_STARTED
   */
  start(): Promise<void>;
  /** `http://127.0.0.1:41234/?token=...`: whoever has it is let in. Empty before it listens. */
  readonly url: string;
  /** Ends all pages, counts no more, and leaves servers and clients as they are. @returns when no socket is left */
  stop(): Promise<void>;
  /** Pages that look, now. */
  readonly viewers: number;
  /** What went wrong in the visualizer, hot: never thrown into the process. */
  readonly errors: Observable<VisualizerError>;
  /** Errors since it was made. */
  readonly errorCount: number;
  [Symbol.asyncDispose](): Promise<void>;
}

/** What can be shown. */
export type Visualized = TcpServer | TcpClient;

/** What tests put in place of the real things. */
export interface VisualizerParts {
  readonly targets?: () => readonly HubTarget[];
  /** Folder of the built page. */
  readonly page?: string;
}

/** Between two pings. A page that has not answered until the next one is gone. */
const PING_MS = 5_000;
/** WebSocket close codes (RFC 6455, 7.4.1; 1013 is in IANA's registry): come back later. */
const TRY_AGAIN_LATER = 1013;

/**
 * A page that shows servers and clients, and recordings. It does nothing before `start`.
 *
 * ```ts
 * const visualizer = createVisualizer(server, { control: true });
 * await visualizer.start();
 * process.stdout.write(`${visualizer.url}\n`); // open this
 * ```
 * @param what one, several, or none: then there are recordings alone to look at
 * @throws {SocketError} OPTION_INVALID with the option, its value and what was expected
 */
export function createVisualizer(
  what: Visualized | readonly Visualized[] = [],
  options: VisualizerOptions = {},
): Visualizer {
  const all = (Array.isArray(what) ? what : [what]) as readonly Visualized[];
  const parsed = parseVisualizerOptions(options);
  if (all.some((one) => typeof one !== 'object' || one === null))
    throw invalid('visualizer', 'what createTcpServer or createTcpClient returned', what);
  const { payloads } = parsed;
  return new WebVisualizer(parsed, {
    targets: () => targetsOf(all, payloads),
  });
}

/** All of them, or none that goes on counting. */
function targetsOf(all: readonly Visualized[], payloads: boolean): readonly HubTarget[] {
  const targets: HubTarget[] = [];
  try {
    for (const target of all) targets.push({ target, feed: createFeed(target, { payloads }) });
    return targets;
  } catch (error) {
    for (const { feed } of targets) feed.end();
    throw error;
  }
}

/** As `createVisualizer`, for tests. */
export function makeVisualizer(options: VisualizerOptions, parts: VisualizerParts): Visualizer {
  return new WebVisualizer(parseVisualizerOptions(options), parts);
}

/** All that there is while it runs. */
interface Running {
  readonly hub: VisualizerHub;
  readonly web: WebServer;
  readonly sockets: WebSocketServer;
  readonly outlets: readonly Outlet[];
  readonly pings: { unsubscribe(): void };
}

class WebVisualizer implements Visualizer {
  readonly #options: ParsedVisualizerOptions;
  readonly #parts: VisualizerParts;
  readonly #time: SchedulerLike;
  readonly #errors = new Subject<VisualizerError>();
  readonly #token: string;
  #running: Running | undefined;
  #starting: Promise<Running> | undefined;
  #errorCount = 0;
  #stopping: Promise<void> | undefined;

  readonly errors: Observable<VisualizerError> = this.#errors.asObservable();

  constructor(options: ParsedVisualizerOptions, parts: VisualizerParts) {
    this.#options = options;
    this.#token = options.token ?? newToken();
    this.#parts = parts;
    this.#time = options.time ?? new RealTime({ onError: (error) => this.#failed(error) });
  }

  get url(): string {
    return this.#running?.web.url ?? '';
  }

  get viewers(): number {
    return this.#running?.hub.viewers ?? 0;
  }

  get errorCount(): number {
    return this.#errorCount;
  }

  async start(): Promise<void> {
    if (this.#running || this.#starting) throw new VisualizerError('ALREADY_STARTED', 'the visualizer runs already');
    if (process.env['NODE_ENV'] === 'production' && !this.#options.production) {
      throw new VisualizerError(
        'PRODUCTION',
        'NODE_ENV is production: the visualizer shows every session to whoever has its address, so there it needs the option `production: true`',
      );
    }
    this.#starting = this.#open();
    try {
      this.#running = await this.#starting;
    } finally {
      this.#starting = undefined;
    }
  }

  stop(): Promise<void> {
    this.#stopping ??= this.#stop().finally(() => (this.#stopping = undefined));
    return this.#stopping;
  }

  async #stop(): Promise<void> {
    // One that is about to listen would do so after it was stopped; if it fails, `start` says so.
    await this.#starting?.catch(() => {});
    const running = this.#running;
    if (!running) return;
    this.#running = undefined;
    running.pings.unsubscribe();
    for (const outlet of running.outlets) outlet.stop();
    for (const socket of running.sockets.clients) socket.terminate();
    running.sockets.close();
    await running.web.close();
    await running.hub.end();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.stop();
  }

  async #open(): Promise<Running> {
    const { control, payloads, recordings, host, port } = this.#options;
    const { root, version } = packagePlace();
    const failed = (error: unknown) => this.#failed(error);
    // First: what it needs of the disk may not be there, and nothing would end the feeds.
    const page = readPageFiles(this.#parts.page ?? `${root}dist/visualizer`);
    const targets = this.#parts.targets?.() ?? [];
    const hub = new VisualizerHub({ targets, control, payloads, recordings, version, time: this.#time, failed });
    const sockets = new WebSocketServer({
      noServer: true,
      clientTracking: true,
      maxPayload: LIMITS.messageBytes,
      // It would keep a window for each page, and compressing for localhost is work for nothing.
      perMessageDeflate: false,
    });
    const web = new WebServer({
      host,
      port,
      token: this.#token,
      page,
      recording: (name) => hub.recordings.text(name),
      upgrade: (request, socket, head) => this.#upgrade(request, socket, head),
      upgradeElsewhere: (path, ...rest) => this.#upgradeOutlet(path, ...rest),
      failed,
    });
    try {
      await hub.recordings.open();
      await web.listen();
    } catch (error) {
      await hub.end();
      throw error;
    }
    const outlets = createOutlets({
      sources: () => hub.outletTargets,
      control,
      payloads,
      nowMs: () => this.#time.now(),
      requested: (request) => hub.noteOutlet(request),
      noted: (text) => failed(new VisualizerError('OUTLET', text)),
    });
    return { hub, web, sockets, outlets, pings: this.#pingAll(sockets) };
  }

  #upgrade(request: IncomingMessage, socket: Duplex, head: Buffer): void {
    const running = this.#running;
    if (!running) return void socket.destroy();
    running.sockets.handleUpgrade(request, socket, head, (webSocket) => this.#connected(webSocket, running));
  }

  /** @returns false when the path is none of an outlet */
  #upgradeOutlet(path: string, request: IncomingMessage, socket: Duplex, head: Buffer): boolean {
    const outlet = this.#running?.outlets.find((one) => one.path === path);
    if (!outlet) return false;
    const query = new URL(request.url ?? '/', 'http://localhost').searchParams;
    this.#running!.sockets.handleUpgrade(request, socket, head, (webSocket) => {
      webSocket.on('error', () => {});
      outlet.connect(outletSocket(webSocket), query);
    });
    return true;
  }

  #connected(socket: WebSocket, { hub }: Running): void {
    // `ws` closes the socket itself after an error: of a message that is too large, or broken.
    socket.on('error', () => {});
    if (hub.viewers >= LIMITS.viewers) {
      const text = `there are ${LIMITS.viewers} pages already`;
      socket.send(JSON.stringify({ type: 'error', text }));
      socket.close(TRY_AGAIN_LATER, text);
      return;
    }
    const page: PageSocket = {
      send: (data) => socket.send(data),
      terminate: () => socket.terminate(),
      get bufferedAmount() {
        return socket.bufferedAmount;
      },
    };
    const viewer = hub.connect(page);
    socket.on('message', (data, isBinary) => viewer.receive(isBinary ? undefined : (data as Buffer).toString('utf8')));
    socket.on('close', () => hub.disconnect(viewer));
  }

  /** A page whose machine has gone to sleep, or off the network, says nothing more. */
  #pingAll(sockets: WebSocketServer): Running['pings'] {
    const waiting = new WeakSet<WebSocket>();
    return interval(PING_MS, this.#time).subscribe(() => {
      for (const socket of sockets.clients) {
        if (waiting.has(socket)) {
          socket.terminate();
          continue;
        }
        waiting.add(socket);
        socket.once('pong', () => waiting.delete(socket));
        socket.ping();
      }
    });
  }

  #failed(error: unknown): void {
    this.#errorCount += 1;
    this.#errors.next(
      error instanceof VisualizerError ? error : new VisualizerError('INTERNAL', textOf(error), { cause: error }),
    );
  }
}
