/**
 * HTTP and the upgrade to WebSockets, on one port of one or two addresses. All that is decided here is who is let in, and which bytes
 * answer a path; what pages say afterwards is not known here.
 */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import { networkInterfaces } from 'node:os';
import type { Duplex, Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { Access, hostNames, inUrl } from './access.js';
import { VISUALIZER_PATH } from './messages.js';
import type { PageFiles } from './page-files.js';
import { VisualizerError } from './visualizer-error.js';

export interface WebParts {
  readonly host: string | undefined;
  readonly port: number;
  readonly token: string;
  readonly page: PageFiles;
  /**
   * Text of a recording, which is read to its end or destroyed; `undefined`: there is none of that name.
   * @throws {VisualizerError} RECORDING_TOO_LARGE
   */
  recording(name: string): Promise<Readable | undefined>;
  /** A page that may look, over a socket that is still HTTP. */
  upgrade(request: IncomingMessage, socket: Duplex, head: Buffer): void;
  /**
   * For paths that let programs in that are no browsers, with the token in the address: true when it was theirs. They are told only of
   * requests that are for us, have the token (or cookie), and come from our page or from none at all.
   */
  upgradeElsewhere(path: string, request: IncomingMessage, socket: Duplex, head: Buffer): boolean;
  failed(error: unknown): void;
  /** Of a request whose answer nobody takes, in ms. Default 30 000. */
  readonly idleTimeoutMs?: number;
}

/** Bounds of what one client may make us hold. */
const URL_MAX = 2_048;
const HEADER_BYTES = 16_384;
const CONNECTIONS_MAX = 128;
const HEADERS_TIMEOUT_MS = 5_000;
const REQUEST_TIMEOUT_MS = 10_000;
const IDLE_TIMEOUT_MS = 30_000;
/** Recordings that are being sent, one for each connection at most: each is an open file, and who asks need not read. */
const RECORDINGS_SENT_MAX = 8;
/** Tries to find a port that is free on both loopback addresses. */
const PORT_TRIES = 8;

/** Of a file, not of a view: ids and names in views' paths may have dots as well. */
const ASSET_PATH = /^\/assets\/|^\/[^/]+\.\w+$/;
const RECORDING_PATH = /^\/recordings\/([^/]+)$/;

export class WebServer {
  readonly #parts: WebParts;
  readonly #servers: Server[] = [];
  readonly #sockets = new Set<Socket>();
  /** Those that a recording is sent to. */
  readonly #sending = new Set<Socket>();
  #access: Access | undefined;
  #port = 0;

  constructor(parts: WebParts) {
    this.#parts = parts;
  }

  /** With the token: whoever has it is let in. */
  get url(): string {
    const { host, token } = this.#parts;
    const named = host === undefined || host === '0.0.0.0' ? '127.0.0.1' : host === '::' ? '::1' : host;
    return `http://${inUrl(named)}:${this.#port}/?token=${token}`;
  }

  /** @throws {VisualizerError} LISTEN_FAILED */
  async listen(): Promise<void> {
    const { host, port, token } = this.#parts;
    if (host !== undefined) this.#port = await this.#open(host, port);
    else await this.#openLoopback(port);
    this.#access = new Access(hostNames(host), this.#port, token);
  }

  /** @returns when no socket is left */
  async close(): Promise<void> {
    const closed = this.#servers.splice(0).map((server) => new Promise((resolve) => server.close(resolve)));
    for (const socket of this.#sockets) socket.destroy();
    await Promise.all(closed);
  }

  async #openLoopback(port: number): Promise<void> {
    const hasIpv6 = Object.values(networkInterfaces()).some((list) => list?.some(({ address }) => address === '::1'));
    for (let tries = 1; ; tries += 1) {
      this.#port = await this.#open('127.0.0.1', port);
      if (!hasIpv6) return;
      try {
        await this.#open('::1', this.#port);
        return;
      } catch (error) {
        const { code } = (error as VisualizerError).cause as { code?: string };
        // There is an address, and still no listening on it: then one has to do.
        if (code !== 'EADDRINUSE') return;
        await this.close();
        // The port that was free on one address is somebody else's on the other. Another one will do, if any would.
        if (port !== 0 || tries === PORT_TRIES) throw error;
      }
    }
  }

  /** @returns the port */
  #open(host: string, port: number): Promise<number> {
    const server = createServer(
      {
        maxHeaderSize: HEADER_BYTES,
        headersTimeout: HEADERS_TIMEOUT_MS,
        requestTimeout: REQUEST_TIMEOUT_MS,
        connectionsCheckingInterval: 1_000,
        requireHostHeader: false, // it is checked with the others
      },
      (request, response) => this.#answer(request, response),
    );
    server.maxConnections = CONNECTIONS_MAX;
    server.setTimeout(this.#parts.idleTimeoutMs ?? IDLE_TIMEOUT_MS);
    server.on('upgrade', (request, socket, head) => this.#upgrade(request, socket, head));
    server.on('connection', (socket) => {
      this.#sockets.add(socket);
      socket.on('close', () => this.#sockets.delete(socket)).on('error', () => socket.destroy());
    });
    server.on('clientError', (error: NodeJS.ErrnoException, socket) => {
      // A browser opens connections before it needs them, and would take an answer on one of them for that to its next request.
      if (error.code === 'ERR_HTTP_REQUEST_TIMEOUT') socket.destroy();
      else refuse(socket, 400, 'Bad Request');
    });
    return new Promise((resolve, reject) => {
      const onError = (error: NodeJS.ErrnoException) =>
        reject(new VisualizerError('LISTEN_FAILED', explain(error, host, port), { cause: error }));
      server.once('error', onError);
      server.listen({ host, port, backlog: 64, ipv6Only: host === '::1' }, () => {
        server.off('error', onError).on('error', (error) => this.#parts.failed(error));
        this.#servers.push(server);
        resolve((server.address() as AddressInfo).port);
      });
    });
  }

  #answer(request: IncomingMessage, response: ServerResponse): void {
    request.resume(); // no body is of interest
    response.on('error', () => {});
    this.#reply(request, response).catch((error: unknown) => {
      this.#parts.failed(error);
      if (!response.headersSent) plain(response, 500, 'The visualizer could not answer.');
      else response.destroy();
    });
  }

  async #reply(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const access = this.#access;
    setHeaders(request, response);
    if (!access) return plain(response, 503, 'The visualizer is not ready yet.');
    if (!access.isForUs(request)) return plain(response, 403, 'The visualizer does not go by this name.');
    if (request.method !== 'GET' && request.method !== 'HEAD') {
      response.setHeader('Allow', 'GET, HEAD');
      return plain(response, 405, 'There is only GET and HEAD.');
    }
    if ((request.url ?? '').length > URL_MAX) return plain(response, 414, 'The address is too long.');
    const url = parseUrl(request);
    if (!url) return plain(response, 400, 'The address is none.');
    const token = url.searchParams.get('token');
    const isIn = access.hasCookie(request);
    if (token !== null && (isIn || access.isToken(token))) {
      url.searchParams.delete('token');
      response.setHeader('Set-Cookie', access.setCookie);
      // Not `//`: a browser would take what follows for another host.
      response.setHeader('Location', `${url.pathname.replace(/^\/+/, '/')}${url.search}`);
      return plain(response, 303, 'Go on without the token.');
    }
    if (!isIn) return notIn(response);
    // Cookies of this address go along with requests of pages on its other ports; what those get, they cannot read, and need not get.
    const site = request.headers['sec-fetch-site'];
    if (
      site !== undefined &&
      site !== 'same-origin' &&
      site !== 'none' &&
      request.headers['sec-fetch-mode'] !== 'navigate'
    )
      return plain(response, 403, 'Another page asks for this.');
    await this.#serve(url, request, response);
  }

  async #serve({ pathname, searchParams }: URL, request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { page } = this.#parts;
    const recording = RECORDING_PATH.exec(pathname)?.[1];
    if (recording !== undefined) {
      // The same address is a view of the page for who goes there, and the text for who fetches it.
      response.setHeader('Vary', 'Accept');
      const isView = (request.headers.accept ?? '').includes('text/html') && !searchParams.has('download');
      if (!isView) return this.#serveRecording(recording, request, response);
    }
    const file = page.get(pathname);
    if (!file && ASSET_PATH.test(pathname)) return plain(response, 404, 'There is no such file.');
    const shown = file ?? page.get('/index.html');
    if (!shown) return notBuilt(response);
    response.setHeader('Content-Type', shown.type);
    response.setHeader('ETag', shown.etag);
    response.setHeader('Cache-Control', shown.isImmutable ? 'private, max-age=31536000, immutable' : 'no-cache');
    if (request.headers['if-none-match'] === shown.etag) {
      response.statusCode = 304;
      response.end();
      return;
    }
    send(response, shown.body);
  }

  async #serveRecording(encoded: string, { socket }: IncomingMessage, response: ServerResponse): Promise<void> {
    const name = decoded(encoded);
    if (name === undefined) return plain(response, 404, 'There is no such recording.');
    // Requests may come one behind the other, before the first one is answered.
    if (this.#sending.has(socket) || this.#sending.size >= RECORDINGS_SENT_MAX) {
      response.setHeader('Retry-After', '1');
      return plain(response, 503, 'Others are being sent: ask again.');
    }
    this.#sending.add(socket);
    let isSent = false;
    const sent = () => {
      if (!isSent) this.#sending.delete(socket);
      isSent = true;
    };
    // Then whoever asks may have read it, and ask for the next one: the file itself is closed a moment later.
    response.once('finish', sent);
    try {
      const text = await this.#parts.recording(name);
      if (!text) return plain(response, 404, 'There is no such recording.');
      response.setHeader('Content-Type', 'application/x-ndjson; charset=utf-8');
      const ascii = name.replace(/[^\w.-]/g, '_');
      response.setHeader('Content-Disposition', `attachment; filename="${ascii}"`);
      response.setHeader('Cache-Control', 'no-store');
      await sendAll(text, socket, response);
    } catch (error) {
      if (!(error instanceof VisualizerError) || error.code !== 'RECORDING_TOO_LARGE') throw error;
      return plain(response, 403, `${error.message}.`);
    } finally {
      sent();
    }
  }

  #upgrade(request: IncomingMessage, socket: Duplex, head: Buffer): void {
    socket.on('error', () => socket.destroy());
    try {
      const access = this.#access;
      if (!access) return refuse(socket, 503, 'Service Unavailable');
      if (!access.isForUs(request)) return refuse(socket, 403, 'Forbidden');
      const url = (request.url ?? '').length > URL_MAX ? undefined : parseUrl(request);
      if (!url) return refuse(socket, 400, 'Bad Request');
      const { pathname, searchParams } = url;
      const hasOrigin = request.headers.origin !== undefined;
      if (hasOrigin && !access.isFromUs(request)) return refuse(socket, 403, 'Forbidden');
      const isIn = access.hasCookie(request) || access.isToken(searchParams.get('token') ?? '');
      if (pathname === VISUALIZER_PATH) {
        // A browser always says where its page is from; so does what wants to be taken for ours.
        if (!hasOrigin) return refuse(socket, 403, 'Forbidden');
        if (!isIn) return refuse(socket, 401, 'Unauthorized');
        return this.#parts.upgrade(request, socket, head);
      }
      if (!isIn) return refuse(socket, 401, 'Unauthorized');
      if (!this.#parts.upgradeElsewhere(pathname, request, socket, head)) refuse(socket, 404, 'Not Found');
    } catch (error) {
      this.#parts.failed(error);
      socket.destroy();
    }
  }
}

function setHeaders({ headers }: IncomingMessage, response: ServerResponse): void {
  // Some browsers do not take `'self'` for the WebSocket of the same address. What is no plain host name is refused later anyway.
  const host = /^[\w.:[\]-]+$/.test(headers.host ?? '') ? ` ws://${headers.host}` : '';
  response.setHeader(
    'Content-Security-Policy',
    `default-src 'self'; connect-src 'self'${host}; worker-src 'self'; object-src 'none'; ` +
      "frame-ancestors 'none'; form-action 'self'; base-uri 'none'",
  );
  response.setHeader('X-Content-Type-Options', 'nosniff');
  response.setHeader('X-Frame-Options', 'DENY');
  response.setHeader('Referrer-Policy', 'no-referrer');
  response.setHeader('Cross-Origin-Resource-Policy', 'same-origin');
  response.setHeader('Cross-Origin-Opener-Policy', 'same-origin');
}

function parseUrl({ url = '' }: IncomingMessage): URL | undefined {
  if (!url.startsWith('/')) return undefined;
  try {
    // Put behind a host, so that `//elsewhere/path` is a path.
    return new URL(`http://localhost${url}`);
  } catch {
    return undefined;
  }
}

function decoded(part: string): string | undefined {
  try {
    return decodeURIComponent(part);
  } catch {
    return undefined;
  }
}

function send(response: ServerResponse, body: Buffer): void {
  response.setHeader('Content-Length', body.length);
  response.end(response.req.method === 'HEAD' ? undefined : body);
}

/** As fast as it is read. @returns when all is sent, or nobody is there any more */
async function sendAll(text: Readable, socket: Socket, response: ServerResponse): Promise<void> {
  if (socket.destroyed || response.req.method === 'HEAD') {
    text.destroy();
    response.end();
    return;
  }
  // The end of a socket is told to the answer whose turn it is, and to none of those behind it.
  const leave = () => text.destroy();
  socket.once('close', leave);
  try {
    await pipeline(text, response);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ERR_STREAM_PREMATURE_CLOSE') throw error;
  } finally {
    socket.off('close', leave);
  }
}

function plain(response: ServerResponse, status: number, text: string): void {
  response.statusCode = status;
  response.setHeader('Content-Type', 'text/plain; charset=utf-8');
  response.setHeader('Cache-Control', 'no-store');
  if (status >= 400) response.setHeader('Connection', 'close');
  send(response, Buffer.from(`${text}\n`));
}

/** For people: what to do, and not a word about what there is to see. */
function notIn(response: ServerResponse): void {
  html(
    response,
    401,
    'This page needs its token',
    `<p>Open the address that was printed when the visualizer started: it ends with <code>?token=</code> and a secret.
     It is a new one each time.</p>
     <p>If you have just followed a link from another page: <a href="">go on</a>.</p>`,
  );
}

function notBuilt(response: ServerResponse): void {
  html(
    response,
    503,
    'The page was not built',
    '<p>The visualizer runs, and its page is missing. In a checkout, <code>npm run build</code> builds it.</p>',
  );
}

function html(response: ServerResponse, status: number, title: string, body: string): void {
  response.statusCode = status;
  response.setHeader('Content-Type', 'text/html; charset=utf-8');
  response.setHeader('Cache-Control', 'no-store');
  send(
    response,
    Buffer.from(`<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="color-scheme" content="light dark">
<title>${title}</title>
<h1>${title}</h1>
${body}
</html>
`),
  );
}

/** Answers what is no request of ours any more. */
function refuse(socket: Duplex, status: number, text: string): void {
  if (!socket.writable) {
    socket.destroy();
    return;
  }
  socket.end(`HTTP/1.1 ${status} ${text}\r\nConnection: close\r\nContent-Length: 0\r\n\r\n`, () => socket.destroy());
}

/** What a person can do about it. */
function explain({ code, message }: NodeJS.ErrnoException, host: string, port: number): string {
  const where = `${inUrl(host)}:${port}`;
  switch (code) {
    case 'EADDRINUSE':
      return `${where} is in use by another process: choose another port for the visualizer, or 0 for any free one`;
    case 'EADDRNOTAVAIL':
      return `${host} is not an address of this machine`;
    case 'EACCES':
      return `no permission to listen on ${where}`;
    case 'ENOTFOUND':
    case 'EAI_AGAIN':
      return `the name ${host} is not known, or no name server answers (${code})`;
    default:
      return `the visualizer cannot listen on ${where}: ${message}`;
  }
}
