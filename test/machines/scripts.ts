/** Random scripts for the properties of a chart: its events, mixed with "let a pending timer fire". */
import fc from 'fast-check';
import type { AnyStateMachine, EventFromLogic, InputFrom } from 'xstate';
import { play, playOn, type Played } from '../../src/testing/play.js';

/** `fire`: the pending timer of this number, modulo how many there are; nothing happens if there is none. */
export type Line<M extends AnyStateMachine> = EventFromLogic<M> | { readonly fire: number };

export const scripts = <M extends AnyStateMachine>(events: fc.Arbitrary<EventFromLogic<M>>, maxLength = 40) =>
  fc.array<Line<M>>(
    fc.oneof({ weight: 9, arbitrary: events }, { weight: 1, arbitrary: fc.record({ fire: fc.nat({ max: 5 }) }) }),
    { maxLength, size: 'max' },
  );

/** Plays `script` less the lines that `isReal` refuses, and shows each step: `played` after it, `before` it, and the event (`undefined` at the start). */
export function perform<M extends AnyStateMachine>(
  machine: M,
  input: InputFrom<M>,
  script: readonly Line<M>[],
  look: (step: {
    played: Played<M>;
    before: Played<M> | undefined;
    event: EventFromLogic<M> | undefined;
  }) => void = () => {},
  isReal: (event: EventFromLogic<M>, played: Played<M>) => boolean = () => true,
): Played<M> {
  let played = play(machine, input);
  look({ played, before: undefined, event: undefined });
  for (const line of script) {
    const event = eventOf(line, played);
    if (event === undefined || !isReal(event, played)) continue;
    const before = played;
    const name = (event as { type: string }).type;
    const timer =
      'fire' in line ? [...played.timers.values()].find((one) => one.event === (event as unknown)) : undefined;
    played = playOn(before, [timer === undefined ? event : () => timer]);
    if ((before.snapshot as { status: string }).status === 'active') look({ played, before, event });
    else if (played.lastTypes.length > 0)
      throw new Error(`${name} after the end led to ${played.lastTypes.join(', ')}`);
  }
  return played;
}

function eventOf<M extends AnyStateMachine>(line: Line<M>, { timers }: Played<M>): EventFromLogic<M> | undefined {
  if (!('fire' in line)) return line;
  const pending = [...timers.values()];
  return pending[line.fire % pending.length]?.event as EventFromLogic<M> | undefined;
}
