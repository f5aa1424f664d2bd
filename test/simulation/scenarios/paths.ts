/** Paths that are cut and healed at whatever moment: TCP hides it, so nothing may be lost by it but time. */
import chat from '../../../examples/chat/index.js';
import echo from '../../../examples/echo/index.js';
import { scenario } from '../stage.js';
import { Asker, SMALL_BUFFERS } from './echo.js';

/** Long cuts would end sessions; after these everything is sent again soon (RFC 6298: the timeout doubles from 200 ms). */
const CUT_MS_MAX = 1_500;

const bulk = scenario({
  name: 'paths: cut in the middle of much data, either way, nothing is lost',
  world: { latencyMs: 8, jitterMs: 2 },
  async play(stage) {
    const { world } = stage;
    const server = await stage.server(echo, { socket: SMALL_BUFFERS, waitTimeoutCountMax: 200 });
    const askers = Array.from({ length: 4 }, (_, n) => new Asker(stage, server, `10.0.1.${n + 1}`));
    stage.looks.push(() => askers.forEach((asker) => asker.look()));
    stage.advanceBy(50);
    for (let round = 0; round < 3; round += 1) {
      for (const asker of askers) asker.ask(20_000 + stage.below(20_000));
      stage.advanceBy(1 + stage.below(60));
      askers.forEach((_, n) => {
        const [here, there] = stage.is(0.5) ? [`10.0.1.${n + 1}`, '10.0.0.1'] : ['10.0.0.1', `10.0.1.${n + 1}`];
        world.network.partition(here, there, { oneWay: stage.is(0.7) });
      });
      stage.advanceBy(1 + stage.below(CUT_MS_MAX));
      world.network.heal();
      stage.advanceBy(8_000);
      stage.check(
        askers.every((asker) => asker.isLive && asker.isAnswered),
        () => 'after a cut somebody is not answered',
      );
    }
  },
});

const ends = scenario({
  name: 'paths: a FIN that is sent into a cut path arrives when it is healed',
  world: { latencyMs: 5 },
  async play(stage) {
    const { world } = stage;
    const server = await stage.server(chat);
    const peers = Array.from({ length: 6 }, (_, n) => world.peer(server, { codec: false, host: `10.0.1.${n + 1}` }));
    stage.advanceBy(50);
    peers.forEach((_, n) => world.network.partition(`10.0.1.${n + 1}`, undefined, { oneWay: n % 2 === 0 }));
    stage.advanceBy(stage.below(30));
    for (const peer of peers) {
      if (stage.is(0.5)) peer.write('nick last\n');
      peer.end();
    }
    stage.advanceBy(1 + stage.below(CUT_MS_MAX));
    world.network.heal();
    stage.advanceBy(6_000);
    stage.check(
      server.sessions.size === 0,
      () => `${server.sessions.size} sessions have not heard of the end of their peers`,
    );
    const count = stage.audit(server).count('peer closed', 'fin');
    stage.check(count === peers.length, () => `they ended by ${JSON.stringify(world.reasons)}`);
    stage.check(
      peers.every(({ closedBy }) => closedBy === 'fin'),
      () => 'a peer is not closed by FIN',
    );
  },
});

/** What has come while the server's process stood still is looked at before its deadlines: nobody ends whose bytes are there. */
const stalls = scenario({
  name: 'paths: a process that stood still ends nobody who has spoken meanwhile',
  world: { latencyMs: 2 },
  async play(stage) {
    const { world } = stage;
    const server = await stage.server(echo);
    const askers = Array.from({ length: 5 }, () => new Asker(stage, server));
    for (const asker of askers) asker.ask(4);
    stage.advanceBy(1_000);
    for (let round = 0; round < 3; round += 1) {
      stage.advanceBy(stage.below(4_000));
      for (const asker of askers) asker.ask(4);
      stage.advanceBy(500);
      // Longer than the silence that ends a session; each speaks in time.
      world.faults([{ atMs: 0, kind: 'stall', durationMs: 7_000 + stage.below(3_000) }]);
      stage.advanceBy(3_000);
      for (const asker of askers) asker.ask(4);
      stage.advanceBy(8_000);
      stage.check(
        askers.every((asker) => asker.isLive && asker.isAnswered),
        () => `a stall ended somebody: ${JSON.stringify(world.reasons)}`,
      );
      for (const asker of askers) asker.ask(4);
      stage.advanceBy(100);
    }
  },
});

export const PATH_SCENARIOS = [bulk, ends, stalls];
