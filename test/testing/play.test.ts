/** Charts run by `transition()` alone. */
import { expect, test } from 'vitest';
import { raise, setup } from 'xstate';
import { due, play, playOn } from '../../src/testing/play.js';

test('timers without an id are each their own: one that is set when another has fired replaces none', () => {
  const machine = setup({
    types: {} as { events: { type: 'SET' } | { type: 'RING' } },
    actions: { set: raise({ type: 'RING' }, { delay: 10 }) },
  }).createMachine({ on: { SET: { actions: 'set' } } });
  const two = play(machine, undefined, [{ type: 'SET' }, { type: 'SET' }]);
  expect(two.timers.size).toBe(2);
  expect(playOn(two, [due('RING'), { type: 'SET' }]).timers.size).toBe(2);
});
