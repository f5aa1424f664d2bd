/** The ways in which a session can end, played by a peer for each example. */
import type { AnyProtocol, Session, SessionRecord, TcpServerOptions } from 'wirechart';
import { lengthPrefixed, lines, type Codec } from 'wirechart/codec';
import chat from '../chat/index.js';
import echo from '../echo/index.js';
import mediaControl, { peerCodec } from '../media-control/index.js';
import type { Peer } from './peer.js';

/** Where a scenario is played: one row of the account. */
export interface Stage {
  /** Different for each run. */
  readonly run: string;
  /** A peer whose session the row is about. */
  connect(): Promise<Peer>;
  /** A peer that only helps. */
  helper(): Promise<Peer>;
  /** Says what the peer does now. */
  does(what: string): void;
  pause(ms: number): Promise<void>;
  readonly session: Session;
  /** Fulfilled when our session has ended. */
  readonly ended: Promise<SessionRecord>;
}

export interface Scenario {
  readonly name: string;
  readonly reason: string;
  readonly closedBy: 'fin' | 'rst';
  play(stage: Stage): Promise<Peer>;
}

export interface Example {
  readonly protocol: AnyProtocol;
  readonly options: TcpServerOptions;
  /** The options in words. */
  readonly note: string;
  readonly codec: () => Codec<any, any>;
  readonly scenarios: readonly Scenario[];
}

type Part = (stage: Stage, peer: Peer) => Promise<void>;

/** What the examples do not share. */
interface Parts {
  /** The first words with the server. */
  greet: Part;
  graceful: Part;
  forced: Part;
  /** Until the session has ended. */
  readSlowly: Part;
  slowReason: string;
}

function scenariosOf({ greet, graceful, forced, readSlowly, slowReason }: Parts): Scenario[] {
  const after = (part: Part) => async (stage: Stage) => {
    stage.does('connects');
    const peer = await stage.connect();
    await greet(stage, peer);
    await stage.pause(1_200);
    await part(stage, peer);
    await stage.ended;
    // Who reads nothing hears of no RST: it writes once more.
    if (peer.socket.isPaused()) peer.socket.write(Uint8Array.of(0));
    peer.socket.resume();
    await peer.over();
    return peer;
  };
  const peerFin: Part = (stage, peer) => {
    stage.does('sends its FIN');
    peer.socket.end();
    return peer.over();
  };
  const peerRst: Part = (stage, peer) => {
    stage.does('sends an RST');
    peer.socket.resetAndDestroy();
    return peer.over();
  };
  const silence: Part = (stage, peer) => {
    stage.does('falls silent');
    return peer.over();
  };
  return [
    { name: 'peer FIN', reason: 'peer closed', closedBy: 'fin', play: after(peerFin) },
    { name: 'peer RST', reason: 'peer reset', closedBy: 'rst', play: after(peerRst) },
    { name: 'wait timeout', reason: 'wait timeout', closedBy: 'fin', play: after(silence) },
    { name: 'server graceful', reason: 'protocol asked', closedBy: 'fin', play: after(graceful) },
    { name: 'server forced', reason: 'protocol asked', closedBy: 'rst', play: after(forced) },
    { name: 'slow reader', reason: slowReason, closedBy: 'rst', play: after(readSlowly) },
  ];
}

const close =
  (option: 'graceful' | 'force'): Part =>
  async (stage, peer) => {
    stage.does(option === 'force' ? 'reset by server' : 'closed by server');
    stage.session.close(option);
    await peer.over();
  };

const KIB = 1024;

const echoExample: Example = {
  protocol: echo,
  // The 60 waits of 100 ms as they are. A peer that reads nothing is given up after 1.5 s instead of 30 s.
  options: { sendTimeoutMs: 1_500 },
  note: '6 s of silence end a session, 1.5 s of congestion',
  codec: () => lengthPrefixed(),
  scenarios: scenariosOf({
    async greet(stage, peer) {
      stage.does('sends 3 frames');
      for (const text of ['one', 'two', 'three']) peer.sends({ type: 'FRAME', payload: Buffer.from(text) });
      for (let n = 0; n < 3; n += 1) await peer.reads();
      stage.does('got 3 answers');
    },
    graceful: close('graceful'),
    forced: close('force'),
    async readSlowly(stage, peer) {
      peer.socket.pause();
      const payload = Buffer.alloc(64 * KIB);
      for (let n = 0; n < 16; n += 1) peer.sends({ type: 'FRAME', payload });
      stage.does('reads no answers');
      await stage.ended;
    },
    slowReason: 'send timeout',
  }),
};

const line = (text: string) => ({ type: 'LINE', text });

const chatExample: Example = {
  protocol: chat,
  // 3 s of silence instead of 5 min; 256 KiB may wait for one who does not read instead of 4 MiB.
  options: { waitTimeoutCountMax: 30, heldBytesMax: 256 * KIB },
  note: '3 s of silence end a session, 256 KiB that wait',
  codec: () => lines({ maxFrameBytes: 1_024 }),
  scenarios: scenariosOf({
    async greet(stage, peer) {
      await enterRoom(peer, `ann-${stage.run}`, stage.run);
      stage.does('has nick and room');
    },
    async graceful(stage, peer) {
      stage.does('says quit');
      peer.sends(line('quit'));
      await peer.over();
    },
    forced: close('force'),
    async readSlowly(stage, peer) {
      peer.socket.pause();
      stage.does('reads no lines');
      const talker = await stage.helper();
      await enterRoom(talker, `bob-${stage.run}`, stage.run);
      let over = false;
      const ended = stage.ended.finally(() => (over = true));
      while (!over) {
        // The talker reads: it says more when it has heard itself.
        for (let n = 0; n < 40; n += 1) talker.sends(line(`say ${n} ${'bla '.repeat(110)}`));
        await talker.reads(({ text }: { text: string }) => text.includes('> 39 '));
        await stage.pause(30);
      }
      talker.sends(line('quit'));
      await talker.over();
      await ended;
    },
    slowReason: 'slow reader',
  }),
};

async function enterRoom(peer: Peer, nick: string, room: string): Promise<void> {
  peer.sends(line(`nick ${nick}`), line(`join room-${room}`));
  await peer.reads(({ text }: { text: string }) => text === `* you are in room-${room}`);
}

const mediaControlExample: Example = {
  protocol: mediaControl,
  // 2 s of silence instead of 6 s; 1 MiB may wait for one who does not read instead of 4 MiB.
  options: { waitTimeoutCountMax: 20, heldBytesMax: 1_024 * KIB },
  note: '2 s of silence end a session, 1 MiB that waits',
  codec: () => peerCodec,
  scenarios: scenariosOf({
    async greet(stage, peer) {
      peer.sends({ type: 'HELLO', version: 1 });
      await peer.reads(({ type }) => type === 'HELLO_OK');
      stage.does('got HELLO_OK');
    },
    async graceful(stage, peer) {
      stage.does('sends BYE');
      peer.sends({ type: 'BYE' });
      await peer.over();
    },
    async forced(stage, peer) {
      stage.does('sends ABORT');
      peer.sends({ type: 'ABORT' });
      await peer.over();
    },
    async readSlowly(stage, peer) {
      // With QoS the server goes on sending audio to one who does not read; without, it would pause.
      peer.sends(
        { type: 'QOS_ENABLE', enabled: true },
        { type: 'STREAM_START', kind: 1, bitsPerSecond: 8_000_000, framesPerSecond: 50 },
      );
      await peer.reads(({ type }) => type === 'START_OK');
      peer.socket.pause();
      stage.does('reads no audio');
      await stage.ended;
    },
    slowReason: 'slow reader',
  }),
};

export const examples: readonly Example[] = [echoExample, chatExample, mediaControlExample];
