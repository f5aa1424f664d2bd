/** Names of guards and events, as tables and drawings show them. */
import { and, not, or, stateIn } from 'xstate';
import { expect, test } from 'vitest';
import { eventName, guardText, readGuard } from '../../src/inspect/chart-names.js';

const isLocal = () => true;

test.each([
  { guard: 'isOpen', text: 'isOpen' },
  { guard: { type: 'says', params: 'boo "who"?' }, text: 'says "boo \\"who\\"?"' },
  { guard: { type: 'says', params: () => 'boo' }, text: 'says' },
  { guard: not('isOpen'), text: 'not isOpen' },
  { guard: and(['isOpen', or(['isOdd', not('isEven')])]), text: 'isOpen and (isOdd or not isEven)' },
  { guard: not(and(['isOdd', 'isOpen'])), text: 'not (isOdd and isOpen)' },
  { guard: stateIn({ open: { output: 'congested' } }), text: 'in open.output.congested' },
  { guard: stateIn({ open: { output: 'congested', qos: 'off' } }), text: 'in open.output.congested and open.qos.off' },
  { guard: stateIn('#open'), text: 'in #open' },
  { guard: isLocal, text: 'isLocal' },
  { guard: () => true, text: 'a guard without a name' },
])('$text', ({ guard, text }) => {
  expect(guardText(readGuard(guard)!)).toBe(text);
});

test.each([
  { type: 'READ', name: 'READ' },
  { type: '', name: 'always' },
  { type: 'xstate.after.answerTimeout.chat.entering', name: 'after answerTimeout' },
  { type: 'xstate.after.100.chat.entering', name: 'after 100 ms' },
  { type: 'xstate.done.state.chat.entering', name: 'done chat.entering' },
  { type: 'xstate.error.actor.look', name: 'error look' },
])('$type is $name', ({ type, name }) => {
  expect(eventName(type)).toBe(name);
});

test('no guard is none', () => {
  expect(readGuard(undefined)).toBeUndefined();
});
