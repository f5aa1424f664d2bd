/** Types of the public API: what they let through, and what they refuse (`@ts-expect-error` is an error when there is none). */
import { assign, emit, setup } from 'xstate';
import { describe, expect, expectTypeOf, test } from 'vitest';
import {
  createTcpClient,
  createTcpServer,
  defineProtocol,
  StartError,
  type Live,
  type ProtocolCommand,
  type PublicStream,
  type RegistryChange,
  type RuntimeError,
  type ServerEvent,
  type ServerState,
  type Session,
  type SessionInfo,
  type SessionRecord,
  type SharedCommand,
  type TcpServer,
} from 'wirechart';
import { lengthPrefixed, lines, type LineMessage, type MessageIn, type MessageOut } from 'wirechart/codec';
import {
  createVisualizer,
  drawChart,
  readChart,
  VisualizerError,
  type Chart,
  type Visualizer,
} from 'wirechart/inspect';
import echo from '../examples/echo/index.js';

const lineCodec = () => lines();
const frameCodec = () => lengthPrefixed();
type Line = MessageIn<typeof lineCodec>;
type Frame = MessageIn<typeof frameCodec>;

const parts = { name: 'typed', codecs: { lineCodec }, initialCodec: 'lineCodec' } as const;

describe('a protocol', () => {
  test('messages flow from the codec to the events of the chart and to what it sends', () => {
    expectTypeOf<Line>().toEqualTypeOf<LineMessage>();
    expectTypeOf<MessageOut<typeof lineCodec>>().toEqualTypeOf<{ type: 'LINE'; text: string }>();
    const machine = setup({
      types: {} as { events: Line; emitted: ProtocolCommand<Line> },
      actions: {
        answer: emit(({ event }) => {
          expectTypeOf(event).toEqualTypeOf<Line>();
          return { type: 'SEND', message: event };
        }),
      },
    }).createMachine({ on: { LINE: { actions: 'answer' } } });
    const protocol = defineProtocol({ ...parts, machine });
    expectTypeOf(protocol.initialCodec).toEqualTypeOf<'lineCodec'>();
    expect(protocol.name).toBe('typed');
  });

  test('a message that a codec decodes and the chart does not declare is a compile error, which says which', () => {
    const machine = setup({ types: {} as { events: Line; emitted: ProtocolCommand<Line> } }).createMachine({});
    // @ts-expect-error FRAME is decoded, and no event of the chart
    defineProtocol({ ...parts, codecs: { lineCodec, frameCodec }, machine });
    const both = setup({ types: {} as { events: Line | Frame; emitted: ProtocolCommand<Line> } }).createMachine({});
    defineProtocol({ ...parts, codecs: { lineCodec, frameCodec }, machine: both });
  });

  test('a chart that sends a message that no codec encodes is a compile error', () => {
    const machine = setup({
      types: {} as { events: Line; emitted: ProtocolCommand<Frame> },
    }).createMachine({});
    // @ts-expect-error FRAME is sent, and no codec encodes it
    defineProtocol({ ...parts, machine });
  });

  test('a SEND of a message that the chart did not declare is a compile error where it is written', () => {
    setup({
      types: {} as { events: Line; emitted: ProtocolCommand<Line> },
      actions: {
        fine: emit({ type: 'SEND', message: { type: 'LINE', text: 'x' } }),
        // @ts-expect-error there is no such message
        wrong: emit({ type: 'SEND', message: { type: 'NONE' } }),
        // @ts-expect-error there is no such command
        unknown: emit({ type: 'SNED' }),
        // @ts-expect-error a reason of its own has to be listed
        reason: emit({ type: 'CLOSE', option: 'graceful', reason: 'whim' }),
      },
    });
  });

  test('a handler is required for each own command, gets that command, and answers with an event of the chart', () => {
    type Own = { type: 'STORE'; key: string } | { type: 'LOAD'; id: number };
    type Event = Line | { type: 'STORED' } | { type: 'LOADED'; value: string };
    const machine = setup({
      types: {} as { events: Event; emitted: ProtocolCommand<Line, Own> },
    }).createMachine({});
    const load = { run: () => ({ type: 'LOADED' as const, value: 'x' }), deadlineMs: 1 };
    defineProtocol({
      ...parts,
      machine,
      handlers: {
        STORE: {
          run: async (command, session, signal) => {
            expectTypeOf(command).toEqualTypeOf<{ type: 'STORE'; key: string }>();
            expectTypeOf(session).toEqualTypeOf<SessionInfo>();
            expectTypeOf(signal).toEqualTypeOf<AbortSignal>();
            return Promise.resolve({ type: 'STORED' as const });
          },
          deadlineMs: 1_000,
          failure: (error) => {
            expectTypeOf(error).toBeUnknown();
            return { type: 'STORED' };
          },
        },
        LOAD: load,
      },
    });
    const store = { run: () => ({ type: 'STORED' as const }), deadlineMs: 1 };
    // @ts-expect-error LOAD has no handler
    defineProtocol({ ...parts, machine, handlers: { STORE: store } });
    // @ts-expect-error STORE answers with no event of the chart
    defineProtocol({ ...parts, machine, handlers: { LOAD: load, STORE: { ...store, run: () => ({ type: 'NONE' }) } } });
    expect(() =>
      // @ts-expect-error a handler needs a deadline
      defineProtocol({ ...parts, machine, handlers: { LOAD: load, STORE: { run: store.run } } }),
    ).toThrow('protocol.handlers.STORE.deadlineMs');
  });

  test('its input is the input of the chart, and its codec one of its codecs', () => {
    const machine = setup({
      types: {} as { input: { id: string }; context: { id: string }; events: Line; emitted: ProtocolCommand<Line> },
      actions: { note: assign({ id: ({ event }) => event.text }) },
    }).createMachine({ context: ({ input }) => ({ id: input.id }) });
    defineProtocol({ ...parts, machine, input: ({ id }) => ({ id }) });
    // @ts-expect-error the chart's input has an id
    defineProtocol({ ...parts, machine, input: () => ({ name: 'x' }) });
    expect(() =>
      // @ts-expect-error there is no such codec
      defineProtocol({ ...parts, machine, initialCodec: 'other' }),
    ).toThrow('protocol.initialCodec');
  });

  test('a shared chart emits DISPATCH and BROADCAST', () => {
    setup({
      types: {} as { emitted: SharedCommand<Line> },
      actions: {
        all: emit({ type: 'BROADCAST', message: { type: 'LINE', text: 'x' } }),
        one: emit({ type: 'DISPATCH', session: '1', event: { type: 'X' } }),
        // @ts-expect-error a shared chart has no connection
        send: emit({ type: 'SEND', message: { type: 'LINE', text: 'x' } }),
      },
    });
  });
});

describe('servers and clients', () => {
  test('what a server shows has the types that it says', () => {
    const server = createTcpServer(echo);
    expectTypeOf(server).toEqualTypeOf<TcpServer>();
    expectTypeOf<ReturnType<TcpServer['start']>>().toEqualTypeOf<Promise<void>>();
    expectTypeOf(server.state).toEqualTypeOf<Live<ServerState>>();
    expectTypeOf(server.state.value).toEqualTypeOf<ServerState>();
    expectTypeOf(server.errors).toEqualTypeOf<PublicStream<RuntimeError>>();
    expectTypeOf(server.events).toEqualTypeOf<PublicStream<ServerEvent>>();
    expectTypeOf(server.sessions.get('1')).toEqualTypeOf<Session | undefined>();
    expectTypeOf(server.sessions.recent).toEqualTypeOf<readonly SessionRecord[]>();
    expectTypeOf(server.sessions.changes).toEqualTypeOf<PublicStream<RegistryChange>>();
    expectTypeOf(server.statistics.value.sessions).toBeNumber();
    expectTypeOf(server.address()).toEqualTypeOf<
      | {
          readonly transport: 'tcp' | 'unix';
          readonly address: string;
          readonly port: number;
          readonly family: 'IPv4' | 'IPv6' | 'unix';
        }
      | undefined
    >();
  });

  test('options that do not exist, or have the wrong type, are compile errors, and errors where types are not looked at', () => {
    // @ts-expect-error there is no such option
    expect(() => createTcpServer(echo, { prot: 7_000 })).toThrow('did you mean port?');
    // @ts-expect-error a number
    expect(() => createTcpServer(echo, { port: '7000' })).toThrow('server.port');
    // @ts-expect-error not what defineProtocol returned
    expect(() => createTcpServer({ name: 'x' })).toThrow('defineProtocol');
    // @ts-expect-error a client needs options
    expect(() => createTcpClient(echo)).toThrow();
    // @ts-expect-error one of three
    expect(() => createTcpServer(echo, { atMaxSessions: 'wait' })).toThrow('server.atMaxSessions');
  });

  test('a client has at most one session, and its start fails with a StartError', () => {
    const client = createTcpClient(echo, { port: 7_000 });
    expectTypeOf(client.session).toEqualTypeOf<Session | undefined>();
    expectTypeOf(client.state.value).toEqualTypeOf<'closed' | 'connecting' | 'connected' | 'backOff' | 'closing'>();
    expectTypeOf(new StartError('EACCES', 'no')).toExtend<Error>();
    expectTypeOf(new StartError('EACCES', 'no').code).toBeString();
    expectTypeOf<RuntimeError['session']>().toEqualTypeOf<string | undefined>();
  });
});

describe('wirechart/inspect', () => {
  test('a visualizer shows a server, a client, several, or none; its options are checked by type and by value', () => {
    const server = createTcpServer(echo);
    const client = createTcpClient(echo, { port: 7_000 });
    for (const visualizer of [createVisualizer(server), createVisualizer([server, client], {}), createVisualizer()]) {
      expectTypeOf(visualizer).toEqualTypeOf<Visualizer>();
      expectTypeOf(visualizer.url).toBeString();
      expectTypeOf<ReturnType<Visualizer['start']>>().resolves.toBeVoid();
      expectTypeOf<ReturnType<Visualizer['stop']>>().resolves.toBeVoid();
    }
    // @ts-expect-error there is no such option
    expect(() => createVisualizer(server, { allowControl: true })).toThrow('visualizer.allowControl');
    // @ts-expect-error a number
    expect(() => createVisualizer(server, { port: '0' })).toThrow('visualizer.port');
    // @ts-expect-error a session is nothing that can be shown by itself
    expect(() => createVisualizer('12')).toThrow('createTcpServer or createTcpClient');
    expectTypeOf<VisualizerError['code']>().toExtend<string>();
    expectTypeOf(new VisualizerError('INTERNAL', 'no')).toExtend<Error>();
  });

  test('a chart is plain data, and its drawing a text', () => {
    expectTypeOf(readChart).returns.toEqualTypeOf<Chart>();
    expectTypeOf(drawChart).returns.resolves.toBeString();
  });
});
