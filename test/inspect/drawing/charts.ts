/** The charts that every drawing is tried with: the framework's, the examples', and one that has everything in it. */
import { and, assign, createMachine, emit, fromPromise, not, or, setup, stateIn, type AnyStateMachine } from 'xstate';
import chat from '../../../examples/chat/index.js';
import { roomMachine } from '../../../examples/chat/room.js';
import echo from '../../../examples/echo/index.js';
import knockKnock from '../../../examples/knock-knock/index.js';
import mediaControl from '../../../examples/media-control/index.js';
import { clientMachine, gcSweeperMachine, serverSocketMachine, sessionMachine } from '../../../machines/index.js';

/** Every kind of state and of transition, and names that a notation could take for its own. */
export const everything = setup({
  types: {} as { events: { type: string }; emitted: { type: 'FLUSH' } },
  guards: { isOdd: () => true, isEven: () => true, says: (_, _params: string) => true },
  actions: { note: () => {}, say: (_, _params: string) => {} },
  actors: { look: fromPromise(() => Promise.resolve()) },
  delays: { patience: 1_000 },
}).createMachine({
  id: 'every"thing" <&> --',
  description: 'A chart that is only drawn -- and never run.',
  initial: 'first',
  entry: 'note',
  exit: { type: 'say', params: 'good "bye" <b> & --> ; #35; %% : {x}' },
  on: {
    RESET: '.first',
    AGAIN: { target: '#every"thing" <&> --', reenter: true },
    IGNORED: {},
    'order.*': { actions: 'note' },
  },
  states: {
    first: {
      tags: ['hold', 'open', 'a tag with a long name', 'another tag with a long name', 'and one more of them'],
      after: { 1500: 'work', patience: [{ target: 'end', guard: 'isOdd' }, { target: 'work.region two' }] },
      on: {
        GO: [
          { target: 'work', guard: { type: 'says', params: 'boo "who"?' } },
          { target: 'work', guard: or([and(['isOdd', not('isEven')]), stateIn({ work: { one: 'a' } })]) },
          { target: 'end', guard: ({ event }) => event.type === 'GO' },
        ],
        SELF: { target: 'first', reenter: true, actions: 'note' },
        'an event with a name that is rather longer than those that people give to events': { actions: 'note' },
        '*': { target: 'end', description: 'whatever else -- comes' },
      },
    },
    work: {
      type: 'parallel',
      entry: emit({ type: 'FLUSH' }),
      exit: assign({}),
      onDone: 'end',
      on: {
        BOTH: { target: ['.one.b', '.region two.d'] },
        LEAVE: 'remembering.back',
      },
      states: {
        one: {
          initial: 'a',
          states: {
            a: { on: { NEXT: 'b', CROSS: '#every"thing" <&> --.work.region two.d' } },
            b: { always: { target: 'finished', guard: 'isEven' } },
            finished: { type: 'final' },
          },
        },
        'region two': {
          initial: 'c',
          states: {
            c: { on: { NEXT: 'd' } },
            d: { on: { BACK: 'c', OUT: { target: '#every"thing" <&> --.first', reenter: true } } },
          },
          onDone: { actions: 'note' },
        },
      },
    },
    remembering: {
      initial: 'e',
      invoke: { src: 'look', onDone: { target: '.f' }, onError: 'end' },
      on: { DEEPER: '.back', INNER: { target: '.f', reenter: true } },
      states: {
        back: { type: 'history', history: 'deep', target: 'f' },
        shallow: { type: 'history' },
        e: { on: { FORGET: 'f', AGAIN: 'shallow' } },
        f: { initial: 'g', states: { g: { on: { UP: '#every"thing" <&> --.remembering' } } } },
        'sam.e': {},
        'sam e': { description: 'names that differ in one character alone' },
      },
    },
    end: { type: 'final', tags: ['over'] },
  },
}) as AnyStateMachine;

export const charts: readonly { readonly name: string; readonly machine: AnyStateMachine }[] = [
  { name: 'session', machine: sessionMachine },
  { name: 'server socket', machine: serverSocketMachine },
  { name: 'client', machine: clientMachine },
  { name: 'sweeper', machine: gcSweeperMachine },
  { name: 'media-control', machine: mediaControl.machine },
  { name: 'chat', machine: chat.machine },
  { name: 'the rooms of chat', machine: roomMachine },
  { name: 'echo', machine: echo.machine },
  { name: 'knock-knock', machine: knockKnock.machine },
  { name: 'a chart without states', machine: createMachine({ id: 'alone' }) },
  { name: 'a chart with everything', machine: everything },
];
