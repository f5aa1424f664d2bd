/**
 * Chat for people with a terminal: `nc 127.0.0.1 7000`, then `nick ann`, `join lobby`, `say hello`, `who`, `quit`.
 * The rooms are an actor that the sessions share; while a session waits for its answer it holds the next line.
 */
import { assign, emit, setup } from 'xstate';
import { defineProtocol, type ProtocolCommand } from 'wirechart';
import type { LineMessage } from 'wirechart/codec';
import { chatLines, type Request } from './codec.js';
import { roomMachine, type RoomAnswer, type RoomRequest } from './room.js';

type ChatEvent = Request | RoomAnswer;

const line = (text: string) => ({ type: 'SEND' as const, message: { type: 'LINE' as const, text } });
const tell = (event: RoomRequest) => ({ type: 'TELL' as const, to: 'room', event });

/** At most 100 names: a line has a limit, a room has none. */
const listed = (nicks: readonly string[]) =>
  nicks.length <= 100 ? nicks.join(', ') : `${nicks.slice(0, 100).join(', ')} and ${nicks.length - 100} more`;

export const chatMachine = setup({
  types: {} as { context: { room: string | undefined }; events: ChatEvent; emitted: ProtocolCommand<LineMessage> },
  actions: {
    welcome: emit(line('* welcome: nick NAME, join ROOM, say TEXT, who, quit')),
    answer: emit((_, text: string) => line(text)),
    answerProblem: emit(({ event }) => line(`! ${(event as { problem: string }).problem}`)),
    answerNick: emit(({ event }) => line(`* you are ${(event as { nick: string }).nick}`)),
    answerNickTaken: emit(({ event }) => line(`! ${(event as { nick: string }).nick} is taken`)),
    answerEntered: emit(({ event }) => line(`* you are in ${(event as { room: string }).room}`)),
    answerMembers: emit(({ event }) => line(`* here: ${listed((event as { nicks: readonly string[] }).nicks)}`)),
    claimNick: emit(({ event }) => tell({ type: 'CLAIM', nick: (event as { name: string }).name })),
    enter: emit(({ event }) => tell({ type: 'ENTER', room: (event as { room: string }).room })),
    say: emit(({ event }) => tell({ type: 'SAY', text: (event as { text: string }).text })),
    askWho: emit(tell({ type: 'WHO' })),
    leaveGroup: emit(({ context }) => ({ type: 'LEAVE', group: context.room ?? '' })),
    joinGroup: emit(({ event }) => ({ type: 'JOIN', group: (event as { room: string }).room })),
    noteRoom: assign({ room: ({ event }) => (event as { room: string }).room }),
    close: emit({ type: 'CLOSE', option: 'graceful' }),
  },
  delays: {
    answerTimeout: 5_000,
  },
}).createMachine({
  id: 'chat',
  context: { room: undefined },
  entry: 'welcome',
  initial: 'nameless',
  // prettier-ignore
  on: {
    NOT_UNDERSTOOD: { actions: 'answerProblem' },
    NICK:           { actions: { type: 'answer', params: '! you have a nick' } },
    ENTER:          { actions: { type: 'answer', params: '! first: nick NAME' } },
    SAY:            { actions: { type: 'answer', params: '! first: join ROOM' } },
    WHO:            { actions: { type: 'answer', params: '! first: join ROOM' } },
    QUIT:           { target: '.leaving' },
  },
  // prettier-ignore
  states: {
    nameless: {
      on: {
        NICK:         { target: 'claimingNick' },
      },
    },
    claimingNick: {
      tags: 'hold',
      entry: 'claimNick',
      after: { answerTimeout: { target: 'nameless', actions: { type: 'answer', params: '! no answer, try again' } } },
      on: {
        NICK_GIVEN:   { target: 'outside',  actions: 'answerNick' },
        NICK_REFUSED: { target: 'nameless', actions: 'answerNickTaken' },
      },
    },
    outside: {
      on: {
        ENTER:        { target: 'entering' },
      },
    },
    entering: {
      tags: 'hold',
      entry: ['leaveGroup', 'enter'],
      after: { answerTimeout: { target: 'outside', actions: { type: 'answer', params: '! no answer, try again' } } },
      on: {
        ENTERED:      { target: 'inside', actions: ['noteRoom', 'joinGroup', 'answerEntered'] },
      },
    },
    inside: {
      on: {
        ENTER:        { target: 'entering' },
        SAY:          { actions: 'say' },
        WHO:          { actions: 'askWho' },
        MEMBERS:      { actions: 'answerMembers' },
      },
    },
    leaving: {
      entry: [{ type: 'answer', params: '* bye' }, 'close'],
      after: { answerTimeout: 'gone' },
    },
    gone: { type: 'final' },
  },
});

export default defineProtocol({
  name: 'chat',
  codecs: { chatLines },
  initialCodec: 'chatLines',
  machine: chatMachine,
  shared: { room: { machine: roomMachine } },
  samples: { NOT_UNDERSTOOD: ['nick !\n', 'hello\n', 'say \u0007\n'] },
  options: { waitTimeoutCountMax: 3_000 },
});
