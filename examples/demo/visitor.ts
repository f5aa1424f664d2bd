/** A client that keeps coming back: it hears the joke to its end, which ends the connection, rests, and knocks again. */
import { emit, setup } from 'xstate';
import {
  createTcpClient,
  createTcpServer,
  defineProtocol,
  type ProtocolCommand,
  type TcpClient,
  type TcpServer,
} from 'wirechart';
import { lines, type LineMessage } from 'wirechart/codec';
import type { RealTime } from 'wirechart/time';
import knockKnock from '../knock-knock/index.js';

const machine = setup({
  types: {} as { events: LineMessage; emitted: ProtocolCommand<LineMessage> },
  actions: { say: emit((_, text: string) => ({ type: 'SEND', message: { type: 'LINE', text } })) },
  delays: { thinking: 1_500 },
}).createMachine({
  id: 'visitor',
  initial: 'waiting',
  states: {
    waiting: { on: { LINE: 'wondering' } },
    wondering: { after: { thinking: { target: 'asking', actions: { type: 'say', params: "Who's there?" } } } },
    asking: { on: { LINE: 'puzzled' } },
    puzzled: { after: { thinking: { target: 'listening', actions: { type: 'say', params: 'Boo who?' } } } },
    listening: { on: { LINE: 'amused' } },
    amused: {}, // the joke is over, and the server ends the connection
  },
});

const visitor = defineProtocol({
  name: 'visitor',
  codecs: { lines: () => lines() },
  initialCodec: 'lines',
  machine,
});

export class Visit {
  readonly server: TcpServer;
  client: TcpClient | undefined;
  readonly #time: RealTime;

  constructor(time: RealTime) {
    this.#time = time;
    this.server = createTcpServer(knockKnock, { time });
  }

  async start(): Promise<TcpClient> {
    await this.server.start();
    const { port } = this.server.address()!;
    // Long enough to be seen, and never the last time.
    const backOff = { minMs: 6_000, maxMs: 6_000, attemptsMax: Infinity };
    this.client = createTcpClient(visitor, { port, backOff, time: this.#time });
    await this.client.start();
    return this.client;
  }

  async stop(option: 'graceful' | 'force'): Promise<void> {
    await this.client?.stop({ option });
    await this.server.stop({ option });
  }
}
