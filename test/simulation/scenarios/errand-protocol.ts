/**
 * A protocol that does, at its peer's word, whatever a protocol may ask of its session: hold, work in handlers, end its own direction,
 * close, change its waits, fail. The examples are polite; here the transport's chart is led into its corners.
 */
import { assign, emit, setup } from 'xstate';
import { lines, type LineMessage } from '../../../src/codec/lines.js';
import type { FactType } from '../../../machines/events.js';
import { defineProtocol, type AnyProtocol, type ProtocolCommand } from '../../../src/session/protocol.js';
import { simulatedHandler } from '../../../src/testing/simulated-handler.js';

type Work = { type: 'WORK' | 'TOIL'; ms: number; text: string };
type ErrandEvent = LineMessage | { type: 'WORKED'; text: string } | { type: 'FAILED' } | { type: FactType };

const says =
  (word: string) =>
  ({ event }: { event: ErrandEvent }) =>
    (event as LineMessage).text?.split(' ')[0] === word;
const numberIn = (event: ErrandEvent) => Number((event as LineMessage).text.split(' ')[1]);
const line = (text: string) => ({ type: 'SEND' as const, message: { type: 'LINE' as const, text } });

const setUp = setup({
  types: {} as { context: { waiting: number }; events: ErrandEvent; emitted: ProtocolCommand<LineMessage, Work> },
  guards: {
    ends: says('end'), closes: says('close'), forces: says('force'), holds: says('hold'), isDone: says('done'), isOver: says('over'),
    works: says('work'), finishes: ({ event }) => (event as { text: string }).text.endsWith(' end'),
    hasEnough: ({ event }) => (event as { text: string }).text.endsWith(' close'), toils: says('toil'), floods: says('flood'), fails: says('fail'), sets: says('waits'), keeps: says('keep'),
  }, // prettier-ignore
  actions: {
    echo: emit(({ event }) => ({ type: 'SEND', message: event as LineMessage })),
    end: emit({ type: 'END' }),
    close: emit({ type: 'CLOSE', option: 'graceful' }),
    closeForOwn: emit({ type: 'CLOSE', option: 'graceful', reason: 'errand over' as never }),
    force: emit({ type: 'CLOSE', option: 'force', reason: 'limit' }),
    work: emit(({ event }) => ({ type: 'WORK', ms: numberIn(event), text: (event as LineMessage).text })),
    toil: emit(({ event }) => ({ type: 'TOIL', ms: numberIn(event), text: (event as LineMessage).text })),
    tellWorked: emit(({ event }) => ({
      type: 'SEND',
      message: { type: 'LINE', text: `did ${(event as { text: string }).text}` },
    })),
    flood: emit(({ event }) => ({ type: 'SEND', message: { type: 'LINE', text: 'f'.repeat(numberIn(event)) } })),
    floodALot: emit({ type: 'SEND', message: { type: 'LINE', text: 'f'.repeat(19_000) } }),
    setWaits: emit(({ event }) => ({ type: 'SET_WAITS', count: numberIn(event) })),
    fail: () => {
      throw new Error('as it was told to');
    },
    count: assign({ waiting: ({ context }) => context.waiting + 1 }),
    sayLast: emit(line('last')),
    sayDraining: emit(line('draining')),
    sayHeld: emit(line('held')),
  },
  delays: { holdTimeout: 900, partingTimeout: 400, drainTimeout: 700 },
});

/** @param initial besides `idle`: what it does before its peer has said a word. */
const errandMachine = (initial: 'idle' | 'holding' | 'ending' | 'flooding') =>
  setUp.createMachine({
    id: 'errands',
    context: { waiting: 0 },
    initial,
    // prettier-ignore
    on: {
    WORKED: [{ actions: ['tellWorked', 'end'], guard: 'finishes' }, { actions: ['tellWorked', 'close'], guard: 'hasEnough' }, { actions: 'tellWorked' }],
    WAIT_TIMEOUT: { actions: 'count' },
    DRAIN: '.draining',
    PEER_END: '.parting',
  },
    // prettier-ignore
    states: {
    idle: {
      on: {
        LINE: [
          { actions: 'end', guard: 'ends' }, { actions: 'close', guard: 'closes' }, { actions: 'force', guard: 'forces' },
          { actions: 'closeForOwn', guard: 'isOver' }, { target: 'holding', guard: 'holds' }, { target: 'done', guard: 'isDone' },
          { actions: 'work', guard: 'works' }, { actions: 'toil', guard: 'toils' }, { actions: 'flood', guard: 'floods' },
          { actions: 'fail', guard: 'fails' }, { actions: 'setWaits', guard: 'sets' }, { target: 'keeping', guard: 'keeps' },
          { actions: 'echo' },
        ],
      },
    },
    holding: { tags: 'hold', after: { holdTimeout: { target: 'idle', actions: 'sayHeld' } } },
    /** Says when it has heard enough. */
    parting: { entry: 'sayLast', after: { partingTimeout: { actions: 'end' } } },
    /** Never says it: the close deadline must. */
    keeping: { on: { PEER_END: {}, DRAIN: {} } },
    draining: { entry: 'sayDraining', after: { drainTimeout: { actions: 'close' } } },
    ending: { entry: 'end' },
    flooding: { entry: ['floodALot', 'floodALot', 'floodALot'], after: { holdTimeout: 'idle' } },
    done: { type: 'final' },
  },
  });

const base = {
  codecs: { lines: () => lines({ maxFrameBytes: 20_000 }) },
  initialCodec: 'lines' as const,
  machine: errandMachine('idle'),
  reasons: ['errand over'],
  handlers: {
    WORK: simulatedHandler<Work, ErrandEvent>({
      answer: ({ text }) => ({ type: 'WORKED', text }),
      afterMs: ({ ms }) => ms,
      deadlineMs: 2_500,
    }),
    TOIL: simulatedHandler<Work, ErrandEvent>({
      answer: ({ text }) => ({ type: 'WORKED', text }),
      afterMs: ({ ms }) => ms,
      deadlineMs: 2_000,
      holds: true,
    }),
  },
};
export const errands = defineProtocol({ name: 'errands', ...base } as never) as AnyProtocol;
export const errandsWithFacts = defineProtocol({
  name: 'errands with facts',
  ...base,
  facts: ['PEER_END', 'CONGESTED', 'FLOWING', 'DRAIN', 'WAIT_TIMEOUT'],
} as never) as AnyProtocol;

const firstWord = (initial: 'holding' | 'ending' | 'flooding') =>
  defineProtocol({
    name: `errands, ${initial} first`,
    ...base,
    facts: ['DRAIN', 'CONGESTED', 'PEER_END'],
    machine: errandMachine(initial),
  } as never) as AnyProtocol;
/** By what they do before their peer has said a word. */
export const eager = { holding: firstWord('holding'), ending: firstWord('ending'), flooding: firstWord('flooding') };
