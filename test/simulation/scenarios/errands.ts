/** Errands: at random and under faults, each alone to the millisecond, ended twice, and in a server that stops. */
import type { ScriptedPeer } from '../../../src/explore/peer.js';
import type { TcpServer } from '../../../src/server.js';
import type { SessionRecord } from '../../../src/session/session.js';
import type { AnyProtocol } from '../../../src/session/protocol.js';
import type { WorldServerOptions } from '../../../src/testing/world.js';
import { scenario, type Stage } from '../stage.js';
import { SMALL_BUFFERS } from './echo.js';
import { eager, errands, errandsWithFacts } from './errand-protocol.js';

const OPTIONS: WorldServerOptions = {
  highWaterMarkBytes: 4_000,
  lowWaterMarkBytes: 1_000,
  heldBytesMax: 60_000,
  frameTimeoutMs: 3_000,
  sendTimeoutMs: 3_000,
  closeTimeoutMs: 2_000,
  discardedBytesMax: 20_000,
  waitTimeoutCountMax: 40,
  pendingHandlersMax: 4,
  sweepIntervalMs: 1_000,
  socket: SMALL_BUFFERS,
};

const WORDS = [
  'a', 'b', 'c', 'd', 'end', 'close', 'force', 'over', 'hold', 'hold', 'done', 'work 10', 'work 900', 'work 1999', 'work 5000', 'toil 300', 'toil 1500',
  'work 100 end', 'flood 500', 'flood 15000', 'flood 15000', 'fail', 'waits 0', 'waits 20', 'waits 60', 'keep',
]; // prettier-ignore

function give(stage: Stage, peer: ScriptedPeer): void {
  const count = 1 + stage.below(stage.is(0.2) ? 8 : 2);
  peer.write(Array.from({ length: count }, () => `${stage.pick(WORDS)}\n`).join(''));
  if (stage.is(0.15)) peer.end();
  if (stage.is(0.05)) peer.write('half a li');
  if (stage.is(0.1)) peer.pause();
  if (stage.is(0.1)) peer.resume();
}

async function errandsAtRandom(stage: Stage, protocol: AnyProtocol): Promise<void> {
  const { world } = stage;
  const server = await stage.server(protocol, OPTIONS);
  Object.assign(stage.audit(server), { mayFail: true, changesWaits: true, forcesLate: true });
  world.drawFaults({ perSecond: 0.7, durationMs: 14_000 });
  for (let step = 0; step < 50; step += 1) {
    if (stage.is(0.6)) world.peer(server, { codec: false, answersFin: !stage.is(0.3) });
    for (const peer of world.peers) if (stage.is(0.4)) give(stage, peer);
    for (const session of server.sessions) {
      if (stage.is(0.02)) session.close(stage.is(0.5) ? 'graceful' : 'force');
      if (stage.is(0.05)) session.send({ type: 'LINE', text: 'by the way'.repeat(stage.below(1_500)) } as never);
    }
    stage.advanceBy(1 + stage.below(400));
  }
  for (const peer of world.peers) peer.resume();
  stage.calm();
  checkErrand(stage, server);
}

function checkErrand(stage: Stage, server: TcpServer): void {
  const peer = stage.world.peer(server, { codec: false });
  peer.write('a\ntoil 50\nhold\nwork 20\nb\n');
  stage.advanceBy(2_000);
  stage.check(
    peer.text === 'a\ndid toil 50\nheld\nb\ndid work 20\n',
    () => `a new peer is told ${JSON.stringify(peer.text)}`,
  );
}

/** What each errand leads to, alone and without faults, wherever the network cuts it: exact answers, exact ends. */
interface Errand {
  readonly give: string;
  readonly facts?: boolean;
  /** FIN behind it. */
  readonly fin?: boolean;
  /** FIN so much later. */
  readonly finMs?: number;
  readonly pausesMs?: number;
  readonly answersFin?: boolean;
  /** Left out: as much as had left when it was reset. */
  readonly told?: string;
  readonly reason: string;
  readonly closedBy: 'fin' | 'rst';
  /** From the accept to the end of the session. */
  readonly endsMs: readonly [number, number];
}

const F = 'f'.repeat(15_000);
const ERRANDS: readonly Errand[] = [
  { give: 'a\nwork 500\nb\n', fin: true, told: 'a\nb\ndid work 500\n', reason: 'peer closed', closedBy: 'fin', endsMs: [500, 510] },
  { give: 'a\ntoil 500\nb\nhold\nc\n', fin: true, told: 'a\ndid toil 500\nb\nheld\nc\n', reason: 'peer closed', closedBy: 'fin', endsMs: [1_400, 1_410] },
  { give: 'end\na\nb\n', fin: true, told: '', reason: 'peer closed', closedBy: 'fin', endsMs: [0, 10] },
  { give: 'end\nwork 500\n', fin: true, told: '', reason: 'peer closed', closedBy: 'fin', endsMs: [500, 510] },
  { give: 'end\n', told: '', answersFin: false, reason: 'wait timeout', closedBy: 'rst', endsMs: [6_000, 6_010] },
  { give: 'a\nclose\nb\n', told: 'a\n', reason: 'protocol asked', closedBy: 'fin', endsMs: [0, 10] },
  { give: 'a\nclose\nb\n', told: 'a\n', answersFin: false, reason: 'protocol asked', closedBy: 'rst', endsMs: [2_000, 2_010] },
  { give: 'a\nover\n', told: 'a\n', reason: 'errand over', closedBy: 'fin', endsMs: [0, 10] },
  { give: 'done\na\n', told: '', reason: 'protocol done', closedBy: 'fin', endsMs: [0, 10] },
  { give: 'a\nfail\nb\n', told: 'a\n', reason: 'protocol failed', closedBy: 'fin', endsMs: [0, 10] },
  { give: 'work 5000\n', told: '', reason: 'protocol failed', closedBy: 'fin', endsMs: [2_500, 2_510] },
  { give: 'force\n', told: '', reason: 'limit', closedBy: 'rst', endsMs: [0, 10] },
  { give: 'waits 20\na\n', told: 'a\n', reason: 'wait timeout', closedBy: 'fin', endsMs: [2_000, 2_010] },
  { give: 'hold\n', told: 'held\n', reason: 'wait timeout', closedBy: 'fin', endsMs: [4_900, 4_910] },
  { give: 'toil 1500\n', told: 'did toil 1500\n', reason: 'wait timeout', closedBy: 'fin', endsMs: [5_500, 5_510] },
  { give: 'hal', fin: true, told: '', reason: 'truncated frame', closedBy: 'fin', endsMs: [0, 10] },
  { give: 'a\n', facts: true, fin: true, told: 'a\nlast\n', reason: 'peer closed', closedBy: 'fin', endsMs: [400, 410] },
  { give: 'keep\n', facts: true, fin: true, told: '', reason: 'peer closed', closedBy: 'rst', endsMs: [2_000, 2_010] },
  { give: 'keep\n', facts: true, told: '', reason: 'wait timeout', closedBy: 'fin', endsMs: [4_000, 4_010] },
  // Fifteen kilobytes at a time, to a peer that reads again before anybody's patience ends: all of it arrives, behind it the FIN.
  { give: 'flood 15000\n'.repeat(10) + 'close\n', pausesMs: 1_200, told: `${F}\n`.repeat(10), reason: 'protocol asked', closedBy: 'fin', endsMs: [1_000, 1_400] },
  { give: 'flood 15000\n'.repeat(10) + 'a\n', pausesMs: 2_500, told: `${F}\n`.repeat(10) + 'a\n', reason: 'wait timeout', closedBy: 'fin', endsMs: [6_400, 6_700] },
  { give: 'flood 15000\n'.repeat(10) + 'a\n', fin: true, pausesMs: 1_500, told: `${F}\n`.repeat(10) + 'a\n', reason: 'peer closed', closedBy: 'fin', endsMs: [1_400, 1_700] },
  // More than the high-water mark waits while it holds: the peer is not read meanwhile, and nothing is lost.
  { give: 'hold\n' + 'a\n'.repeat(3_000), told: 'held\n' + 'a\n'.repeat(3_000), reason: 'wait timeout', closedBy: 'fin', endsMs: [4_900, 4_910] },
  { give: 'end\nhold\n' + 'a\n'.repeat(3_000), told: '', answersFin: false, reason: 'wait timeout', closedBy: 'rst', endsMs: [6_900, 6_910] },
  { give: 'hal', told: '', reason: 'frame timeout', closedBy: 'fin', endsMs: [3_000, 3_010] },
  { give: 'a\nhold\nhal', told: 'a\nheld\n', reason: 'frame timeout', closedBy: 'fin', endsMs: [3_900, 3_910] },
  { give: 'end\nhal', told: '', answersFin: false, reason: 'frame timeout', closedBy: 'rst', endsMs: [5_000, 5_010] },
  { give: 'end\ntoil 1500\ntoil 1500\n', told: '', fin: true, reason: 'peer closed', closedBy: 'fin', endsMs: [3_000, 3_010] },
  { give: 'end\nwork 2400\n', told: '', fin: true, reason: 'peer closed', closedBy: 'fin', endsMs: [2_000, 2_010] },
  // It ends its direction while its output is congested: what was queued goes first, or the kernel takes nothing for too long.
  { give: 'work 50 end\n' + 'flood 15000\n'.repeat(10), pausesMs: 1_200, told: `${F}\n`.repeat(2) + 'did work 50 end\n', reason: 'peer closed', closedBy: 'fin', endsMs: [1_190, 1_300] },
  { give: 'work 50 end\n' + 'flood 15000\n'.repeat(10), pausesMs: 8_000, reason: 'send timeout', closedBy: 'rst', endsMs: [3_000, 3_600] },
  { give: 'work 50 end\n' + 'flood 15000\n'.repeat(10), pausesMs: 8_000, fin: true, reason: 'peer closed', closedBy: 'rst', endsMs: [2_000, 2_100] },
  { give: 'flood 15000\n'.repeat(10), pausesMs: 8_000, reason: 'send timeout', closedBy: 'rst', endsMs: [3_000, 3_600] },
  // Closed while its peer is not read: it is read again, or its FIN would never be seen.
  { give: 'work 50 close\n' + 'flood 15000\n'.repeat(10), pausesMs: 1_200, told: `${F}\n`.repeat(2) + 'did work 50 close\n', reason: 'protocol asked', closedBy: 'fin', endsMs: [1_190, 1_300] },
  { give: 'work 400 close\nhold\n' + 'a\n'.repeat(3_000), told: 'did work 400 close\n', reason: 'protocol asked', closedBy: 'fin', endsMs: [400, 410] },
  { give: `hold\n${'z'.repeat(3_500)}\nflood 15000\n${'c'.repeat(700)}\n`, pausesMs: 1_200, told: `held\n${'z'.repeat(3_500)}\n${F}\n${'c'.repeat(700)}\n`, reason: 'wait timeout', closedBy: 'fin', endsMs: [4_895, 5_210] },
  { give: 'work 2400\nwork 50 end\n' + 'flood 15000\n'.repeat(10), pausesMs: 8_000, finMs: 100, reason: 'peer closed', closedBy: 'rst', endsMs: [2_090, 2_110] },
  { give: `work 1200 end\nhold\nflood 15000\nflood 15000\n${'y'.repeat(5_000)}\n`, pausesMs: 1_500, told: `held\n${F}\n${F}\ndid work 1200 end\n`, reason: 'peer closed', closedBy: 'fin', endsMs: [1_500, 1_600] },
]; // prettier-ignore

const exact = scenario({
  name: 'errands: each leads to its own end, at its own moment',
  world: { splitRate: 0.3, mergeRate: 0.5 },
  async play(stage) {
    const { world } = stage;
    const facts = await stage.server(errandsWithFacts, OPTIONS);
    const plain = await stage.server(errands, OPTIONS);
    for (const { server } of stage.audits) Object.assign(stage.audit(server), { mayFail: true, changesWaits: true });
    const records: SessionRecord[] = [];
    for (const { server } of stage.audits)
      stage.watch(server.sessions.changes, (change) => void (change.type === 'removed' && records.push(change.record)));
    const plays = ERRANDS.map((errand) => {
      const server = errand.facts ? facts : plain;
      const { give: text, answersFin, pausesMs } = errand;
      const peer = world.peer(server, { codec: false, ...(answersFin !== undefined && { answersFin }) });
      peer.write(text);
      if (errand.fin) peer.end();
      if (errand.finMs !== undefined) world.time.schedule(() => peer.end(), errand.finMs);
      if (pausesMs !== undefined) {
        peer.pause();
        world.time.schedule(() => peer.resume(), pausesMs);
      }
      return { errand, peer, startMs: world.time.now() };
    });
    stage.advanceBy(9_000);
    for (const { errand, peer, startMs } of plays) {
      const name = JSON.stringify(errand.give.slice(0, 40));
      const record = records.find(
        (one) => one.peer.port === peer.address?.port && one.peer.address === peer.address?.address,
      );
      stage.check(
        errand.told === undefined || peer.text === errand.told,
        () => `${name}: told ${JSON.stringify(peer.text.slice(0, 60))} (${peer.text.length})`,
      );
      stage.check(record !== undefined, () => `${name}: it lives on, or is not shown`);
      const { reason, closedBy, endedAtMs } = record!;
      stage.check(reason === errand.reason && closedBy === errand.closedBy, () => `${name}: ${reason}, by ${closedBy}`);
      const tookMs = endedAtMs - startMs;
      const [min, max] = errand.endsMs;
      stage.check(tookMs >= min && tookMs <= max, () => `${name}: it ended after ${tookMs} ms`);
    }
  },
});

/** An end that is asked for twice, and ends that are forced while they go on. */
const twice = scenario({
  name: 'errands: graceful, then forced; forced, then graceful; in every state',
  world: { latencyMs: 3 },
  async play(stage) {
    const { world } = stage;
    const server = await stage.server(errandsWithFacts, OPTIONS);
    Object.assign(stage.audit(server), { mayFail: true, changesWaits: true, forcesLate: true });
    for (let n = 0; n < 25; n += 1) {
      const peer = world.peer(server, { codec: false, answersFin: !stage.is(0.5) });
      if (stage.is(0.7)) give(stage, peer);
      else {
        // Both directions have ended, and something is still to be done.
        peer.write(
          stage.is(0.5) ? 'end\ntoil 1500\ntoil 1500\n' : `work 2400\nwork 20 end\n${'flood 15000\n'.repeat(10)}`,
        );
        peer.pause();
        world.time.schedule(() => peer.end(), 15 + stage.below(60));
      }
      stage.advanceBy(1 + stage.below(30));
      for (const session of server.sessions) {
        if (stage.is(0.3)) session.close('graceful');
        stage.world.time.schedule(
          () => session.close(stage.is(0.7) ? 'force' : 'graceful', 'limit'),
          stage.below(1_500),
        );
      }
      if (stage.is(0.2)) peer.end();
      if (stage.is(0.1)) peer.reset();
      if (stage.is(0.1)) world.vanish(peer);
    }
    stage.advanceBy(3_000);
    for (const session of server.sessions) session.close('force', 'limit');
    stage.advanceBy(10);
    stage.check(server.sessions.size === 0, () => 'a forced session lives on');
    // Forced: an RST, at once, and the peer knows.
    const peer = world.peer(server, { codec: false });
    stage.advanceBy(20);
    for (const session of server.sessions) session.close('force');
    stage.advanceBy(4);
    stage.check(peer.closedBy === 'rst', () => `the peer of a forced session is ${peer.state}, by ${peer.closedBy}`);
  },
});

/** Something that a stop of the server interrupts. */
function giveWhatGoesOn(stage: Stage, peer: ScriptedPeer): void {
  const finLater = (ms: number) => stage.world.time.schedule(() => peer.end(), ms);
  switch (stage.below(7)) {
    case 6:
      return; // says nothing at all
    case 0:
      peer.write('end\n');
      return;
    case 1:
      // Both directions end, and something is still to be done: once with all said, once with bytes that wait for a peer that does not read.
      peer.write(stage.is(0.5) ? 'end\nwork 2400\n' : `work 2400\nwork 20 end\n${'flood 15000\n'.repeat(10)}`);
      peer.pause();
      finLater(60);
      return;
    case 2:
      peer.write(`hold\n${'a\n'.repeat(3_000)}flood 15000\na\n`);
      return;
    default:
      give(stage, peer);
      if (stage.is(0.1)) finLater(stage.below(500));
  }
}

/** A server stops while its sessions are in whatever state, and some charts have asked to be told. */
const stopping = scenario({
  name: 'errands: a server stops in the midst of them',
  world: { latencyMs: 2, splitRate: 0.2 },
  async play(stage) {
    const { world } = stage;
    const protocols = [errands, errandsWithFacts, ...Object.values(eager)];
    const servers: TcpServer[] = [];
    for (const protocol of protocols) {
      const server = await stage.server(protocol, { ...OPTIONS, drainTimeoutMs: 1_200 });
      Object.assign(stage.audit(server), { mayFail: true, changesWaits: true, forcesLate: true });
      servers.push(server);
    }
    for (let step = 0; step < 14; step += 1) {
      for (const server of servers) {
        const peer = world.peer(server, { codec: false, answersFin: !stage.is(0.3), reads: !stage.is(0.3) });
        giveWhatGoesOn(stage, peer);
      }
      stage.advanceBy(1 + stage.below(100));
    }
    const stoppedMs = world.time.now();
    const stops = servers.map((server) => server.stop());
    await stage.advanceByAsync(1_150);
    await stage.advanceByAsync(100);
    for (const server of servers) {
      stage.check(
        server.sessions.size === 0,
        () =>
          `${server.protocol.name}: ${server.sessions.size} sessions live ${world.time.now() - stoppedMs} ms after a stop with 1 200 ms`,
      );
    }
    await Promise.all(stops);
  },
});

/** Whatever comes after our FIN is read and dropped, up to a limit; then the peer is reset. */
const discarding = scenario({
  name: 'errands: bytes behind our FIN are dropped up to a limit',
  world: { latencyMs: 1 },
  async play(stage) {
    const { world } = stage;
    const server = await stage.server(errands, OPTIONS);
    const [little, much] = [
      world.peer(server, { codec: false, answersFin: false }),
      world.peer(server, { codec: false, answersFin: false }),
    ];
    for (const peer of [little, much]) peer.write('close\n');
    stage.advanceBy(10);
    const piece = 500 + stage.below(1_500);
    for (let sent = 0; sent + piece < 20_000; sent += piece) {
      little.write(stage.bytes(piece));
      much.write(stage.bytes(piece));
      stage.advanceBy(10);
    }
    stage.check(server.sessions.size === 2, () => 'a peer is reset below the limit');
    much.write(stage.bytes(piece + 20));
    stage.advanceBy(10);
    stage.check(server.sessions.size === 1, () => 'a peer is not reset above the limit');
    stage.check(much.state === 'closed' || much.state === 'ended', () => `the peer above the limit is ${much.state}`);
    little.end();
    stage.advanceBy(10);
    const [, last] = server.sessions.recent;
    stage.check(
      last?.closedBy === 'fin' && last.reason === 'protocol asked',
      () => `the other ended by ${last?.reason}, ${last?.closedBy}`,
    );
  },
});

/** A path so slow that most looks at the output find nothing taken; but between them the kernel takes something, again and again. */
const slowPath = scenario({
  name: 'errands: a slow path is no stalled one',
  async play(stage) {
    const { world } = stage;
    const server = await stage.server(errands, OPTIONS);
    const host = '10.0.1.99';
    const peer = world.peer(server, { codec: false, host });
    stage.advanceBy(10);
    // A segment of 1 460 bytes each 1.6 to 2.4 s, and six looks each 3 s.
    world.network.change({ bandwidthBytesPerSecond: 600 + stage.below(300) }, { from: '10.0.0.1', to: host });
    peer.write('waits 0\nflood 15000\n');
    stage.advanceBy(8_000);
    const isCongested = [...server.sessions].some(({ transportSnapshot }) =>
      transportSnapshot.matches({ connected: 'congested' }),
    );
    stage.check(isCongested, () => 'the path is not slow enough, or its session has ended');
    stage.advanceBy(25_000);
    stage.check(
      peer.text === `${F}\n` && server.sessions.size === 1,
      () => `${peer.text.length} bytes came, and they ended by ${JSON.stringify(world.reasons)}`,
    );
    world.network.change({ bandwidthBytesPerSecond: Infinity }, { from: '10.0.0.1', to: host });
  },
});

const plain = scenario({
  name: 'errands: at random, all kinds of faults',
  world: { latencyMs: 2, jitterMs: 3, splitRate: 0.2, mergeRate: 0.5 },
  play: (stage) => errandsAtRandom(stage, errands),
});

const withFacts = scenario({
  name: 'errands: at random, told of its transport, all kinds of faults',
  world: { latencyMs: 2, jitterMs: 3, splitRate: 0.2, mergeRate: 0.5 },
  play: (stage) => errandsAtRandom(stage, errandsWithFacts),
});

export const ERRAND_SCENARIOS = [plain, withFacts, exact, twice, stopping, slowPath, discarding];
