/** FAULTS.md, sessions: cases 46, 47 and 50: sessions that are closed twice, in every state, and what comes afterwards. */
import { describe, expect, test } from 'vitest';
import type { Session } from '../../../src/session/session.js';
import { labProtocol } from '../../session/lab.js';
import { EXAMPLES, makeScene, ofLines, type Intruder, type Scene } from './scene.js';

/** Ways into a state; after each the session is in it. */
const INTO: Record<string, (scene: Scene) => Intruder> = {
  accepted: (scene) => scene.intrude(),
  'connected.flowing': (scene) => spoken(scene),
  'connected.congested': (scene) => congested(scene),
  'closing.flushing': (scene) => {
    const { peer, session } = spoken(scene);
    peer.pause();
    while (session.statistics.bytesWritten - session.statistics.bytesSent < 1_000) {
      session.send(scene.example.message(10_000));
      scene.world.advanceBy(20);
    }
    session.close('graceful');
    return { peer, session };
  },
  'closing.finWait': (scene) => {
    const { peer, session } = spoken(scene, false);
    session.close('graceful');
    scene.world.advanceBy(20);
    return { peer, session };
  },
};

function spoken(scene: Scene, answersFin = true): Intruder {
  const { talker, peer, session } = scene.intrudeAsTalker({ answersFin });
  talker.ask();
  scene.world.runUntil(() => talker.isAnswered);
  return { peer, session };
}

function congested(scene: Scene): Intruder {
  const { peer, session } = spoken(scene);
  peer.pause();
  for (let n = 0; n < 50 && !session.transportSnapshot.matches({ connected: 'congested' }); n += 1) {
    session.send(scene.example.message(20_000));
    scene.world.advanceBy(20);
  }
  return { peer, session };
}

/** A chart that half-closes by itself at the line `end`. At the peer's FIN it stays half-closed, unless the peer has asked something. */
const HALF_CLOSING = ofLines(
  'half-closing',
  labProtocol({
    implementations: { guards: { isEnd: ({ event }: { event: { text: string } }) => event.text === 'end' } },
    machine: {
      initial: 'unasked',
      on: {},
      states: {
        unasked: {
          on: {
            LINE: [
              { guard: 'isEnd', actions: 'end' },
              { target: 'asked', actions: 'echo' },
            ],
          },
        },
        asked: { on: { LINE: { actions: 'echo' }, PEER_END: { actions: 'end' } } },
      },
    },
    facts: ['PEER_END'],
  }),
);
const HALF_CLOSED: typeof INTO = {
  'halfClosed.byUs': (scene) => {
    const { peer, session } = scene.intrude({ answersFin: false });
    peer.write('end\n');
    scene.world.advanceBy(20);
    return { peer, session };
  },
  'halfClosed.byPeer': (scene) => {
    const { peer, session } = scene.intrude();
    peer.end();
    scene.world.advanceBy(20);
    return { peer, session };
  },
};

const PAIRS = (['graceful', 'force'] as const).flatMap((first) =>
  (['graceful', 'force'] as const).map((second) => [first, second] as const),
);

describe('case 46: two closes, graceful or forced, at once or 1 ms apart, in each state, are one end; after the end a close does nothing', () => {
  test.each([
    ...EXAMPLES.map((example) => ({ name: example.name, example, into: INTO })),
    { name: 'half-closed', example: HALF_CLOSING, into: HALF_CLOSED },
  ])('$name', async ({ example, into }) => {
    const scene = await makeScene(example, { server: { closeTimeoutMs: 500 } });
    const { world } = scene;
    let ends = 0;
    for (const [state, enter] of Object.entries(into)) {
      for (const [first, second] of PAIRS) {
        for (const laterMs of [0, 1]) {
          const { peer, session } = enter(scene);
          expect(session.transportSnapshot.matches(pathOf(state) as never)).toBe(true);
          session.close(first);
          world.advanceBy(laterMs);
          session.close(second);
          const mustReset = first === 'force' || second === 'force';
          if (mustReset) world.advanceBy(1);
          const answered = scene.recordOf(session) !== undefined;
          if (mustReset) expect([state, first, second, answered]).toEqual([state, first, second, true]);
          else world.advanceBy(600);
          const record = scene.recordOf(session)!;
          expect(record.reason).toBe('protocol asked');
          // Both FINs are out at once then, and nothing is left to be reset.
          const byFin = state === 'halfClosed.byPeer' && first === 'graceful';
          if (mustReset) expect(record.closedBy).toBe(byFin ? 'fin' : 'rst');
          expect(record.option).toBe(mustReset && !byFin ? 'force' : 'graceful');
          for (const option of ['graceful', 'force'] as const) session.close(option);
          expect(scene.recordOf(session)).toBe(record);
          ends += 1;
          peer.reset();
          world.advanceBy(10);
        }
      }
    }
    expect(ends).toBe(Object.keys(into).length * 8);
    await scene.over({ 'protocol asked': ends });
  });
});

/** `closing.finWait` as the value of a state. */
function pathOf(path: string): unknown {
  const [outer, inner] = path.split('.');
  return inner === undefined ? outer : { [outer!]: inner };
}

describe.each(EXAMPLES)('$name', (example) => {
  test('case 47: what is sent to a session that closes, or has ended, is refused with `false`, and nobody hears of it', async () => {
    const scene = await makeScene(example);
    const { world, server } = scene;
    let sent = 0;
    const expectRefused = (session: Session) => {
      const { bytesWritten } = session.statistics;
      expect(session.send(example.message(10))).toBe(false);
      expect(server.sessions.broadcast(example.message(10), { except: scene.sessionOf(scene.healthy.peer)!.id })).toBe(
        0,
      );
      expect(session.statistics.bytesWritten).toBe(bytesWritten);
      sent += 1;
    };
    for (const option of ['graceful', 'force'] as const) {
      const { peer, session } = spoken(scene, false);
      const heard = peer.bytesReceived;
      session.close(option);
      expectRefused(session);
      world.advanceBy(20);
      expectRefused(session);
      peer.end();
      world.advanceBy(20);
      expectRefused(session);
      expect(peer.bytesReceived).toBe(heard);
      expect(scene.recordOf(session)).toMatchObject({ closedBy: option === 'graceful' ? 'fin' : 'rst' });
    }
    const { peer, session } = spoken(scene);
    peer.reset();
    world.advanceBy(20);
    expectRefused(session);
    expect(sent).toBe(7);
    await scene.over({ 'protocol asked': 2, 'peer reset': 1 });
  });

  test('case 50: events for a session that has ended, however it ended, are dropped and counted: 12 of them, and its chart does not move', async () => {
    const scene = await makeScene(example);
    const { world, server } = scene;
    for (const end of ['graceful', 'force', 'peer'] as const) {
      const { peer, session } = spoken(scene);
      if (end === 'peer') peer.reset();
      else session.close(end);
      world.advanceBy(30);
      const { status, value } = session.protocolSnapshot;
      const heard = peer.bytesReceived;
      for (const type of ['FRAME', 'NICK', 'PING', 'ANYTHING'])
        session.dispatch({ type, payload: new Uint8Array(1) } as never);
      expect(session.protocolSnapshot).toMatchObject({ status, value });
      expect(status).toBe('stopped');
      world.advanceBy(10);
      expect(peer.bytesReceived).toBe(heard);
    }
    expect(server.statistics.value.eventsDropped).toBe(12);
    await scene.over({ 'protocol asked': 2, 'peer reset': 1 });
  });
});
