/** Carries faults out on a world's network, and takes them back when they are over. */
import type { SchedulerLike, Subscription } from 'rxjs';
import type { ScriptedPeer } from '../explore/peer.js';
import { type LinkConditions, PERFECT } from '../socket/simulated/link.js';
import type { SimulatedNetwork } from '../socket/simulated/network.js';
import type { ListenAddress, SocketLayer } from '../socket/socket-layer.js';
import type { Fault, ScheduledFault } from './faults.js';

/** What of a world can go wrong. */
export interface FaultTarget {
  readonly time: SchedulerLike;
  readonly network: SimulatedNetwork;
  /** What the network was made with. */
  readonly conditions: Partial<LinkConditions>;
  /** Connected, in the order of their connecting. */
  readonly peers: () => readonly ScriptedPeer[];
  /** Layers of servers, with the hosts that they are on and the addresses that they listen on. */
  readonly servers: () => readonly {
    readonly host: string;
    readonly layer: SocketLayer;
    readonly address: ListenAddress | undefined;
  }[];
  hostOf(peer: ScriptedPeer): string;
  vanish(peer: ScriptedPeer): void;
  /** A bare connection that does not count as one of the world's peers. */
  scan(address: ListenAddress, by: 'fin' | 'reset'): void;
  stalled(durationMs: number): void;
  readonly trace: (text: string) => void;
}

/** The limit of a process of which nothing was said: that of `network.layer`. */
const DESCRIPTORS = 1_048_576;

export class FaultPlayer {
  readonly #target: FaultTarget;
  /** What is under way or still to come. */
  readonly #timers = new Set<Subscription>();
  /** Taken back early when the faults are to stop. */
  readonly #undo = new Set<() => void>();

  constructor(target: FaultTarget) {
    this.#target = target;
  }

  get pendingCount(): number {
    return this.#timers.size;
  }

  schedule(schedule: readonly ScheduledFault[]): void {
    for (const { atMs, ...fault } of schedule) this.#after(atMs, () => this.strike(fault as Fault));
  }

  /** Everything is as it was made: no fault comes any more, and those under way are over. Peers that read nothing read again. */
  stop(): void {
    for (const timer of this.#timers) timer.unsubscribe();
    this.#timers.clear();
    for (const undo of [...this.#undo]) undo();
    this.#target.network.heal();
  }

  strike(fault: Fault): void {
    const { network, trace } = this.#target;
    trace(`fault ${JSON.stringify(fault)}`);
    switch (fault.kind) {
      case 'fin':
        return this.#victim(fault.peer)?.end();
      case 'reset':
        return this.#victim(fault.peer)?.reset();
      case 'vanish': {
        const victim = this.#victim(fault.peer);
        return victim && this.#target.vanish(victim);
      }
      case 'pause': {
        const victim = this.#victim(fault.peer);
        victim?.pause();
        return victim && this.#during(fault.durationMs, () => victim.resume());
      }
      case 'partition':
        return this.#cut(this.#victim(fault.peer), fault.durationMs, fault.oneWay);
      case 'swizzle':
        return this.#swizzle(fault);
      case 'weather':
        network.change(fault.conditions);
        return this.#during(fault.durationMs, () => network.change({ ...PERFECT, ...this.#target.conditions }));
      case 'stall':
        for (const { host } of this.#target.servers()) network.stall(host, fault.durationMs);
        return this.#target.stalled(fault.durationMs);
      case 'acceptErrors':
        for (const { host } of this.#target.servers()) network.failAccepts(host, fault.count);
        return;
      case 'descriptors':
        for (const { layer } of this.#target.servers()) network.limitDescriptors(layer, 3);
        return this.#during(fault.durationMs, () => {
          for (const { layer } of this.#target.servers()) network.limitDescriptors(layer, DESCRIPTORS);
        });
      case 'scan':
        for (const { address } of this.#target.servers()) {
          for (let n = 0; address !== undefined && n < fault.count; n += 1) this.#target.scan(address, fault.by);
        }
    }
  }

  #victim(number: number): ScriptedPeer | undefined {
    const peers = this.#target.peers();
    return peers[number % peers.length];
  }

  #cut(victim: ScriptedPeer | undefined, durationMs: number, oneWay = false): void {
    if (victim === undefined) return;
    const { network } = this.#target;
    const host = this.#target.hostOf(victim);
    network.partition(host, undefined, { oneWay });
    this.#during(durationMs, () => network.heal(host));
  }

  #swizzle({ peers, back, stepMs }: Extract<Fault, { kind: 'swizzle' }>): void {
    const { network } = this.#target;
    const hosts = new Map(
      peers.flatMap((number) => {
        const victim = this.#victim(number);
        return victim ? [[number, this.#target.hostOf(victim)] as const] : [];
      }),
    );
    [...hosts.values()].forEach((host, step) => this.#after(step * stepMs, () => network.partition(host)));
    back.forEach((number, step) => {
      const host = hosts.get(number);
      if (host !== undefined) this.#during((peers.length + step) * stepMs, () => network.heal(host));
    });
  }

  /** @param end takes it back: after `durationMs`, or when the faults are to stop */
  #during(durationMs: number, end: () => void): void {
    const undo = () => {
      this.#undo.delete(undo);
      end();
    };
    this.#undo.add(undo);
    this.#after(durationMs, undo);
  }

  #after(delayMs: number, act: () => void): void {
    const timer = this.#target.time.schedule(() => {
      this.#timers.delete(timer);
      act();
    }, delayMs);
    this.#timers.add(timer);
  }
}
