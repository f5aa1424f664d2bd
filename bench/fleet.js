/** Starts servers, and refuses to compare those whose sockets differ. */
import { Child } from './child.js';

/** @typedef {'wirechart' | 'node-net-encode' | 'node-net-return'} Kind */
/** @typedef {import('./servers/bare.js').ServerOptions} ServerOptions */

/** Ours first. @type {readonly Kind[]} */
export const KINDS = ['wirechart', 'node-net-encode', 'node-net-return'];

/** The notes' 60 waits of 100 ms. */
export const IDLE_MS = 6_000;
/** Longer than any figure takes: no wait falls due, and yet each is waited for. */
export const LONG_IDLE_MS = 300_000;

/** @typedef {object} Load What a load process says of an order that it has carried out.
 *  @property {number} frames answered
 *  @property {number} sessions short ones that ended well
 *  @property {number} bad wrong answers
 *  @property {number} lost frames and connections
 *  @property {string} [firstError]
 *  @property {number} open connections
 *  @property {number} wallMs
 *  @property {number} cpuMs of the load process */

export class Server {
  #child;
  port = 0;

  /** @param {Kind} kind @param {string | undefined} profileFolder */
  constructor(kind, profileFolder) {
    this.kind = kind;
    const profile = profileFolder === undefined ? [] : ['--cpu-prof', `--cpu-prof-dir=${profileFolder}/${kind}`];
    this.#child = new Child(`servers/${kind}.js`, ['--expose-gc', ...profile]);
  }

  /** @param {ServerOptions} options */
  async start(options) {
    this.port = await this.#child.ask('start', options);
    return this;
  }

  /** @returns {Promise<number>} ms since the process began */
  cpu() {
    return this.#child.ask('cpu');
  }

  /** @returns {Promise<{ rss: number, heapUsed: number, external: number, arrayBuffers: number }>} */
  memory() {
    return this.#child.ask('memory');
  }

  /** @returns {Promise<number>} */
  sessions() {
    return this.#child.ask('sessions');
  }

  /** @returns {Promise<number[]>} ms by which idle closes were late, since the last call */
  late() {
    return this.#child.ask('late');
  }

  /** @returns {Promise<import('./servers/kernel-options.js').ReadBack | undefined>} of the first accepted socket */
  options() {
    return this.#child.ask('options');
  }

  /** @returns {Promise<string[]>} what went wrong in the server itself */
  faults() {
    return this.#child.ask('faults');
  }

  end() {
    return this.#child.end();
  }
}

export class LoadProcess {
  #child = new Child('load.js');

  /** @param {'open' | 'drive' | 'churn' | 'hold' | 'closed' | 'close'} type @param {object} order @returns {Promise<Load>} */
  order(type, order) {
    return this.#child.ask(type, order);
  }

  end() {
    return this.#child.end();
  }
}

/** Starts servers and loads, and ends them in any case.
 *  @template T
 *  @param {{ servers: [Kind, ServerOptions][], loads: number, profileFolder?: string | undefined }} wanted
 *  @param {(servers: Server[], loads: LoadProcess[]) => Promise<T>} work */
export async function withFleet({ servers: wanted, loads: loadCount, profileFolder }, work) {
  const servers = wanted.map(([kind]) => new Server(kind, profileFolder));
  const loads = Array.from({ length: loadCount }, () => new LoadProcess());
  try {
    await Promise.all(wanted.map(([, options], index) => servers[index]?.start(options)));
    return await work(servers, loads);
  } finally {
    await Promise.all([...servers, ...loads].map((child) => child.end()));
  }
}

/** @param {import('./servers/kernel-options.js').KernelOptions} kernel
 *  @returns {Promise<string>} the options that accepted sockets have, the same on all servers; throws when they are not */
export function comparedOptions(kernel) {
  const options = { kernel, idleMs: IDLE_MS, watch: false };
  return withFleet({ servers: KINDS.map((kind) => [kind, options]), loads: 1 }, async (servers, [load]) => {
    /** @type {(string | undefined)[]} */
    const read = [];
    for (const server of servers) {
      const request = { frames: 1, payloadBytes: 32, count: 1, perSecond: 0, everyMs: 0, address: 0 };
      await load?.order('open', { ...request, port: server.port });
      read.push(JSON.stringify(await server.options()));
      await load?.order('close', { reset: false });
    }
    if (new Set(read).size === 1) return read[0] ?? 'unknown: koffi is not installed, or this is not Linux';
    const each = servers.map(({ kind }, index) => `${kind} ${read[index]}`).join('\n  ');
    throw new Error(`the servers' sockets have different kernel options:\n  ${each}`);
  });
}
