/** Types of `wirechart/testing`: what they let through, and what they refuse (`@ts-expect-error` is an error when there is none). */
import { of } from 'rxjs';
import { setup } from 'xstate';
import { expect, expectTypeOf, test } from 'vitest';
import { defineProtocol, type AnyProtocol, type CommandHandler, type ProtocolCommand } from 'wirechart';
import { lines, type LineMessage } from 'wirechart/codec';
import {
  createWorld,
  parseMarbles,
  playChart,
  recordMarbles,
  simulatedHandler,
  VirtualTime,
  type MarbleRecord,
} from 'wirechart/testing';
import { VirtualTime as SameVirtualTime } from 'wirechart/time';
import media from '../../examples/media-control/index.js';
import type { MediaAnswer, MediaMessage } from '../../examples/media-control/codec.js';

type Ask = { type: 'ASK'; text: string };
type Events = LineMessage | { type: 'ANSWER'; text: string };

const machine = setup({
  types: {} as { events: Events; emitted: Ask | ProtocolCommand<LineMessage>; input: { name: string } },
}).createMachine({ id: 'asking', initial: 'idle', states: { idle: {} } });

test('a simulated handler fits a protocol: its answer is an event of the chart, its command the one that it is for', () => {
  const parts = { name: 'ask', codecs: { lines: () => lines() }, initialCodec: 'lines', machine } as const;
  const input = () => ({ name: 'x' });
  const answer = ({ text }: Ask) => ({ type: 'ANSWER' as const, text });
  const made = simulatedHandler({ answer: ({ text }: Ask) => ({ type: 'ANSWER', text }), deadlineMs: 1 });
  expectTypeOf(made).toExtend<CommandHandler<any, Events>>();
  const fits = defineProtocol({ ...parts, input, handlers: { ASK: simulatedHandler({ answer, deadlineMs: 1 }) } });
  expect(fits.name).toBe('ask');
  defineProtocol({
    ...parts,
    input,
    handlers: { ASK: simulatedHandler({ answer: { type: 'ANSWER', text: 'same' }, deadlineMs: 1, afterMs: () => 5 }) },
  });
  defineProtocol({
    ...parts,
    input,
    // @ts-expect-error NONE is no event of the chart
    handlers: { ASK: simulatedHandler({ answer: { type: 'NONE' as const }, deadlineMs: 1 }) },
  });
  // @ts-expect-error a deadline is required, as of any handler
  expect(() => simulatedHandler({ answer })).toThrow('simulatedHandler.deadlineMs');
});

test('marbles have the type of their values, or are signs', () => {
  expectTypeOf(parseMarbles('a')[0]!.value).toEqualTypeOf<string>();
  expectTypeOf(parseMarbles('a', { a: 1 })[0]!.value).toEqualTypeOf<number>();
  expectTypeOf(recordMarbles(new VirtualTime(), of(1))).toEqualTypeOf<MarbleRecord<number>>();
  expectTypeOf<SameVirtualTime>().toEqualTypeOf<VirtualTime>();
  expect(SameVirtualTime).toBe(VirtualTime);
});

test('a chart is played with its own events and input, and emits its own commands', () => {
  const played = playChart(machine, { events: 'l', values: { l: { type: 'LINE', text: '' } }, input: { name: 'x' } });
  expectTypeOf(played.states).toEqualTypeOf<MarbleRecord<string>>();
  expectTypeOf<(typeof played.commands.entries)[number]['value']>().toEqualTypeOf<Ask | ProtocolCommand<LineMessage>>();
  expectTypeOf(played.snapshot.value).toEqualTypeOf<'idle'>();
  // @ts-expect-error no event of the chart
  playChart(machine, { events: 'l', values: { l: { type: 'NONE' } }, input: { name: 'x' } });
});

test("a world's peer sends what the server's codec decodes, and receives what it encodes", async () => {
  const world = createWorld();
  const server = await world.server(media);
  const peer = world.peer(server);
  expectTypeOf<MediaMessage>().toExtend<Parameters<typeof peer.send>[number]>();
  expectTypeOf<Parameters<typeof peer.send>[number]>().toExtend<MediaMessage>();
  expectTypeOf(peer.received).toEqualTypeOf<MediaAnswer[]>();
  // @ts-expect-error no message of the protocol
  expect(() => peer.send({ type: 'NONE' })).toThrow('expected a type of the table');
  const loose = world.peer(await world.server(media as AnyProtocol));
  expectTypeOf(loose.received).toEqualTypeOf<any[]>();
  await world.end();
});
