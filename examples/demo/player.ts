/** Plays one scenario of one example, run after run, and keeps its row of the account. */
import type { Session, SessionRecord } from 'wirechart';
import type { RealTime } from 'wirechart/time';
import type { Row } from './account.js';
import { Peer } from './peer.js';
import type { Scenario, Stage } from './scenarios.js';
import type { Life, Served } from './served.js';

/** What a player needs of the whole. */
export interface Demo {
  readonly time: RealTime;
  /** Those whose connections have not ended. */
  readonly peers: Set<Peer>;
  readonly isStopping: boolean;
  pause(ms: number): Promise<void>;
  changed(row: Row, what: 'peer' | 'session' | 'end'): void;
}

export class Player {
  readonly row: Row;
  /** The last run was as it should be. */
  good = true;

  readonly #demo: Demo;
  readonly #served: Served;
  readonly #scenario: Scenario;

  constructor(demo: Demo, served: Served, scenario: Scenario) {
    this.#demo = demo;
    this.#served = served;
    this.#scenario = scenario;
    const { name } = served.server.protocol;
    this.row = { example: name, scenario: scenario.name, doing: '', state: '', last: '', saw: '', count: 0 };
  }

  async play(run: string): Promise<void> {
    const { row } = this;
    row.state = '';
    const stage = this.#stage(run);
    try {
      const peer = await this.#scenario.play(stage);
      const record = await stage.ended;
      if (this.#demo.isStopping) return;
      this.good = record.reason === this.#scenario.reason && record.closedBy === this.#scenario.closedBy;
      row.last = `${record.reason}, ${record.closedBy.toUpperCase()}`;
      row.saw = peer.saw === undefined ? '' : `, peer saw ${peer.saw}`;
      if (!this.good) row.last = `WRONG: ${row.last} instead of ${this.#scenario.reason}`;
    } catch (error) {
      if (this.#demo.isStopping) return;
      this.good = false;
      row.last = `WRONG: ${(error as Error).message}`;
      row.saw = '';
    }
    row.count += 1;
    this.#demo.changed(row, 'end');
  }

  #stage(run: string): Stage {
    const demo = this.#demo;
    const { row } = this;
    let life: Life | undefined;
    return {
      run,
      connect: async () => {
        const [peer, itsLife] = await this.#arrive();
        life = itsLife;
        life.show((state) => {
          row.state = state;
          demo.changed(row, 'session');
        });
        return peer;
      },
      helper: async () => (await this.#arrive())[0],
      does(what) {
        row.doing = what;
        demo.changed(row, 'peer');
      },
      pause: (ms) => demo.pause(ms),
      get session(): Session {
        return life!.session!;
      },
      get ended(): Promise<SessionRecord> {
        return life!.ended;
      },
    };
  }

  async #arrive(): Promise<[Peer, Life]> {
    const { server, example } = this.#served;
    const peer = new Peer(server.address()!.port, example.codec(), this.#demo.time);
    this.#demo.peers.add(peer);
    peer.socket.once('close', () => this.#demo.peers.delete(peer));
    await peer.connected();
    return [peer, this.#served.take(peer.socket.localPort!)];
  }
}
