/** The session chart as tables: every documented way through a connection's life. */
import { describe, expect, test } from 'vitest';
import {
  decodes,
  sessionMachine,
  waitsUntilDue,
  type SessionContext,
  type SessionEvent,
} from '../../machines/session.js';
import { delayOf, due, isIn, play, playOn, stateAt, type Due } from '../../src/testing/play.js';
import { asks, close, error, input, is, measured, read, send, setWaits, stop, wait, waits } from './session-events.js';

interface Row {
  readonly name: string;
  readonly given?: ReturnType<typeof input>;
  readonly events: readonly (SessionEvent | Due)[];
  readonly state: string;
  /** Types of all commands, from the start on. */
  readonly commands?: readonly string[];
  /** Types of what the last event led to. */
  readonly last?: readonly string[];
  readonly context?: Partial<SessionContext>;
}

function table(rows: readonly Row[]): void {
  test.each(rows)('$name', ({ given = input(), events, state, commands, last, context }) => {
    const end = play(sessionMachine, given, events);
    expect(stateAt(end, state)).toBe(state);
    if (commands) expect(end.types).toEqual(commands);
    if (last) expect(end.lastTypes).toEqual(last);
    if (context) expect(end.snapshot.context).toMatchObject(context);
  });
}

/** The shortest way into each state, one READ first where there can be one. */
const INTO: Record<string, readonly (SessionEvent | Due)[]> = {
  accepted: [],
  'connected.flowing': [read()],
  'connected.congested': [read(), is('CONGESTED')],
  'halfClosed.byPeer.decoding': [read(), is('PEER_END')],
  'halfClosed.byPeer.answered': [read(), is('PEER_END'), is('INPUT_DONE')], // of a session that asked for PEER_END
  'halfClosed.byUs': [read(), is('END')],
  'closing.flushing': [read(), stop()],
  'closing.finWait': [read(), stop(), is('FLUSHED')],
  'closing.closeWait': [read(), stop(), is('PEER_END')],
  'closing.lastAck': [read(), stop(), is('FLUSHED'), is('PEER_END')],
  reset: [read(), stop('force')],
  closed: [read(), close()],
};
const into = (state: string, facts = asks('PEER_END')) => play(sessionMachine, facts, INTO[state]!);
const LIVE = Object.keys(INTO).filter((state) => state !== 'closed');
const OPEN = LIVE.filter((state) => !state.startsWith('closing') && state !== 'reset');
const COUNTING = ['accepted', 'connected.flowing', 'halfClosed.byUs'];

test.each(Object.keys(INTO))('the shortest way into %s leads there', (state) => {
  expect(stateAt(into(state), state)).toBe(state);
});

describe('accepted', () => {
  table([
    { name: 'reading starts with the session', events: [], state: 'accepted', commands: ['RESUME'] },
    { name: 'the first READ connects and is decoded', events: [read()], state: 'connected.flowing', last: ['DECODE'] },
    { name: 'a client’s CONNECT connects', events: [is('CONNECT')], state: 'connected.flowing', last: [] },
    { name: 'a greeting is written before the first READ', events: [send()], state: 'accepted', last: ['WRITE'] },
    { name: 'a greeting that congests pauses reading', events: [send(), is('CONGESTED')], state: 'connected.congested', last: ['PAUSE', 'FACT', 'MEASURE'] },
    { name: 'END sends our FIN and reads on', events: [is('END')], state: 'halfClosed.byUs.sending', last: ['SEND_FIN', 'MEASURE', 'DECODE'] },
    { name: 'a peer that only sends its FIN is half-closed', events: [is('PEER_END')], state: 'halfClosed.byPeer', last: ['DECODE_END'] },
    { name: 'a scan (RST before a byte) closes with peer reset', events: [error('ECONNRESET'), close(true)], state: 'closed', context: { reason: 'peer reset', closedBy: 'rst' } },
  ]); // prettier-ignore
});

describe('waits', () => {
  table([
    { name: '59 waits after a READ change nothing', events: [read(), ...waits(59)], state: 'connected.flowing' },
    { name: 'the 60th wait after a READ starts the close', events: [read(), ...waits(60)], state: 'closing.flushing', last: ['RESUME', 'FLUSH'], context: { reason: 'wait timeout' } },
    { name: 'one event of 59 waits changes nothing', events: [read(), wait(59)], state: 'connected.flowing' },
    { name: 'one event of 60 waits starts the close', events: [read(), wait(60)], state: 'closing.flushing', context: { reason: 'wait timeout', waitTimeoutCount: 60 } },
    { name: 'one event of 1 000 waits starts the close once', events: [read(), wait(1_000)], state: 'closing.flushing', context: { waitTimeoutCount: 60 } },
    { name: '30 and 30 waits start the close', events: [read(), wait(30), wait(30)], state: 'closing.flushing' },
    { name: '60 waits without a first byte start the close', events: waits(60), state: 'closing.flushing' },
    { name: '59 waits without a first byte do not', events: waits(59), state: 'accepted' },
    { name: 'a READ after 59 waits starts them anew', events: [read(), wait(59), read(), wait(59)], state: 'connected.flowing' },
    { name: 'what we send does not count as a READ', events: [read(), wait(59), send(), wait(1)], state: 'closing.flushing' },
    { name: 'CONNECT does not start them anew', events: [wait(59), is('CONNECT'), wait(1)], state: 'closing.flushing' },
    { name: 'with 0 waits none ends the session', given: input({ waitTimeoutCountMax: 0 }), events: [read(), wait(1_000_000)], state: 'connected.flowing' },
    { name: 'SET_WAITS of 0 turns them off', events: [read(), wait(59), setWaits(0), wait(10_000)], state: 'connected.flowing' },
    { name: 'SET_WAITS starts them anew: 3 000 waits, the last of them counts', events: [read(), wait(59), setWaits(3_000), wait(2_999)], state: 'connected.flowing' },
    { name: 'SET_WAITS starts them anew: the 3 000th closes', events: [read(), wait(59), setWaits(3_000), wait(2_999), wait(1)], state: 'closing.flushing' },
    { name: 'after END waits go on counting', events: [read(), wait(30), is('END'), wait(29)], state: 'halfClosed.byUs' },
    { name: 'after END the 60th wait ends it, without a second FIN', events: [read(), wait(30), is('END'), wait(30)], state: 'closing.finWait', commands: ['RESUME', 'DECODE', 'FACT', 'SEND_FIN', 'MEASURE', 'DECODE', 'RESUME'] },
    { name: 'after the peer’s FIN waits count no more', events: [read(), is('PEER_END'), wait(60)], state: 'halfClosed.byPeer' },
  ]); // prettier-ignore

  test('each counted wait is told as a fact with its number, the last one is not', () => {
    const { commands } = play(sessionMachine, asks('WAIT_TIMEOUT'), [read(), wait(1), wait(58), wait(1)]);
    expect(commands.filter(({ type }) => type === 'FACT')).toEqual([
      { type: 'FACT', fact: wait(1) },
      { type: 'FACT', fact: wait(58) },
    ]);
  });

  test.each([
    { what: 'the output is congested', begin: is('CONGESTED'), end: is('FLOWING') },
    { what: 'the protocol holds', begin: is('HELD'), end: is('RELEASED') },
    { what: 'the input is full', begin: is('INPUT_FULL'), end: is('INPUT_LOW') },
  ])('while $what waits stand still, and then they count from 0: 59 do nothing, the 60th closes', ({ begin, end }) => {
    const standing = play(sessionMachine, input(), [read(), wait(59), begin, wait(1_000)]);
    expect(isIn(standing, 'connected')).toBe(true);
    expect(standing.lastTypes).toEqual([]);
    expect(waitsUntilDue(standing.snapshot)).toBe(Infinity);

    const again = playOn(standing, [end]);
    expect(waitsUntilDue(again.snapshot)).toBe(60);
    expect(isIn(playOn(again, [wait(59)]), 'connected.flowing')).toBe(true);
    expect(isIn(playOn(again, [wait(60)]), 'closing.flushing')).toBe(true);
  });

  test.each([
    { given: input(), events: [], due: 60 },
    { given: input(), events: [read(), wait(59)], due: 1 },
    { given: input({ waitTimeoutCountMax: 0 }), events: [], due: Infinity },
    { given: asks('WAIT_TIMEOUT'), events: [read()], due: 1 },
    { given: { ...asks('WAIT_TIMEOUT'), waitTimeoutCountMax: 0 }, events: [read()], due: 1 },
    { given: input(), events: [read(), is('END'), wait(10)], due: 50 },
  ])('after $events.length events the next wait that matters is the $due th', ({ given, events, due: count }) => {
    expect(waitsUntilDue(play(sessionMachine, given, events).snapshot)).toBe(count);
  });

  test.each(Object.keys(INTO))('in %s a wait is due only if the state counts them', (state) => {
    expect(waitsUntilDue(into(state).snapshot)).toBe(COUNTING.includes(state) ? 60 : Infinity);
  });
});

describe('closing gracefully', () => {
  table([
    { name: 'STOP flushes first', events: [read(), stop()], state: 'closing.flushing', commands: ['RESUME', 'DECODE', 'RESUME', 'FLUSH'] },
    { name: 'our FIN goes when all is flushed', events: [read(), stop(), is('FLUSHED')], state: 'closing.finWait', last: ['SEND_FIN'] },
    { name: 'the peer’s FIN is awaited, then the end of the socket', events: [read(), stop(), is('FLUSHED'), is('PEER_END')], state: 'closing.lastAck', last: [] },
    { name: 'it is closed by fin, for the reason it was asked', events: [read(), stop('graceful', 'limit'), is('FLUSHED'), is('PEER_END'), close()], state: 'closed', context: { reason: 'limit', closedBy: 'fin', option: 'graceful' } },
    { name: 'peer first: its FIN has our input decoded to the end', events: [read(), is('PEER_END')], state: 'halfClosed.byPeer.decoding', last: ['DECODE_END'] },
    { name: 'peer first: when all is answered we flush', events: [read(), is('PEER_END'), is('INPUT_DONE')], state: 'closing.closeWait', last: ['RESUME', 'FLUSH'] },
    { name: 'peer first: then our FIN', events: [read(), is('PEER_END'), is('INPUT_DONE'), is('FLUSHED')], state: 'closing.lastAck', last: ['SEND_FIN'] },
    { name: 'peer first: it is closed by fin, as the peer closed', events: [read(), is('PEER_END'), is('INPUT_DONE'), is('FLUSHED'), close()], state: 'closed', context: { reason: 'peer closed', closedBy: 'fin' } },
    { name: 'both at once: a FIN that comes while we flush is answered by ours', events: [read(), stop(), is('PEER_END')], state: 'closing.closeWait', last: ['FLUSH'] },
    { name: 'both at once: one FIN of ours, though FLUSHED comes twice', events: [read(), stop(), is('PEER_END'), is('FLUSHED'), is('FLUSHED')], state: 'closing.lastAck', commands: ['RESUME', 'DECODE', 'RESUME', 'FLUSH', 'FLUSH', 'SEND_FIN'] },
    { name: 'crossing FINs: ours is out when the peer’s comes', events: [read(), stop(), is('FLUSHED'), is('PEER_END'), close()], state: 'closed', context: { closedBy: 'fin' } },
    { name: 'a second graceful STOP changes neither state nor reason', events: [read(), stop('graceful', 'limit'), stop('graceful', 'draining')], state: 'closing.flushing', last: [], context: { reason: 'limit' } },
    { name: 'STOP in a half-closed session keeps its own reason', events: [read(), is('PEER_END'), stop('graceful', 'truncated frame')], state: 'closing.closeWait', context: { reason: 'truncated frame' } },
  ]); // prettier-ignore

  const wayOut: Record<string, string> = {
    accepted: 'closing.flushing',
    'connected.flowing': 'closing.flushing',
    'connected.congested': 'closing.flushing',
    'halfClosed.byPeer.decoding': 'closing.closeWait',
    'halfClosed.byPeer.answered': 'closing.closeWait',
    'halfClosed.byUs': 'closing.finWait',
  };
  test.each(OPEN)('in %s a graceful STOP starts the close that fits the FINs already sent', (state) => {
    const end = playOn(into(state), [stop()]);
    expect(stateAt(end, wayOut[state]!)).toBe(wayOut[state]);
    expect(end.snapshot.context).toMatchObject({ reason: 'protocol asked', option: 'graceful' });
    expect(delayOf(end, 'closeTimeout')).toBe(5_000);
  });

  test.each(LIVE.filter((state) => !OPEN.includes(state)))('in %s a graceful STOP is ignored', (state) => {
    const end = playOn(into(state), [stop('graceful', 'limit')]);
    expect(stateAt(end, state)).toBe(state);
    expect(end.lastTypes).toEqual([]);
    expect(end.snapshot.context.reason).toBe('protocol asked');
  });
});

describe('closing by force', () => {
  test.each(LIVE.filter((state) => state !== 'reset'))(
    'in %s a forced STOP sends RST at once and flushes nothing',
    (state) => {
      const end = playOn(into(state), [stop('force', 'limit')]);
      expect(stateAt(end, 'reset')).toBe('reset');
      expect(end.lastTypes).toEqual(['SEND_RST']);
      expect(end.snapshot.context).toMatchObject({ closedBy: 'rst', option: 'force' });
      expect([...end.timers.values()].map(({ event }) => event.type)).toEqual([
        'xstate.after.closeTimeout.session.reset',
      ]);
    },
  );

  table([
    { name: 'after RST only CLOSE is awaited', events: [read(), stop('force'), close(true)], state: 'closed', context: { reason: 'protocol asked', closedBy: 'rst' } },
    { name: 'after RST a CLOSE that knows of no reset is closed by rst all the same', events: [read(), stop('force'), close(false)], state: 'closed', context: { closedBy: 'rst' } },
    { name: 'a socket that never reports CLOSE after RST is given up after closeTimeoutMs', events: [read(), stop('force'), due('closeTimeout')], state: 'closed', context: { closedBy: 'rst' } },
    { name: 'after RST an ERROR of the socket is no news', events: [read(), stop('force'), error('ECONNRESET')], state: 'reset', last: [] },
    { name: 'after RST a second STOP sends no second RST', events: [read(), stop('force'), stop('force')], state: 'reset', last: [] },
    { name: 'force after graceful keeps the first reason', events: [read(), stop('graceful', 'draining'), stop('force', 'server stopped')], state: 'reset', last: ['SEND_RST'], context: { reason: 'draining', option: 'force' } },
  ]); // prettier-ignore
});

describe('the close deadline', () => {
  test.each(LIVE.filter((state) => state.startsWith('closing')))(
    'in %s it resets, and leaves the reason as it was',
    (state) => {
      const before = into(state);
      expect(delayOf(before, 'closeTimeout')).toBe(5_000);
      const end = playOn(before, [due('closeTimeout')]);
      expect(end.lastTypes).toEqual(['SEND_RST']);
      expect(playOn(end, [close(true)]).snapshot.context).toMatchObject({
        reason: before.snapshot.context.reason,
        option: 'graceful',
        closedBy: 'rst',
      });
    },
  );

  test('it runs once for flushing and the peer’s FIN together', () => {
    const flushing = into('closing.flushing');
    const finWait = playOn(flushing, [is('FLUSHED')]);
    expect(finWait.lastCancelled).toEqual([]);
    expect([...finWait.timers.keys()]).toEqual([...flushing.timers.keys()]);
  });

  table([
    { name: 'a half-closed session that nobody ends is reset when it passes', given: asks('PEER_END'), events: [read(), is('PEER_END'), is('INPUT_DONE'), due('closeTimeout')], state: 'reset', last: ['SEND_RST'], context: { reason: 'peer closed', closedBy: 'rst' } },
    { name: 'a half-closed session whose handlers are still at work is left alone', events: [read(), is('PEER_END'), due('closeTimeout')], state: 'halfClosed.byPeer.decoding', last: [] },
    { name: 'a half-closed session whose peer takes nothing is reset when it passes', events: [read(), is('PEER_END'), is('CONGESTED'), due('closeTimeout')], state: 'reset', context: { reason: 'peer closed', closedBy: 'rst' } },
  ]); // prettier-ignore
});

describe('half-closed by the peer', () => {
  table([
    { name: 'who asked for PEER_END is told when all input is answered, and stays open', given: asks('PEER_END'), events: [read(), is('PEER_END'), is('INPUT_DONE')], state: 'halfClosed.byPeer.answered', last: ['FACT'] },
    { name: 'who did not ask is closed', events: [read(), is('PEER_END'), is('INPUT_DONE')], state: 'closing.closeWait', last: ['RESUME', 'FLUSH'] },
    { name: 'it may go on sending', given: asks('PEER_END'), events: [read(), is('PEER_END'), is('INPUT_DONE'), send()], state: 'halfClosed.byPeer.answered', last: ['WRITE'] },
    { name: 'END closes it, as the peer had', given: asks('PEER_END'), events: [read(), is('PEER_END'), is('INPUT_DONE'), is('END')], state: 'closing.closeWait', context: { reason: 'peer closed' } },
    { name: 'END before all is decoded sends our FIN, and decodes on', events: [read(), is('PEER_END'), is('END')], state: 'halfClosed.byUs.ended', last: ['RESUME', 'SEND_FIN', 'DECODE_END'] },
    { name: 'END before all is decoded: then it is closed by fin, as the peer closed', events: [read(), is('PEER_END'), is('END'), is('INPUT_DONE'), close()], state: 'closed', context: { reason: 'peer closed', closedBy: 'fin' } },
    { name: 'END with a congested output decodes on, as its output matters no more', events: [read(), is('PEER_END'), is('CONGESTED'), is('END')], state: 'halfClosed.byUs.ended', last: ['RESUME', 'SEND_FIN', 'DECODE_END'], context: { outputFull: false } },
    { name: 'END while the protocol holds decodes on at its release', events: [read(), is('HELD'), is('PEER_END'), is('END'), is('RELEASED')], state: 'halfClosed.byUs.ended', last: ['DECODE_END'], context: { held: false } },
    { name: 'END with full input decodes on, as nothing more comes', events: [read(), is('INPUT_FULL'), is('PEER_END'), is('END')], state: 'halfClosed.byUs.ended', last: ['RESUME', 'SEND_FIN', 'DECODE_END'], context: { inputFull: false } },
    { name: 'END asks for no measure, and an answer to one changes nothing', events: [read(), is('PEER_END'), is('END'), measured(3, 0)], state: 'halfClosed.byUs.ended', last: [] },
    { name: 'END and a peer that takes nothing: reset at the close deadline', events: [read(), is('PEER_END'), is('END'), due('closeTimeout')], state: 'reset', last: ['SEND_RST'], context: { reason: 'peer closed', closedBy: 'rst' } },
    { name: 'a STOP after END says what cut the decoding short', events: [read(), is('PEER_END'), is('END'), stop('graceful', 'bad frame')], state: 'closing.lastAck', context: { reason: 'bad frame' } },
    { name: 'a protocol that holds finishes its input when it is released', events: [read(), is('HELD'), is('PEER_END'), is('RELEASED')], state: 'halfClosed.byPeer.decoding', last: ['DECODE_END'] },
    { name: 'a protocol that begins to hold finishes its input when it is released', events: [read(), is('PEER_END'), is('HELD'), is('RELEASED')], state: 'halfClosed.byPeer.decoding', last: ['DECODE_END'] },
    { name: 'a congested output lets the input be finished when it flows', events: [read(), is('CONGESTED'), is('PEER_END'), is('FLOWING')], state: 'halfClosed.byPeer.decoding', last: ['FACT', 'DECODE_END'] },
    { name: 'answers may congest it', events: [read(), is('PEER_END'), is('CONGESTED')], state: 'halfClosed.byPeer.decoding', last: ['FACT'], context: { outputFull: true } },
    { name: 'a second FIN of the peer is ignored', events: [read(), is('PEER_END'), is('PEER_END')], state: 'halfClosed.byPeer.decoding', last: [] },
    { name: 'DRAIN is told, and the close goes on by itself', given: asks('DRAIN'), events: [read(), is('PEER_END'), is('DRAIN')], state: 'halfClosed.byPeer', last: ['FACT'] },
  ]); // prettier-ignore

  test('PEER_END is told once, without anything else', () => {
    const { commands } = play(sessionMachine, asks('PEER_END'), [
      read(),
      is('PEER_END'),
      is('INPUT_DONE'),
      is('INPUT_DONE'),
    ]);
    expect(commands.filter(({ type }) => type === 'FACT')).toEqual([{ type: 'FACT', fact: { type: 'PEER_END' } }]);
  });
});

describe('half-closed by us', () => {
  table([
    { name: 'END: our FIN behind what is queued, and input is decoded on', events: [read(), is('END'), read()], state: 'halfClosed.byUs.sending', commands: ['RESUME', 'DECODE', 'SEND_FIN', 'MEASURE', 'DECODE', 'DECODE'] },
    { name: 'nothing can be sent any more', events: [read(), is('END'), send()], state: 'halfClosed.byUs', last: [] },
    { name: 'a second END sends no second FIN', events: [read(), is('END'), is('END')], state: 'halfClosed.byUs', last: [] },
    { name: 'the peer’s FIN has the input decoded to the end', events: [read(), is('END'), is('PEER_END')], state: 'halfClosed.byUs', last: ['DECODE_END'] },
    { name: 'when all is decoded only the end of the socket is awaited', events: [read(), is('END'), is('PEER_END'), is('INPUT_DONE')], state: 'closing.lastAck', last: ['RESUME'] },
    { name: 'it is closed by fin, as the peer closed', events: [read(), is('END'), is('PEER_END'), is('INPUT_DONE'), close()], state: 'closed', context: { reason: 'peer closed', closedBy: 'fin' } },
    { name: 'a graceful STOP waits for the peer’s FIN without a second one of ours', events: [read(), is('END'), stop(), is('FLUSHED'), is('PEER_END')], state: 'closing.lastAck', commands: ['RESUME', 'DECODE', 'SEND_FIN', 'MEASURE', 'DECODE', 'RESUME'] },
    { name: 'a frame that never ends closes it without a second FIN', events: [read(), is('END'), is('FRAME_STARTED'), due('FRAME_TIMEOUT')], state: 'closing.finWait', last: ['RESUME'], context: { reason: 'frame timeout' } },
    { name: 'DRAIN closes it without a second FIN', events: [read(), is('END'), is('DRAIN')], state: 'closing.finWait', last: ['RESUME'], context: { reason: 'draining' } },
    { name: 'END of a congested session reads and decodes on, as its output matters no more', events: [read(), is('CONGESTED'), is('END')], state: 'halfClosed.byUs.sending', last: ['RESUME', 'SEND_FIN', 'MEASURE', 'DECODE'], context: { outputFull: false } },
    { name: 'END of a congested session with full input decodes on, and reads when the input is low', events: [read(), is('INPUT_FULL'), is('CONGESTED'), is('END'), is('INPUT_LOW')], state: 'halfClosed.byUs.sending', commands: ['RESUME', 'DECODE', 'PAUSE', 'PAUSE', 'FACT', 'MEASURE', 'SEND_FIN', 'MEASURE', 'DECODE', 'RESUME'] },
    { name: 'what was sent before END is with the kernel: no more looks', events: [read(), is('END'), measured(3, 0)], state: 'halfClosed.byUs.sent', last: [] },
    { name: 'a peer that takes nothing for the send timeout after END is reset', events: [read(), is('END'), measured(3), ...Array.from({ length: 6 }, () => [due('sendLookTimeout'), measured(3)]).flat()], state: 'reset', context: { reason: 'send timeout' } },
    { name: 'a peer that takes something is given the send timeout anew', events: [read(), is('END'), measured(3), ...Array.from({ length: 5 }, () => [due('sendLookTimeout'), measured(3)]).flat(), due('sendLookTimeout'), measured(4)], state: 'halfClosed.byUs.sending', context: { stallCount: 0 } },
    { name: 'DRAIN after CLOSE ends what is still decoded: no CLOSE comes any more', events: [read(), is('HELD'), is('END'), is('PEER_END'), close(false), is('DRAIN')], state: 'closed', context: { reason: 'draining', closedBy: 'fin' } },
    { name: 'DRAIN after both FINs waits for CLOSE alone', events: [read(), is('HELD'), is('END'), is('PEER_END'), is('DRAIN')], state: 'closing.lastAck', context: { reason: 'draining' } },
    { name: 'CLOSE after both FINs does not cut off what is still decoded', events: [read(), is('HELD'), is('END'), is('PEER_END'), close(false)], state: 'halfClosed.byUs.ended', last: [] },
    { name: 'nothing is late after both FINs', events: [read(), is('END'), is('PEER_END'), close(false), is('FRAME_STARTED'), wait(60), is('FRAME_TIMEOUT')], state: 'halfClosed.byUs.ended', last: [], context: { closedBy: 'fin', framePending: false } },
    { name: 'its end comes when all is decoded', events: [read(), is('HELD'), is('END'), is('PEER_END'), close(false), is('RELEASED'), is('INPUT_DONE')], state: 'closed', context: { reason: 'peer closed', closedBy: 'fin' } },
    { name: 'or at the close deadline', events: [read(), is('HELD'), is('END'), is('PEER_END'), close(false), due('closeTimeout')], state: 'closed', context: { reason: 'peer closed', closedBy: 'fin' } },
    { name: 'a STOP after CLOSE ends it at once', events: [read(), is('HELD'), is('END'), is('PEER_END'), close(false), stop()], state: 'closed', context: { reason: 'protocol asked', closedBy: 'fin' } },
    { name: 'a CLOSE by reset after both FINs is its reason', events: [read(), is('HELD'), is('END'), is('PEER_END'), close(true), is('RELEASED'), is('INPUT_DONE')], state: 'closed', context: { reason: 'peer reset', closedBy: 'rst' } },
  ]); // prettier-ignore
});

describe('the frame deadline', () => {
  test('it runs for frameTimeoutMs from the start of a frame, and again from the next', () => {
    const pending = play(sessionMachine, input(), [read(), is('FRAME_STARTED')]);
    expect(delayOf(pending, 'FRAME_TIMEOUT')).toBe(30_000);
    const next = playOn(pending, [read(), is('FRAME_STARTED')]);
    expect(next.lastCancelled).toEqual(['frame']);
    expect(delayOf(next, 'FRAME_TIMEOUT')).toBe(30_000);
  });

  test('READs within a frame do not move it', () => {
    const pending = play(sessionMachine, input(), [read(), is('FRAME_STARTED'), ...waits(10), read(), read()]);
    expect(pending.lastCancelled).toEqual([]);
    expect(delayOf(pending, 'FRAME_TIMEOUT')).toBe(30_000);
  });

  test.each([
    { what: 'the frame’s end', events: [is('FRAME_ENDED')] },
    { what: 'a hold', events: [is('HELD')] },
    { what: 'a congested output', events: [is('CONGESTED')] },
    { what: 'the peer’s FIN', events: [is('PEER_END')] },
    { what: 'a graceful close', events: [stop()] },
    { what: 'a forced close', events: [stop('force')] },
  ])('$what takes it away', ({ events }) => {
    const end = play(sessionMachine, input(), [read(), is('FRAME_STARTED'), ...events]);
    expect(delayOf(end, 'FRAME_TIMEOUT')).toBeUndefined();
    expect(end.snapshot.context.framePending && isIn(end, 'connected')).toBe(false);
  });

  table([
    { name: 'when it passes the session is closed gracefully', events: [read(), is('FRAME_STARTED'), due('FRAME_TIMEOUT')], state: 'closing.flushing', context: { reason: 'frame timeout' } },
    { name: 'it outlives END', events: [read(), is('FRAME_STARTED'), is('END'), due('FRAME_TIMEOUT')], state: 'closing.finWait', context: { reason: 'frame timeout' } },
  ]); // prettier-ignore
});

describe('the output', () => {
  const look = (bytesSent: number) => [due('sendLookTimeout'), measured(bytesSent)];
  const looks = (count: number, bytesSent: number) => Array.from({ length: count }, () => look(bytesSent)).flat();
  const congested = [read(), send(), is('CONGESTED'), measured(7)];

  table([
    { name: 'above the high-water mark reading pauses and the kernel is looked at', events: [read(), is('CONGESTED')], state: 'connected.congested', last: ['PAUSE', 'FACT', 'MEASURE'] },
    { name: 'at the low-water mark reading goes on and what waited is decoded', events: [...congested, is('FLOWING')], state: 'connected.flowing', last: ['RESUME', 'FACT', 'DECODE'] },
    { name: 'at the low-water mark with full input it stays paused, and what waited is decoded', events: [...congested, is('INPUT_FULL'), is('FLOWING')], state: 'connected.flowing', last: ['FACT', 'DECODE'] },
    { name: 'it can be written to while congested', events: [...congested, send()], state: 'connected.congested', last: ['WRITE'] },
    { name: 'what still arrives while congested is kept, and counts as a READ', events: [...congested, read()], state: 'connected.congested', last: ['DECODE'] },
    { name: 'CONGESTED twice is one state', events: [...congested, is('CONGESTED')], state: 'connected.congested', last: [] },
    { name: 'FLOWING without congestion is ignored', events: [read(), is('FLOWING')], state: 'connected.flowing', last: [] },
    { name: 'WRITE is the runtime’s news: ignored', events: [...congested, is('WRITE')], state: 'connected.congested', last: [] },
    { name: 'the kernel took nothing at 5 looks (25 s): it goes on', events: [...congested, ...looks(5, 7)], state: 'connected.congested', context: { stallCount: 5 } },
    { name: 'the kernel took nothing at 6 looks (30 s): RST', events: [...congested, ...looks(6, 7)], state: 'reset', last: ['SEND_RST'], context: { reason: 'send timeout', closedBy: 'rst' } },
    { name: 'one byte taken after 5 looks gives it 30 s more: 5 looks more do nothing', events: [...congested, ...looks(5, 7), ...look(8), ...looks(5, 8)], state: 'connected.congested' },
    { name: 'one byte taken after 5 looks gives it 30 s more: the 6th look more resets', events: [...congested, ...looks(5, 7), ...look(8), ...looks(6, 8)], state: 'reset', context: { reason: 'send timeout' } },
    { name: 'a second congestion starts with no stall', events: [...congested, ...looks(5, 7), is('FLOWING'), is('CONGESTED'), measured(7), ...looks(5, 7)], state: 'connected.congested' },
    { name: 'TCP_USER_TIMEOUT while congested is the send timeout', events: [...congested, error('ETIMEDOUT')], state: 'reset', context: { reason: 'send timeout' } },
    { name: 'RST of the peer while congested is its own reason', events: [...congested, error('ECONNRESET')], state: 'reset', context: { reason: 'peer reset' } },
    { name: 'a slow reader is closed by force', events: [...congested, stop('force', 'slow reader')], state: 'reset', context: { reason: 'slow reader', option: 'force' } },
    { name: 'a graceful close of a congested session reads again, so that the peer’s FIN is seen', events: [...congested, stop()], state: 'closing.flushing', last: ['RESUME', 'FLUSH'] },
  ]); // prettier-ignore

  test('6 looks are one send timeout', () => {
    expect(delayOf(play(sessionMachine, input(), congested), 'sendLookTimeout')).toBe(5_000);
  });
});

describe('the input', () => {
  table([
    { name: 'above the high-water mark reading pauses', events: [read(), is('INPUT_FULL')], state: 'connected.flowing', last: ['PAUSE'] },
    { name: 'at the low-water mark it goes on', events: [read(), is('INPUT_FULL'), is('INPUT_LOW')], state: 'connected.flowing', last: ['RESUME'] },
    { name: 'low input while congested reads only when the output flows too', events: [read(), is('INPUT_FULL'), is('CONGESTED'), is('INPUT_LOW')], state: 'connected.congested', last: [] },
    { name: 'then FLOWING resumes', events: [read(), is('INPUT_FULL'), is('CONGESTED'), is('INPUT_LOW'), is('FLOWING')], state: 'connected.flowing', last: ['RESUME', 'FACT', 'DECODE'] },
    { name: 'a hold keeps the bytes of a READ', events: [read(), is('HELD'), read()], state: 'connected.flowing', last: ['DECODE'], context: { held: true } },
    { name: 'a release decodes on', events: [read(), is('HELD'), is('RELEASED')], state: 'connected.flowing', last: ['DECODE'], context: { held: false } },
    { name: 'a protocol may hold from the start', events: [is('HELD'), is('RELEASED')], state: 'accepted', last: ['DECODE'] },
  ]); // prettier-ignore

  test.each([
    { events: [], state: 'accepted', may: true },
    { events: [read()], state: 'connected.flowing', may: true },
    { events: [read(), is('HELD')], state: 'a hold', may: false },
    { events: [read(), is('INPUT_FULL')], state: 'full input', may: true },
    { events: INTO['connected.congested']!, state: 'congested', may: false },
    { events: INTO['halfClosed.byPeer.decoding']!, state: 'half-closed by the peer', may: true },
    {
      events: [...INTO['halfClosed.byPeer.decoding']!, is('HELD')],
      state: 'half-closed by the peer and held',
      may: false,
    },
    { events: INTO['halfClosed.byPeer.answered']!, state: 'half-closed and answered', may: false },
    { events: INTO['halfClosed.byUs']!, state: 'half-closed by us', may: true },
    { events: INTO['closing.flushing']!, state: 'closing', may: false },
    { events: INTO['reset']!, state: 'reset', may: false },
  ])('in $state the next frame may be decoded: $may', ({ events, may }) => {
    expect(decodes(play(sessionMachine, asks('PEER_END'), events).snapshot)).toBe(may);
  });
});

describe('what still arrives while closing', () => {
  const finWait = INTO['closing.finWait']!;
  table([
    { name: 'is dropped before our FIN, and not counted', events: [...INTO['closing.flushing']!, read(5_000)], state: 'closing.flushing', last: [], context: { discardedBytes: 0 } },
    { name: 'is dropped after our FIN up to discardedBytesMax (1 000 bytes)', events: [...finWait, read(600), read(400)], state: 'closing.finWait', last: [], context: { discardedBytes: 1_000 } },
    { name: 'resets the peer at byte 1 001', events: [...finWait, read(600), read(400), read(1)], state: 'reset', last: ['SEND_RST'], context: { reason: 'protocol asked', closedBy: 'rst' } },
    { name: 'resets the peer at the first byte if none may be discarded', given: input({ discardedBytesMax: 0 }), events: [...finWait, read(1)], state: 'reset' },
  ]); // prettier-ignore
});

describe('errors and ends of the socket', () => {
  test.each([
    { code: 'ECONNRESET', reason: 'peer reset' },
    { code: 'EPIPE', reason: 'peer reset' },
    { code: 'ETIMEDOUT', reason: 'socket error' },
    { code: 'EHOSTUNREACH', reason: 'socket error' },
    { code: 'ENETDOWN', reason: 'socket error' },
  ])('$code ends a connected session with $reason', ({ code, reason }) => {
    const end = play(sessionMachine, input(), [read(), error(code), close(true)]);
    expect(end.snapshot.context).toMatchObject({ reason, closedBy: 'rst', option: 'force' });
    expect(end.state).toBe('closed');
  });

  test.each(LIVE)('in %s an ERROR leads to reset, and a reason that there was stays', (state) => {
    const before = into(state);
    const end = playOn(before, [error('EHOSTUNREACH')]);
    expect(stateAt(end, 'reset')).toBe('reset');
    expect(end.snapshot.context.reason).toBe(before.snapshot.context.reason ?? 'socket error');
  });

  test.each(LIVE.flatMap((state) => [true, false].map((byReset) => ({ state, byReset }))))(
    'in $state CLOSE (by reset: $byReset) is the end, with a reason and without a command',
    ({ state, byReset }) => {
      const before = into(state);
      const end = playOn(before, [close(byReset)]);
      expect(end.state).toBe('closed');
      expect(end.lastTypes).toEqual([]);
      expect([...end.timers.keys()]).toEqual([]);
      expect(end.snapshot.context).toMatchObject({
        reason: before.snapshot.context.reason ?? (byReset ? 'peer reset' : 'peer closed'),
        closedBy: byReset || state === 'reset' ? 'rst' : 'fin',
      });
    },
  );
});

describe('DRAIN', () => {
  const drained: Record<string, string> = {
    accepted: 'closing.flushing',
    'connected.flowing': 'closing.flushing',
    'connected.congested': 'closing.flushing',
    'halfClosed.byUs': 'closing.finWait',
  };
  test.each(Object.entries(drained))('closes a session in %s whose protocol did not ask for it', (state, target) => {
    const end = playOn(into(state), [is('DRAIN')]);
    expect(stateAt(end, target)).toBe(target);
    expect(end.snapshot.context.reason).toBe('draining');
  });

  test.each(OPEN)('is told to a protocol in %s that asked for it, and the session goes on', (state) => {
    const end = playOn(into(state, asks('DRAIN', 'PEER_END')), [is('DRAIN')]);
    expect(stateAt(end, state)).toBe(state);
    expect(end.lastCommands).toEqual([{ type: 'FACT', fact: { type: 'DRAIN' } }]);
  });

  test.each(LIVE.filter((state) => !OPEN.includes(state)))('changes nothing in %s', (state) => {
    const end = playOn(into(state, asks('DRAIN', 'PEER_END')), [is('DRAIN')]);
    expect(stateAt(end, state)).toBe(state);
    expect(end.lastTypes).toEqual([]);
  });
});

describe('what comes too late', () => {
  const SENDING = OPEN.filter((state) => state !== 'halfClosed.byUs');

  test.each(LIVE)('SEND in %s is written only while it can be', (state) => {
    const end = playOn(into(state), [send(3)]);
    expect(stateAt(end, state)).toBe(state);
    expect(end.snapshot.hasTag('sending')).toBe(SENDING.includes(state));
    expect(end.lastCommands).toEqual(SENDING.includes(state) ? [{ type: 'WRITE', bytes: new Uint8Array(3) }] : []);
  });

  const late = [
    'END',
    'CONGESTED',
    'FLOWING',
    'INPUT_FULL',
    'INPUT_LOW',
    'HELD',
    'RELEASED',
    'FRAME_STARTED',
    'FRAME_ENDED',
  ] as const;
  const later = ['FRAME_TIMEOUT', 'INPUT_DONE', 'WRITE', 'CONNECT'] as const;
  test.each(LIVE.filter((state) => !OPEN.includes(state)))(
    'in %s marks, holds, frames and waits of the past are ignored',
    (state) => {
      const before = into(state);
      for (const event of [...[...late, ...later].map(is), wait(100), measured(0)]) {
        const end = playOn(before, [event]);
        expect(`${event.type}: ${stateAt(end, state)}`).toBe(`${event.type}: ${state}`);
        expect(end.lastTypes).toEqual([]);
      }
    },
  );

  test('a closed session takes no event', () => {
    const closed = into('closed');
    for (const event of [read(), send(), stop('force'), close(true), error('EPIPE'), setWaits(1)]) {
      expect(playOn(closed, [event]).snapshot).toBe(closed.snapshot);
    }
  });
});
