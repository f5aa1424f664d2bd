/**
 * Who may see the page.
 *
 * The hard question: who is on the other side of a loopback port? Any web page that this machine's browsers show can open a WebSocket to
 * it, or reach it under a name of its own that it points to 127.0.0.1 (DNS rebinding). So each request has to name us by one of our own
 * addresses (`Host`), a WebSocket has to come from our own page (`Origin`), and both need a secret that only who reads the terminal has.
 * None of the three is enough: the cookie goes along with requests of pages on other ports of the same address, which for cookies is the
 * same site; `Host` and `Origin` are whatever a program that is no browser says.
 */
import { createHash, randomBytes, timingSafeEqual } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import { isIP } from 'node:net';
import { hostname, networkInterfaces } from 'node:os';

/** 128 bits: as Node's own inspector has them. */
const TOKEN_BYTES = 16;

export function newToken(): string {
  return randomBytes(TOKEN_BYTES).toString('base64url');
}

/** Does nobody but this machine reach it? */
export function isLoopback(host: string): boolean {
  return host === 'localhost' || host === '::1' || (isIP(host) === 4 && host.startsWith('127.'));
}

/** The names by which we may be called. @param host where we listen; `undefined`: on this machine's own addresses */
export function hostNames(host: string | undefined): readonly string[] {
  const own = ['127.0.0.1', 'localhost', '::1'];
  if (host === undefined) return own;
  if (isLoopback(host)) return [...new Set([host, ...own])];
  if (host !== '0.0.0.0' && host !== '::') return [host.toLowerCase()];
  const addresses = Object.values(networkInterfaces()).flatMap((list) => (list ?? []).map(({ address }) => address));
  return [...new Set([...own, ...addresses, hostname().toLowerCase()])];
}

/** An address as it stands in a URL. */
export function inUrl(host: string): string {
  return isIP(host) === 6 ? `[${host}]` : host;
}

export class Access {
  readonly #hosts: ReadonlySet<string>;
  readonly #token: Buffer;
  readonly #cookie: string;

  /** @param port that we listen on */
  constructor(
    names: readonly string[],
    port: number,
    private readonly token: string,
  ) {
    const withPort = names.map((name) => `${inUrl(name)}:${port}`);
    // A browser leaves out the port that is the protocol's own.
    this.#hosts = new Set(port === 80 ? [...withPort, ...names.map(inUrl)] : withPort);
    this.#token = digest(token);
    // Cookies do not tell ports apart: two visualizers on one machine would take each other's.
    this.#cookie = `wirechart_${port}`;
  }

  /** Is it us that the request means? Also with two `Host`s it is not, of which another program might read the other one. */
  isForUs({ rawHeaders, headers }: IncomingMessage): boolean {
    const count = rawHeaders.filter((name, index) => index % 2 === 0 && name.toLowerCase() === 'host').length;
    return count === 1 && headers.host !== undefined && this.#hosts.has(headers.host.toLowerCase());
  }

  /** Does it come from our own page, by the same name? */
  isFromUs({ headers }: IncomingMessage): boolean {
    return headers.origin !== undefined && headers.origin.toLowerCase() === `http://${headers.host?.toLowerCase()}`;
  }

  isToken(text: string): boolean {
    return timingSafeEqual(digest(text), this.#token);
  }

  hasCookie({ headers }: IncomingMessage): boolean {
    const all = (headers.cookie ?? '').split(';').map((pair) => pair.trim());
    const own = all.filter((pair) => pair.startsWith(`${this.#cookie}=`));
    // A page on another port may have set one of the same name for another path: ours is among them.
    return own.some((pair) => this.isToken(pair.slice(this.#cookie.length + 1)));
  }

  get setCookie(): string {
    return `${this.#cookie}=${this.token}; HttpOnly; SameSite=Strict; Path=/`;
  }
}

/** Of equal length, whatever came. */
function digest(text: string): Buffer {
  return createHash('sha256').update(text).digest();
}
