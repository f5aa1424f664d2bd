/** The attack kit against the examples, and against protocols that are broken in ways which it has to find. On virtual time. */
import { assign, emit, enqueueActions, setup } from 'xstate';
import { describe, expect, test } from 'vitest';
import type { ByteQueue } from '../../src/codec/byte-queue.js';
import { lines } from '../../src/codec/lines.js';
import type { Attack } from '../../src/explore/attack.js';
import { attackProtocol, type AttackProtocolOptions } from '../../src/explore/attack-protocol.js';
import { attacks } from '../../src/explore/attacks/attacks.js';
import type { AnyProtocol } from '../../src/session/protocol.js';
import chat from '../../examples/chat/index.js';
import echo from '../../examples/echo/index.js';
import mediaControl from '../../examples/media-control/index.js';
import { brokenLines, labProtocol } from '../session/lab.js';

const examples = [echo, chat, mediaControl] as readonly AnyProtocol[];

/** One attack alone. */
async function attacked(protocol: AnyProtocol, name: string, options: Partial<AttackProtocolOptions> = {}) {
  const report = await attackProtocol(protocol, { seed: 1, attacks: [name], ...options });
  return { report, result: report.attacks[0]! };
}

describe.each(examples)('$name', (protocol) => {
  test.each(attacks)('survives $name, and each healthy peer beside it gets every answer', async ({ name }) => {
    const { report, result } = await attacked(protocol, name, { connections: 8 });
    expect(result.problems).toEqual([]);
    expect(report.survived).toBe(true);
    expect(report.probeProblem).toBeUndefined();
    expect(result.connections).toBeGreaterThan(1);
    expect(result.answers.asked).toBeGreaterThan(200);
    expect(result.answers).toEqual({ asked: result.answers.asked, answered: result.answers.asked, lost: 0, cutOff: 0 });
    // Each connection that was taken became a session, and each session ended with a reason.
    const { refused } = result.endings;
    const ended = Object.values(result.reasons).reduce((sum, count) => sum + count, 0);
    expect(ended).toBe(result.connections - refused);
  });
});

describe('what the server makes of it', () => {
  test('slowloris is ended by the deadline of a frame, 30 s, though a byte comes each second', async () => {
    const { result } = await attacked(echo, 'slowloris');
    expect(result.reasons['frame timeout']).toBe(20);
  });

  test('a peer that never reads is held to the limit, and ended by the send timeout', async () => {
    const { result } = await attacked(echo, 'never-reading', { session: { heldBytesMax: 262_144 } });
    expect(result.reasons['send timeout']).toBe(3);
    expect(result.heldBytes).toBeGreaterThan(65_536);
    expect(result.heldBytes).toBeLessThan(262_144);
  });

  test('a length of 4 GiB holds nothing: no more than a frame of the limit is ever held', async () => {
    const { result } = await attacked(echo, 'length-bomb');
    expect(result.reasons).toEqual({ 'bad frame': result.connections });
    expect(result.heldBytes).toBeLessThanOrEqual(1_048_576);
  });

  test('a peer that never answers our FIN is reset', async () => {
    const { result } = await attacked(echo, 'half-open', { seconds: 10 });
    expect(result.reasons['bad frame']).toBe(result.connections);
    expect(result.endings.rst + result.endings.open).toBe(result.connections);
  });

  test('a FIN in mid-frame is a truncated frame, an RST a reset', async () => {
    const fin = await attacked(echo, 'mid-frame-fin', { seconds: 2 });
    expect(Object.keys(fin.result.reasons)).toEqual(['truncated frame']);
    expect(fin.result.reasons['truncated frame']).toBeGreaterThan(100);
    const rst = await attacked(echo, 'mid-frame-rst', { seconds: 2 });
    expect(rst.result.reasons['peer reset']).toBeGreaterThan(100);
  });
});

describe('a report', () => {
  test('one seed gives one report, another seed another', async () => {
    const options = { seed: 7, attacks: ['garbage', 'reconnect-storm'], seconds: 2 };
    const first = await attackProtocol(echo, options);
    expect(await attackProtocol(echo, options)).toEqual(first);
    const other = await attackProtocol(echo, { ...options, seed: 8 });
    expect(other.attacks.map(({ bytesSent }) => bytesSent)).not.toEqual(
      first.attacks.map(({ bytesSent }) => bytesSent),
    );
  });

  test('has an attack of one’s own in it, with what its bounds let it do', async () => {
    const ping: Attack = {
      name: 'ping',
      does: 'Sends a byte on each connection.',
      goodServer: 'Waits for more.',
      run(context) {
        for (let index = 0; index < 10; index += 1) {
          const attacker = context.connect();
          attacker?.whenConnected(() => attacker.write(Uint8Array.of(0)));
        }
      },
    };
    const report = await attackProtocol(echo, { seed: 1, attacks: [ping], connections: 4, seconds: 1 });
    expect(report.attacks).toMatchObject([{ name: 'ping', survived: true, connections: 4, bytesSent: 4 }]);
    expect(report.attacks[0]!.endings).toEqual({ open: 4, fin: 0, rst: 0, self: 0, refused: 0 });
  });

  test('a codec that only the server understands leaves the raw attacks, and says which were not tried', async () => {
    const whole = lines();
    const oneWay = () => ({
      ...brokenLines({}),
      messages: whole.messages.map((message) => ({ ...message, direction: 'in' as const })),
    });
    const report = await attackProtocol(labProtocol({ codecs: { lines: oneWay } }), { seed: 1, seconds: 1 });
    expect(report.skipped).toEqual(['never-reading', 'empty-frames', 'request-burst']);
    expect(report.attacks).toHaveLength(attacks.length - 3);
    expect(report.survived).toBe(true);
    expect(report.probe).toBeUndefined();
  });

  test.each([
    [{ seed: -1 }, 'attackProtocol.seed: expected an integer'],
    [{ seed: 1, seconds: 0 }, 'attackProtocol.seconds: expected an integer from 1 to 3600, got 0'],
    [{ seed: 1, attacks: ['slow-loris'] }, 'attackProtocol.attacks: expected some of scan-fin'],
    [{ seed: 1, attacks: [] }, 'attackProtocol.attacks: expected some of scan-fin'],
    [{ seed: 1, sead: 1 }, 'attackProtocol.sead: there is no such option; did you mean seed?'],
  ])('the options %o are refused by name', async (options, message) => {
    await expect(attackProtocol(echo, options as AttackProtocolOptions)).rejects.toThrow(message);
  });
});

describe('a broken protocol is found, and what is wrong is named', () => {
  test('a codec that throws a TypeError at bytes that it did not expect', async () => {
    const surprised = () =>
      brokenLines({
        decode: (buffer: ByteQueue) => {
          if (buffer.byteLength > 0 && buffer.byteAt(0) > 0x7f) throw new TypeError('no table for this byte');
          return lines().decode(buffer);
        },
      });
    const { report, result } = await attacked(labProtocol({ codecs: { lines: surprised } }), 'garbage', { seconds: 2 });
    expect(report.survived).toBe(false);
    expect(result.problems.join()).toMatch(/^PROTOCOL_FAILED: .*no table for this byte \(\d+ times\)/);
    expect(result.answers.lost).toBe(0);
  });

  test('a codec that collects without a bound, where no limit of the session sees it', async () => {
    const greedy = () => {
      const kept: Uint8Array[] = [];
      return brokenLines({
        decode: (buffer: ByteQueue) => {
          const [bytes, text] = [buffer.take(buffer.byteLength), new TextDecoder()];
          kept.push(bytes);
          if (!bytes.includes(10)) return undefined;
          return {
            type: 'LINE',
            text: kept
              .splice(0)
              .map((piece) => text.decode(piece))
              .join('')
              .trim(),
          };
        },
      });
    };
    const session = { heldBytesMax: 262_144 };
    const { result } = await attacked(labProtocol({ codecs: { lines: greedy } }), 'endless-frame', { session });
    expect(result.survived).toBe(false);
    expect(result.problems).toHaveLength(1);
    expect(result.problems[0]).toMatch(/^a codec held \d{6,} bytes and made no message of them; the limit is 262144$/);
  });

  test('a chart that never answers: it has no request to be asked with, and the report says so', async () => {
    const mute = labProtocol({ machine: { on: { LINE: {} } } });
    const { report, result } = await attacked(mute, 'scan-fin', { seconds: 2 });
    expect(report.probe).toBeUndefined();
    expect(report.probeProblem).toMatch(
      /^no request to lab gets an answer .*3 requests were tried \(LINE\), each 8 times/,
    );
    expect(result.answers.answered).toBeGreaterThan(5);
  });

  test('a chart that all share and that answers no more when it has been asked too often: answers are lost', async () => {
    const patience = setup({
      types: {} as { context: { left: number }; events: { type: 'ASK'; session: string }; emitted: any },
      actions: {
        answer: emit(({ event }) => ({ type: 'DISPATCH', session: event.session, event: { type: 'TOLD' } })),
        count: assign({ left: ({ context }) => context.left - 1 }),
      },
      guards: { isPatient: ({ context }) => context.left > 0 },
    }).createMachine({
      context: { left: 500 },
      on: { ASK: { guard: 'isPatient', actions: ['count', 'answer'] } },
    });
    const protocol = labProtocol({
      shared: { patience: { machine: patience } },
      machine: {
        on: {
          LINE: { actions: emit({ type: 'TELL', to: 'patience', event: { type: 'ASK' } }) },
          TOLD: { actions: { type: 'say', params: 'yes' } },
        },
      },
    });
    const calm = await attacked(protocol, 'scan-fin', { seconds: 10 });
    expect(calm.result.problems).toEqual([]);
    const { result } = await attacked(protocol, 'request-burst', { seconds: 10 });
    expect(result.survived).toBe(false);
    expect(result.problems[0]).toMatch(/^\d+ answers to healthy peers did not come in time$/);
  });

  test('a shared chart that throws when it is asked too often: what it threw is in the report', async () => {
    const mood = setup({
      types: {} as { context: { asked: number }; events: { type: 'ASK'; session: string }; emitted: any },
      actions: {
        count: assign({ asked: ({ context }) => context.asked + 1 }),
        loseTemper: ({ context }) => {
          if (context.asked === 300) throw new Error('enough');
        },
      },
    }).createMachine({ context: { asked: 0 }, on: { ASK: { actions: ['count', 'loseTemper'] } } });
    const protocol = labProtocol({
      shared: { mood: { machine: mood } },
      machine: {
        on: { LINE: { actions: ['echo', emit({ type: 'TELL', to: 'mood', event: { type: 'ASK' } })] } },
      },
    });
    const { result } = await attacked(protocol, 'request-burst', { seconds: 10 });
    expect(result.survived).toBe(false);
    expect(result.problems.join()).toMatch(/SHARED_FAILED: .*enough/);
  });

  test('a shared chart that starts a timer of an hour for each peer: timers are left when the peers have gone', async () => {
    const diary = setup({
      types: {} as { context: { count: number }; events: { type: 'SEEN' | 'LATER' }; emitted: any },
      actions: {
        remember: enqueueActions(({ context, enqueue }) => {
          enqueue.assign({ count: context.count + 1 });
          enqueue.raise({ type: 'LATER' }, { delay: 3_600_000, id: `entry ${context.count}` });
        }),
      },
    }).createMachine({ context: { count: 0 }, on: { SEEN: { actions: 'remember' }, LATER: {} } });
    const protocol = labProtocol({
      shared: { diary: { machine: diary } },
      machine: { entry: emit({ type: 'TELL', to: 'diary', event: { type: 'SEEN' } }) },
    });
    const { result } = await attacked(protocol, 'scan-fin', { seconds: 1 });
    const sessions = Object.values(result.reasons).reduce((sum, count) => sum + count, 3);
    expect(result.problems).toEqual([`${sessions} timers are left when all peers have gone`]);
  });
});
