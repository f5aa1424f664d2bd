/** What connects the hosts: links and their conditions, names, who is cut off from whom, the seed and the trace. */
import type { SchedulerLike } from 'rxjs';
import { Generator, seedOf } from './generator.js';
import { Host } from './host.js';
import { Link, type LinkConditions, PERFECT } from './link.js';

/** Which direction a change is for; what is left out stands for any host. */
export interface Direction {
  readonly from?: string;
  readonly to?: string;
}

export interface FabricOptions {
  /** Runs what comes from the network: on VirtualTime its `sockets`, so that it comes before timers. */
  readonly time: SchedulerLike;
  readonly seed: number;
  readonly conditions: Partial<LinkConditions>;
  readonly onTrace: ((line: string) => void) | undefined;
  readonly systemBufferBytes: number;
  /** Of the stream of a paused socket. */
  readonly streamBufferBytes: number;
}

const ANY = '*';

export class Fabric {
  readonly #hosts = new Map<string, Host>();
  readonly #links = new Map<string, Link>();
  readonly #names = new Map<string, readonly string[]>();
  /** Conditions by direction, in the order of their first change: later ones are stronger. */
  readonly #rules = new Map<string, Partial<LinkConditions>>();
  readonly #cuts = new Set<string>();
  #connectionCount = 0;

  constructor(readonly options: FabricOptions) {
    this.#rules.set(keyOf({}), { ...PERFECT, ...options.conditions });
  }

  get time(): SchedulerLike {
    return this.options.time;
  }

  get hosts(): Iterable<Host> {
    return this.#hosts.values();
  }

  /** The host at an address; it is there from its first mention. */
  host(address: string): Host {
    let host = this.#hosts.get(address);
    if (host === undefined) this.#hosts.set(address, (host = new Host(address, this.time)));
    return host;
  }

  /** @returns whom a host reaches at an address; `undefined` when nobody has it. */
  route(from: Host, address: string): Host | undefined {
    return from.has(address) ? from : this.#hosts.get(address);
  }

  link(from: string, to: string): Link {
    const key = `${from}>${to}`;
    let link = this.#links.get(key);
    if (link === undefined) {
      link = new Link(from, to);
      this.#links.set(key, link);
      this.#apply(link);
    }
    return link;
  }

  linksOf(address: string): Link[] {
    return [...this.#links.values()].filter(({ from }) => from === address);
  }

  name(name: string, addresses: readonly string[]): void {
    this.#names.set(name, addresses);
  }

  /** @returns `undefined` when the name is unknown. */
  lookUp(name: string): readonly string[] | undefined {
    return this.#names.get(name) ?? (name === 'localhost' ? ['127.0.0.1'] : undefined);
  }

  change(conditions: Partial<LinkConditions>, direction: Direction): void {
    const key = keyOf(direction);
    this.#rules.set(key, { ...this.#rules.get(key), ...conditions });
    for (const link of this.#links.values()) this.#apply(link);
  }

  cut(directions: readonly Direction[]): void {
    for (const direction of directions) this.#cuts.add(keyOf(direction));
    this.#updateCuts();
  }

  /** @param directions `undefined`: all. */
  heal(directions: readonly Direction[] | undefined): void {
    if (directions === undefined) this.#cuts.clear();
    else for (const direction of directions) this.#cuts.delete(keyOf(direction));
    this.#updateCuts();
  }

  /** Numbers and seeds the next connection. */
  nextConnection(): { readonly number: number; readonly generatorOf: (side: 0 | 1) => Generator } {
    const number = (this.#connectionCount += 1);
    const seed = seedOf(this.options.seed, number);
    return { number, generatorOf: (side) => new Generator(seedOf(seed, side)) };
  }

  trace(text: () => string): void {
    this.options.onTrace?.(`${this.time.now().toFixed(3)} ${text()}`);
  }

  #updateCuts(): void {
    // All links first: an end asks for both of its directions.
    const changed = [...this.#links.values()].filter((link) => {
      const down = this.#isCut(link);
      const changes = down !== link.down;
      link.down = down;
      return changes;
    });
    for (const link of changed) for (const user of [...link.users]) user.pathChanged();
  }

  #isCut({ from, to }: Link): boolean {
    if (this.#cuts.size === 0 || from === to) return false; // what stays on a host goes through no network
    return [{ from, to }, { from }, { to }, {}].some((direction) => this.#cuts.has(keyOf(direction)));
  }

  #apply(link: Link): void {
    const { from, to } = link;
    let conditions = PERFECT;
    for (const [key, rule] of this.#rules) {
      if ([{}, { from }, { to }, { from, to }].some((direction) => keyOf(direction) === key)) {
        conditions = { ...conditions, ...rule };
      }
    }
    link.conditions = conditions;
    link.down = this.#isCut(link);
  }
}

function keyOf({ from = ANY, to = ANY }: Direction): string {
  return `${from}>${to}`;
}
