/** A server of an example, and the lives of its sessions as an onlooker sees them. */
import { createTcpServer, type RegistryChange, type Session, type SessionRecord, type TcpServer } from 'wirechart';
import type { RealTime } from 'wirechart/time';
import type { Example } from './scenarios.js';

/** One session, found by its peer's port, whether its server or its peer hears of the connection first. */
export class Life {
  session: Session | undefined;
  readonly ended: Promise<SessionRecord>;
  isOver = false;
  #state = '';
  readonly #states: string[] = [];
  #show: ((state: string) => void) | undefined;
  #end!: (record: SessionRecord) => void;

  constructor() {
    this.ended = new Promise((resolve) => (this.#end = resolve));
  }

  /** Shows its states so far, and each one to come. */
  show(show: (state: string) => void): void {
    this.#show = show;
    for (const state of this.#states.splice(0)) show(state);
  }

  note(change: RegistryChange): void {
    this.session = change.session;
    const state = change.type === 'removed' ? 'closed' : nameOf(change.session.transportState);
    // A change of the protocol's chart alone is not shown.
    if (state !== this.#state) (this.#show ?? ((early: string) => this.#states.push(early)))(state);
    this.#state = state;
    if (change.type !== 'removed') return;
    this.isOver = true;
    this.#end(change.record);
  }
}

export class Served {
  readonly server: TcpServer;
  errorCount = 0;
  /** By the peer's port, until its peer has taken it and it is over. */
  readonly #lives = new Map<number, Life>();
  readonly #taken = new Set<Life>();

  constructor(
    readonly example: Example,
    time: RealTime,
  ) {
    this.server = createTcpServer(example.protocol, { ...example.options, time });
    this.server.errors.subscribe(() => (this.errorCount += 1));
    this.server.sessions.changes.subscribe((change) => {
      const { port } = change.session.peer;
      const life = this.#lifeOf(port);
      life.note(change);
      if (life.isOver && this.#taken.delete(life)) this.#lives.delete(port);
    });
  }

  /** The life of the session whose peer has this port. Each peer takes its own, once. */
  take(port: number): Life {
    const life = this.#lifeOf(port);
    if (life.isOver) this.#lives.delete(port);
    else this.#taken.add(life);
    return life;
  }

  #lifeOf(port: number): Life {
    let life = this.#lives.get(port);
    if (!life) this.#lives.set(port, (life = new Life()));
    return life;
  }
}

/** `{ connected: 'flowing' }` as `connected.flowing`; what is deeper is left out. */
function nameOf(value: Session['transportState']): string {
  if (typeof value === 'string') return value;
  const [[outer, inner] = ['', '']] = Object.entries(value);
  return `${outer}.${typeof inner === 'string' ? inner : Object.keys(inner ?? {})[0]}`;
}
