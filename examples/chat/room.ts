/** The rooms of the server, one actor that all sessions share: who has which nick, and who is where. */
import { assign, emit, enqueueActions, setup } from 'xstate';
import type { LineMessage } from 'wirechart/codec';
import type { SharedCommand } from 'wirechart';

interface Member {
  readonly nick: string;
  readonly room?: string;
}

type Members = Readonly<Record<string, Member>>;

/** Told by a session's chart; the runtime adds which session. */
export type RoomRequest =
  { type: 'CLAIM'; nick: string } | { type: 'ENTER'; room: string } | { type: 'SAY'; text: string } | { type: 'WHO' };

/** What a session's chart is answered. */
export type RoomAnswer =
  | { type: 'NICK_GIVEN'; nick: string }
  | { type: 'NICK_REFUSED'; nick: string }
  | { type: 'ENTERED'; room: string }
  | { type: 'MEMBERS'; nicks: readonly string[] };

type RoomEvent = (RoomRequest & { session: string }) | { type: 'SESSION_CLOSED'; session: string; reason: string };

const line = (text: string): LineMessage => ({ type: 'LINE', text });

export const roomMachine = setup({
  types: {} as { context: { members: Members }; events: RoomEvent; emitted: SharedCommand<LineMessage> },
  guards: {
    isNickTaken: ({ context, event }) =>
      event.type === 'CLAIM' &&
      Object.values(context.members).some(({ nick }) => nick.toLowerCase() === event.nick.toLowerCase()),
    isInRoom: ({ context, event }) => context.members[event.session]?.room !== undefined,
    isMember: ({ context, event }) => event.session in context.members,
  },
  actions: {
    giveNick: emit(({ event }) => ({
      type: 'DISPATCH',
      session: event.session,
      event: { type: 'NICK_GIVEN', nick: (event as { nick: string }).nick } as RoomAnswer,
    })),
    refuseNick: emit(({ event }) => ({
      type: 'DISPATCH',
      session: event.session,
      event: { type: 'NICK_REFUSED', nick: (event as { nick: string }).nick } as RoomAnswer,
    })),
    noteNick: assign({
      members: ({ context, event }) => ({
        ...context.members,
        [event.session]: { nick: (event as { nick: string }).nick },
      }),
    }),
    noteRoom: assign({
      members: ({ context, event }) => ({
        ...context.members,
        [event.session]: { ...context.members[event.session]!, room: (event as { room: string }).room },
      }),
    }),
    forget: assign({
      members: ({ context, event }) =>
        Object.fromEntries(Object.entries(context.members).filter(([session]) => session !== event.session)),
    }),
    letIn: emit(({ event }) => ({
      type: 'DISPATCH',
      session: event.session,
      event: { type: 'ENTERED', room: (event as { room: string }).room } as RoomAnswer,
    })),
    /** To the room that the member is in: `say` runs before the member's place changes. */
    announce: enqueueActions(({ context, event, enqueue }, what: 'came' | 'left') => {
      const { nick, room } = context.members[event.session]!;
      if (room !== undefined)
        enqueue.emit({ type: 'BROADCAST', group: room, except: event.session, message: line(`* ${nick} ${what}`) });
    }),
    say: emit(({ context, event }) => {
      const { nick, room } = context.members[event.session]!;
      return { type: 'BROADCAST', group: room!, message: line(`<${nick}> ${(event as { text: string }).text}`) };
    }),
    listMembers: emit(({ context, event }) => {
      const room = context.members[event.session]?.room;
      const nicks = Object.values(context.members).flatMap((member) => (member.room === room ? [member.nick] : []));
      return { type: 'DISPATCH', session: event.session, event: { type: 'MEMBERS', nicks } as RoomAnswer };
    }),
  },
}).createMachine({
  id: 'room',
  context: { members: {} },
  initial: 'open',
  // prettier-ignore
  states: {
    open: {
      on: {
        CLAIM:         [{ actions: 'refuseNick', guard: 'isNickTaken' },
                        { actions: ['noteNick', 'giveNick'] }],
        ENTER:          { actions: [{ type: 'announce', params: 'left' }, 'noteRoom', 'letIn', { type: 'announce', params: 'came' }], guard: 'isMember' },
        SAY:            { actions: 'say', guard: 'isInRoom' },
        WHO:            { actions: 'listMembers', guard: 'isInRoom' },
        SESSION_CLOSED: { actions: [{ type: 'announce', params: 'left' }, 'forget'], guard: 'isMember' },
      },
    },
  },
});
