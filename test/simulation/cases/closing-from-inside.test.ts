/** FAULTS.md, sessions: cases 48 and 49: sessions that are closed by a frame of their own, and from everywhere inside. */
import { assign, emit } from 'xstate';
import { describe, expect, test } from 'vitest';
import { COMMANDS } from '../../../examples/media-control/codec.js';
import type { CloseOption } from '../../../machines/events.js';
import type { Session } from '../../../src/session/session.js';
import { labProtocol, type Lab } from '../../session/lab.js';
import { chatExample, command, joined, makeScene, mediaExample, ofLines, text, type Scene } from './scene.js';

const isText =
  (wanted: string) =>
  ({ event }: { event: { text: string } }) =>
    event.text === wanted;
const CLOSING_LINES = ofLines(
  'lines',
  labProtocol({
    implementations: {
      guards: { isClose: isText('close'), isReset: isText('reset') },
      actions: { close: emit({ type: 'CLOSE', option: 'graceful' }), reset: emit({ type: 'CLOSE', option: 'force' }) },
    },
    machine: {
      on: {
        LINE: [{ guard: 'isClose', actions: 'close' }, { guard: 'isReset', actions: 'reset' }, { actions: 'echo' }],
      },
    },
  }),
);

describe('case 48: of a chunk in whose middle a frame closes the session no further frame is handled (the echo has no frame that closes)', () => {
  const bye = command(COMMANDS.BYE | 0x8000);
  test.each([
    {
      name: 'quit of the chat',
      example: chatExample,
      closing: text('quit\n'),
      last: text('* bye\n'),
      reason: 'protocol asked',
    },
    {
      name: 'BYE of media-control',
      example: mediaExample,
      closing: command(COMMANDS.BYE),
      last: bye,
      reason: 'protocol asked',
    },
    {
      name: 'ABORT of media-control',
      example: mediaExample,
      closing: command(COMMANDS.ABORT),
      last: undefined,
      reason: 'protocol asked',
    },
    {
      name: 'a line that closes',
      example: CLOSING_LINES,
      closing: text('close\n'),
      last: new Uint8Array(0),
      reason: 'protocol asked',
    },
    {
      name: 'a line that resets',
      example: CLOSING_LINES,
      closing: text('reset\n'),
      last: undefined,
      reason: 'protocol asked',
    },
  ])('$name', async ({ example, closing, last, reason }) => {
    const scene = await makeScene(example);
    const { talker, peer, session } = scene.intrudeAsTalker();
    const before = [talker.next(), talker.next(), talker.next()];
    if (last) talker.hears(last);
    const after = [4, 5, 6].map((n) => example.request(talker.who, n));
    peer.write(joined(...before, closing, ...after));
    scene.world.advanceBy(30);
    expect(scene.recordOf(session)).toMatchObject({ reason, closedBy: last ? 'fin' : 'rst' });
    if (last) talker.expectAnswers();
    else expect(peer.text).not.toContain(`${talker.who} 4`);
    await scene.over({ [reason]: 1 });
  });
});

/** Places of a user's code, each of which closes the session that is in it. */
const PLACES: Record<string, (close: () => boolean) => Lab> = {
  action: (close) => ({
    implementations: { actions: { close: () => void close() } },
    machine: { on: { LINE: { actions: ['close', 'echo'] } } },
  }),
  guard: (close) => ({
    implementations: { guards: { close } },
    machine: { on: { LINE: { guard: 'close', actions: 'echo' } } },
  }),
  assign: (close) => ({
    implementations: { actions: { close: assign(() => (close(), {})) } },
    machine: { on: { LINE: { actions: ['close', 'echo'] } } },
  }),
  emit: (close) => ({
    implementations: { actions: { close: emit(() => (close(), { type: 'JOIN', group: 'all' })) } },
    machine: { on: { LINE: { actions: ['close', 'echo'] } } },
  }),
  entry: (close) => ({
    implementations: { actions: { close: () => void close() } },
    machine: {
      initial: 'a',
      on: {},
      states: {
        a: { on: { LINE: { target: 'b', actions: 'echo' } } },
        b: { entry: 'close', on: { LINE: { target: 'a', actions: 'echo' } } },
      },
    },
  }),
  exit: (close) => ({
    implementations: { actions: { close: () => void close() } },
    machine: {
      initial: 'a',
      on: {},
      states: {
        a: { exit: 'close', on: { LINE: { target: 'b', actions: 'echo' } } },
        b: { on: { LINE: { target: 'a', actions: 'echo' } } },
      },
    },
  }),
  'delay expression': (close) => ({
    implementations: { delays: { close: () => (close(), 10) } },
    machine: {
      initial: 'a',
      on: {},
      states: {
        a: { on: { LINE: { target: 'b', actions: 'echo' } } },
        b: { after: { close: 'a' }, on: { LINE: { target: 'a', actions: 'echo' } } },
      },
    },
  }),
  timer: (close) => ({
    implementations: { actions: { close: () => void close() } },
    machine: {
      initial: 'a',
      on: {},
      states: {
        a: { on: { LINE: { target: 'b', actions: 'echo' } } },
        b: { after: { 5: { target: 'a', actions: 'close' } }, on: { LINE: { target: 'a', actions: 'echo' } } },
      },
    },
  }),
  handler: (close) => ({
    implementations: { actions: { ask: emit({ type: 'ASK' }) } },
    machine: { on: { LINE: { actions: ['ask', 'echo'] } } },
    handlers: { ASK: { run: () => void close(), deadlineMs: 100 } },
  }),
};

describe('case 49: a close from inside of a chart, a handler or a subscriber is one end, with its reason, and without an error', () => {
  const places = Object.keys(PLACES).flatMap((place) =>
    (['graceful', 'force'] as const).map((option) => ({ place, option })),
  );

  test.each(places)('$option, from a(n) $place of the chart', async ({ place, option }) => {
    let victim: Session | undefined;
    const close = () => {
      victim?.close(option);
      return true;
    };
    const scene = await makeScene(ofLines(place, labProtocol(PLACES[place]!(close))));
    await closesOnce(scene, option, (session) => (victim = session));
  });

  const streams = ['events', 'changes', 'errors'] as const;
  test.each(streams.flatMap((stream) => (['graceful', 'force'] as const).map((option) => ({ stream, option }))))(
    '$option, from a subscriber of `$stream`',
    async ({ stream, option }) => {
      const scene = await makeScene(ofLines('lines', labProtocol()));
      const { server } = scene;
      let victim: Session | undefined;
      const source = { events: server.events, changes: server.sessions.changes, errors: server.errors }[stream];
      const subscription = source.subscribe(() => victim?.close(option));
      if (stream === 'errors') {
        const { session } = scene.intrude();
        victim = scene.intrude().session;
        session.send({ type: 'NONE' } as never); // cannot be encoded
        scene.world.advanceBy(30);
        expect(scene.recordOf(victim)).toMatchObject({ reason: 'protocol asked', option });
        subscription.unsubscribe();
        await scene.over({ 'protocol failed': 1, 'protocol asked': 1 }, { errors: ['PROTOCOL_FAILED'] });
        return;
      }
      await closesOnce(
        scene,
        option,
        (session) => (victim = session),
        () => subscription.unsubscribe(),
      );
    },
  );
});

async function closesOnce(
  scene: Scene,
  option: CloseOption,
  arm: (session: Session) => void,
  disarm?: () => void,
): Promise<void> {
  const isTimer = scene.example.name === 'timer'; // its lines are handled before it is due
  const { peer, session } = scene.intrude();
  arm(session);
  peer.write('one\ntwo\nthree\n');
  scene.world.advanceBy(50);
  expect(scene.recordOf(session)).toMatchObject({
    reason: 'protocol asked',
    option,
    closedBy: option === 'force' ? 'rst' : 'fin',
  });
  expect(peer.state).toBe('closed');
  if (!isTimer) expect(peer.text).not.toContain('three');
  disarm?.();
  await scene.over({ 'protocol asked': 1 });
}
