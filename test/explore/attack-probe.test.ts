/** Which request of a protocol gets an answer. */
import { describe, expect, test } from 'vitest';
import { probeOf } from '../../src/explore/probe.js';
import type { AnyProtocol } from '../../src/session/protocol.js';
import chat from '../../examples/chat/index.js';
import echo from '../../examples/echo/index.js';
import mediaControl from '../../examples/media-control/index.js';
import { labProtocol } from '../session/lab.js';

describe('a probe', () => {
  test('of echo is an empty frame, which comes back', async () => {
    const probe = await probeOf(echo);
    expect(probe).toMatchObject({ request: { type: 'FRAME' }, answers: ['FRAME'], greetings: 0, bytes: 8 });
    expect(probe.heaviest).toMatchObject({ type: 'FRAME', payload: { byteLength: 1_024 } });
  });

  test('of chat is a line that is answered by a line, behind one greeting', async () => {
    expect(await probeOf(chat)).toMatchObject({ answers: ['LINE'], greetings: 1 });
  });

  test('of media-control is PING: what is not allowed yet ends the session after five errors, and is no probe', async () => {
    expect(await probeOf(mediaControl as AnyProtocol)).toMatchObject({ request: { type: 'PING' }, answers: ['PONG'] });
  });

  test('is one of the protocol’s own samples, if one of them gets an answer', async () => {
    const protocol = labProtocol({ samples: { LINE: [{ type: 'LINE', text: 'are you there?' }] } });
    expect((await probeOf(protocol)).request).toEqual({ type: 'LINE', text: 'are you there?' });
  });

  test('may have several messages for an answer', async () => {
    const twice = labProtocol({ machine: { on: { LINE: { actions: ['echo', 'echo'] } } } });
    expect((await probeOf(twice)).answers).toEqual(['LINE', 'LINE']);
  });

  test('is nothing that is answered once, or that ends the connection', async () => {
    const once = labProtocol({
      machine: {
        initial: 'new',
        states: { new: { on: { LINE: { target: 'old', actions: 'echo' } } }, old: { on: { LINE: {} } } },
      },
    });
    await expect(probeOf({ ...once, machine: once.machine })).rejects.toThrow('no request to lab gets an answer');
    const last = labProtocol({
      machine: {
        on: {},
        initial: 'new',
        states: { new: { on: { LINE: { target: 'gone', actions: 'echo' } } }, gone: { type: 'final' } },
      },
    });
    await expect(probeOf(last)).rejects.toMatchObject({ code: 'NO_ANSWER' });
  });

  test('tries no more requests than it may', async () => {
    const mute = labProtocol({ machine: { on: { LINE: {} } } });
    await expect(probeOf(mute, { triesMax: 2 })).rejects.toThrow('2 requests were tried (LINE), each 8 times');
    await expect(probeOf(mute, { triesMax: 0 })).rejects.toThrow(
      'probeOf.triesMax: expected an integer from 1 to 1000, got 0',
    );
  });
});
