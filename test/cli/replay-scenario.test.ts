/** Recorded sessions as scripts: each is played in a world of its own and looks the same again, or is said to be none and why. */
import { tmpdir } from 'node:os';
import { describe, expect, test } from 'vitest';
import { emit } from 'xstate';
import { mismatchOf, scenarioOf, type Scenario } from '../../src/cli/replay-scenario.js';
import { readRecording } from '../../src/inspect/recording-text.js';
import type { AnyProtocol } from '../../src/session/protocol.js';
import type { Session } from '../../src/session/session.js';
import { createWorld, type World } from '../../src/testing/world.js';
import chat from '../../examples/chat/index.js';
import media from '../../examples/media-control/index.js';
import { labProtocol } from '../session/lab.js';

type Peer = ReturnType<World['peer']>;
interface Played {
  readonly world: World;
  readonly peer: Peer;
  readonly session: Session;
}

/** Records a session from its first moment on, in a world, for `script`. */
async function recorded(
  protocol: AnyProtocol,
  script: (played: Played) => void,
  { payloads = false, answersFin = true, options = {} as object } = {},
): Promise<ReturnType<typeof readRecording>> {
  const world = createWorld({ timersPerSessionMax: 1_000 });
  const texts: string[] = [];
  const server = await world.server(protocol, {
    ...options,
    record: { folder: tmpdir(), when: 'error', errorReasons: [], payloads, entriesMax: 100_000, bytesMax: 2 ** 30 },
  });
  const peer = world.peer(server, { answersFin });
  world.runUntil(() => server.sessions.size > 0);
  const session = [...server.sessions][0]!;
  const recording = session.record();
  script({ world, peer, session });
  texts.push(recording.text());
  if (peer.state !== 'closed') peer.reset();
  await world.end();
  return readRecording(texts[0]!);
}

const kinds = ({ moments }: Scenario) => moments.flatMap(({ actions }) => actions.map(({ kind }) => kind));

describe('plays again, and looks the same', () => {
  test.each<{
    name: string;
    script: (played: Played) => void;
    does: string[];
    payloads?: boolean;
    answersFin?: boolean;
    protocol?: AnyProtocol;
    options?: object;
  }>([
    {
      name: 'messages, alone and pipelined, with a stream of 50 frames a second between',
      script: ({ world, peer }) => {
        peer.send(
          { type: 'HELLO', version: 1 },
          { type: 'STREAM_START', kind: 1, bitsPerSecond: 8_000, framesPerSecond: 50 },
        );
        world.advanceBy(495);
        peer.send({ type: 'STREAM_STOP', kind: 1 });
        world.advanceBy(100);
        peer.send({ type: 'BYE' });
        world.advanceBy(100);
      },
      does: ['send', 'send', 'send'],
    },
    {
      name: 'a command that no peer of the codec could send, as bytes',
      script: ({ world, peer }) => {
        peer.write(Uint8Array.of(0, 0, 0, 99, 0, 0, 0, 1, 7));
        world.advanceBy(50);
      },
      does: ['write'],
      payloads: true,
    },
    {
      name: 'a length bomb',
      script: ({ world, peer }) => {
        peer.write(Uint8Array.of(0, 0, 0, 1, 255, 255, 255, 255));
        world.advanceBy(50);
      },
      does: ['write'],
      payloads: true,
    },
    {
      name: 'a peer that says nothing until its 60 waits are over',
      script: ({ world }) => world.advanceBy(7_000),
      does: [],
    },
    {
      name: 'a peer that ends first',
      script: ({ world, peer }) => {
        peer.send({ type: 'HELLO', version: 1 });
        world.advanceBy(20);
        peer.end();
        world.advanceBy(20);
      },
      does: ['send', 'end'],
    },
    {
      name: 'a peer that resets',
      script: ({ world, peer }) => {
        world.advanceBy(20);
        peer.reset();
        world.advanceBy(20);
      },
      does: ['reset'],
    },
    {
      name: 'a peer that never answers our FIN',
      script: ({ world, peer }) => {
        peer.send({ type: 'BYE' });
        world.advanceBy(6_000);
      },
      does: ['send'],
      answersFin: false,
    },
    {
      name: 'a server that gives the chart an event and ends the session itself',
      script: ({ world, session }) => {
        world.advanceBy(10);
        session.dispatch({ type: 'NEWS' });
        world.advanceBy(10);
        session.close('graceful');
        world.advanceBy(10);
      },
      does: ['dispatch', 'close'],
      protocol: labProtocol({
        implementations: { actions: { tell: emit({ type: 'SEND', message: { type: 'LINE', text: 'news' } }) } },
        machine: { on: { NEWS: { actions: 'tell' } } },
      }),
    },
    {
      name: 'another close timeout than the protocol says',
      script: ({ world, peer }) => {
        peer.send({ type: 'BYE' });
        world.advanceBy(1_000);
      },
      does: ['send'],
      answersFin: false,
      options: { closeTimeoutMs: 300 },
    },
  ])('$name', async ({ script, does, protocol = media as AnyProtocol, ...options }) => {
    const recording = await recorded(protocol, script, options);
    const scenario = scenarioOf(recording, protocol) as Scenario;
    expect(typeof scenario).toBe('object');
    expect(kinds(scenario)).toEqual(does);
    expect(await mismatchOf(scenario, protocol)).toBeUndefined();
  });

  test('and does not, when the protocol has changed since', async () => {
    const protocol = labProtocol();
    const recording = await recorded(protocol, ({ world, peer }) => {
      peer.write('hello\n');
      world.advanceBy(10);
    });
    const scenario = scenarioOf(recording, protocol) as Scenario;
    const silent = labProtocol({ machine: { on: {} } });
    expect(await mismatchOf(scenario, silent)).toBe('after 1 ms the peer receives something else');
  });
});

describe('is none', () => {
  const hello = ({ world, peer }: Played) => {
    peer.write('hello\n');
    world.advanceBy(10);
  };

  test('of a session whose start is missing', async () => {
    const recording = await recorded(labProtocol(), hello);
    const cut = { ...recording, header: { ...recording.header, dropped: 3 } };
    expect(scenarioOf(cut, labProtocol())).toBe('the recording does not begin with the session');
  });

  test('of one in which others take part', async () => {
    expect(scenarioOf(await recorded(chat, hello), chat)).toBe('other sessions take part, by shared actors');
  });

  test('of bytes that are no whole frames, without payloads', async () => {
    const recording = await recorded(media, ({ world, peer }) => {
      peer.write(Uint8Array.of(0, 0, 0));
      world.advanceBy(10);
    });
    expect(scenarioOf(recording, media)).toBe(
      'the peer sent bytes that are no whole frames, and the recording has no payloads',
    );
  });
});
