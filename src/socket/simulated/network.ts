/**
 * A network in memory: the second implementation of the socket layer, on any scheduler.
 *
 * What it is for: a server, its clients and its faults in one process, in virtual time, the same at each run. A layer made by
 * `layer` is what a server or a client takes instead of real sockets; everything else here is what goes wrong.
 *
 * The choice: streams, not packets. TCP hides loss, reordering and duplicates from a process; what it sees of them is delay and
 * pieces. So the network has delays, pieces and cuts, and TCP's own answers to them (buffers, windows, RST, timeouts) as Linux gives
 * them. Given up: congestion control, Nagle, delayed acknowledgements, TIME-WAIT.
 */
import type { SchedulerLike } from 'rxjs';
import type { SocketHandle } from '../../../machines/events.js';
import { checkInteger, refuseUnknown } from '../check.js';
import { EventRouter } from '../event-router.js';
import type { SocketLayer, SocketRecord } from '../socket-layer.js';
import { SimulatedConnection } from './connection.js';
import { DescriptorTable } from './descriptor-table.js';
import { type Direction, Fabric } from './fabric.js';
import { HostClock } from './host-clock.js';
import { checkConditions, CONDITION_NAMES, type LinkConditions } from './link.js';
import { Process } from './process.js';
import { SimulatedLayer, type SimulatedSocket } from './simulated-layer.js';
import type { TcpEnd } from './tcp-end.js';

export type { Direction } from './fabric.js';
export type { LinkConditions } from './link.js';

/** Besides these, the conditions of every link that has none of its own. */
export interface SimulatedNetworkOptions extends Partial<LinkConditions> {
  /** VirtualTime or RealTime. What the network does runs on VirtualTime's `sockets`, so before timers of the same moment. */
  readonly time: SchedulerLike & { readonly sockets?: SchedulerLike };
  /** All chance comes from it: an integer of at least 0, up to 2^53. */
  readonly seed: number;
  /** Told of each event and segment, as stable text: two runs with one seed on VirtualTime give equal lines. */
  readonly onTrace?: (line: string) => void;
  /** What a buffer size of `'system'` means. Default 262 144. */
  readonly systemBufferBytes?: number;
  /** What a paused socket still reads: the high-water mark of Node's streams. Default 65 536 (Node 22 and later); Node 20 has 16 384. */
  readonly streamBufferBytes?: number;
}

export interface SimulatedLayerOptions {
  /** Events that wait for `waitEvents` before reading is paused, 1 or more. Default 64. */
  readonly waitQueueMax?: number;
  /** Soft limit of the process, 3 or more. Default 1 048 576. */
  readonly descriptorLimit?: number;
}

/** Which way a partition or a change is for. */
export interface PartitionOptions {
  /** Only what goes from the first host to the second is lost. Default false. */
  readonly oneWay?: boolean;
}

export interface SimulatedNetwork {
  /**
   * A new process on a host, with sockets of its own. @param address the host's, IPv4 or IPv6; default 127.0.0.1.
   * Processes of one host share its ports; each has its own descriptors.
   */
  layer(address?: string, options?: SimulatedLayerOptions): SocketLayer;
  /** The clock for a host's processes, whose timers wait while the host is stalled. Needed only where `stall` is used. */
  clock(address?: string): SchedulerLike;
  /** Makes a name known to all hosts. `localhost` is known. */
  name(name: string, ...addresses: string[]): void;
  /** Changes conditions, of all links or of those in one direction. What is under way stays as it is. */
  change(conditions: Partial<LinkConditions>, direction?: Direction): void;
  /** Cuts two hosts from each other, or one from all others (`b` left out). Nobody is told; TCP sends again after `heal`. */
  partition(a: string, b?: string, options?: PartitionOptions): void;
  /** Ends a partition with the same arguments, or all of them. */
  heal(a?: string, b?: string): void;
  /** The processes of a host stand still for `durationMs`; its kernel takes bytes and connections as long as it has room. */
  stall(address: string, durationMs: number): void;
  /** The machine goes without a word, or one connection's end does: its sockets are closed without an event, its peers hear nothing. */
  vanish(what: string | SocketRecord): void;
  /** A machine that vanished is back, and knows nothing of its connections: it answers them with RST. */
  restore(address: string): void;
  /** The next `count` accepts on a host fail with `code` (default ECONNABORTED): each an ERROR of its server socket; none is lost. */
  failAccepts(address: string, count: number, code?: string): void;
  /** Changes the descriptor limit of a layer of this network. */
  limitDescriptors(layer: SocketLayer, limit: number): void;
  /** Ports below it cannot be listened on (EACCES). Default 1 024, as Linux; 0: all are allowed. */
  setUnprivilegedPortMin(address: string, port: number): void;
}

/**
 * ```ts
 * const time = new VirtualTime();
 * const network = createSimulatedNetwork({ time, seed: 1, latencyMs: 5 });
 * const server = network.layer('10.0.0.1');
 * const peers = network.layer('10.0.0.2');
 * network.partition('10.0.0.1', '10.0.0.2');
 * ```
 *
 * @throws {SocketError} OPTION_INVALID
 */
export function createSimulatedNetwork(options: SimulatedNetworkOptions): SimulatedNetwork {
  return new Network(options);
}

const LOCALHOST = '127.0.0.1';
const OPTION_NAMES = ['time', 'seed', 'onTrace', 'systemBufferBytes', 'streamBufferBytes', ...CONDITION_NAMES];
const COUNT = { min: 0, max: 2 ** 31 - 1 };

class Network implements SimulatedNetwork {
  readonly #time: SchedulerLike;
  readonly #fabric: Fabric;
  readonly #processes = new WeakMap<SocketLayer, Process>();

  constructor(options: SimulatedNetworkOptions) {
    const path = 'createSimulatedNetwork';
    refuseUnknown(path, options, OPTION_NAMES);
    const { time, seed, onTrace, systemBufferBytes = 262_144, streamBufferBytes = 65_536, ...conditions } = options;
    checkInteger(`${path}.seed`, seed, { min: 0, max: Number.MAX_SAFE_INTEGER });
    checkInteger(`${path}.systemBufferBytes`, systemBufferBytes, { min: 1, max: COUNT.max });
    checkInteger(`${path}.streamBufferBytes`, streamBufferBytes, { min: 1, max: COUNT.max });
    checkConditions(path, conditions);
    this.#time = time;
    const sockets = time.sockets ?? time;
    this.#fabric = new Fabric({ time: sockets, seed, conditions, onTrace, systemBufferBytes, streamBufferBytes });
  }

  layer(address = LOCALHOST, options: SimulatedLayerOptions = {}): SocketLayer {
    const { waitQueueMax = 64, descriptorLimit = 1_048_576 } = options;
    checkInteger('layer.waitQueueMax', waitQueueMax, { min: 1, max: COUNT.max });
    checkInteger('layer.descriptorLimit', descriptorLimit, { min: 3, max: COUNT.max });
    const records = new Map<SocketHandle, SimulatedSocket>();
    const router = new EventRouter({ time: this.clock(address), waitQueueMax, find: (handle) => records.get(handle) });
    const process = new Process(this.#fabric, this.#fabric.host(address), new DescriptorTable(descriptorLimit), router);
    const layer = new SimulatedLayer(process, records);
    this.#processes.set(layer, process);
    return layer;
  }

  clock(address = LOCALHOST): SchedulerLike {
    return new HostClock(this.#time, this.#fabric.host(address));
  }

  name(name: string, ...addresses: string[]): void {
    this.#fabric.name(name, addresses);
  }

  change(conditions: Partial<LinkConditions>, direction: Direction = {}): void {
    checkConditions('change', conditions);
    const { from = '*', to = '*' } = direction;
    this.#fabric.trace(() => `change ${from} > ${to} ${JSON.stringify(conditions)}`);
    this.#fabric.change(conditions, direction);
  }

  partition(a: string, b?: string, { oneWay = false }: PartitionOptions = {}): void {
    this.#fabric.trace(() => `partition ${a} ${oneWay ? '>' : '-'} ${b ?? '*'}`);
    this.#fabric.cut(directions(a, b).slice(0, oneWay ? 1 : 2));
  }

  heal(a?: string, b?: string): void {
    this.#fabric.trace(() => `heal ${a ?? '*'} - ${b ?? '*'}`);
    this.#fabric.heal(a === undefined ? undefined : directions(a, b));
  }

  stall(address: string, durationMs: number): void {
    this.#fabric.trace(() => `stall ${address} ${durationMs}`);
    this.#fabric.host(address).stall(durationMs);
  }

  vanish(what: string | SocketRecord): void {
    if (typeof what !== 'string') {
      if (!(what instanceof SimulatedConnection)) return;
      this.#fabric.trace(() => `vanish ${what.kind} ${what.handle}`);
      what.end?.vanish();
      return;
    }
    this.#fabric.trace(() => `vanish ${what}`);
    // The ends first: a machine that is gone sends no RST when its listeners close.
    for (const end of this.#endsOn(what)) end.vanish();
    this.#fabric.host(what).vanish();
  }

  restore(address: string): void {
    this.#fabric.trace(() => `restore ${address}`);
    this.#fabric.host(address).vanished = false;
    for (const end of this.#endsOn(address)) end.revive();
  }

  failAccepts(address: string, count: number, code = 'ECONNABORTED'): void {
    checkInteger('failAccepts.count', count, COUNT);
    this.#fabric.trace(() => `failAccepts ${address} ${count} ${code}`);
    this.#fabric.host(address).failingAccepts = { count, code };
  }

  limitDescriptors(layer: SocketLayer, limit: number): void {
    checkInteger('limitDescriptors.limit', limit, { min: 3, max: COUNT.max });
    const process = this.#processes.get(layer);
    if (process === undefined) throw new TypeError('the layer is not of this network');
    process.descriptors.limit = limit;
  }

  setUnprivilegedPortMin(address: string, port: number): void {
    checkInteger('setUnprivilegedPortMin.port', port, { min: 0, max: 65_536 });
    this.#fabric.host(address).unprivilegedPortMin = port;
  }

  #endsOn(address: string): TcpEnd[] {
    return this.#fabric.linksOf(address).flatMap(({ users }) => [...users] as TcpEnd[]);
  }
}

function directions(a: string, b: string | undefined): Direction[] {
  return b === undefined
    ? [{ from: a }, { to: a }]
    : [
        { from: a, to: b },
        { from: b, to: a },
      ];
}
