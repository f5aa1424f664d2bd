/** The table's address: what it says is what is asked of the server, and it says no more than it has to. */
import { describe, expect, test } from 'vitest';
import { readChart } from '../../src/inspect/drawing/chart.js';
import { sessionMachine } from '../../machines/session.js';
import media from '../../examples/media-control/index.js';
import { choiceOf, longerMs, queryOf, stateOf } from '../../visualizer/src/sessions/table-address.js';

const charts = { session: readChart(sessionMachine), protocol: readChart(media.machine) };
const choice = (query: string) => choiceOf(new URLSearchParams(query));

describe('the address of the table', () => {
  test('without a word shows all sessions, the oldest first', () => {
    expect(choice('')).toEqual({ text: '', sort: 'age', descending: true, state: '', longer: '' });
  });

  test('is the same again after it was read, and leaves out what goes without saying', () => {
    const query = 'state=session:closing.finWait&q=10.0.&sort=-received&longer=10s';
    expect(queryOf(choice(query))).toEqual({
      state: 'session:closing.finWait',
      q: '10.0.',
      sort: '-received',
      longer: '10s',
    });
    expect(queryOf(choice('')).sort).toBeUndefined();
    expect(queryOf(choice('sort=age')).sort).toBe('age');
  });

  test('that sorts by what there is not sorts by age', () => {
    expect(choice('sort=colour')).toMatchObject({ sort: 'age', descending: false });
  });

  test.each([
    ['10s', 10_000],
    ['1m', 60_000],
    ['2h', 7_200_000],
    ['', 0],
    ['10', 0],
    ['-1s', 0],
    ['9999999s', 0],
  ])('longer than %j is %i ms', (text, ms) => {
    expect(longerMs(text)).toBe(ms);
  });

  test('names a state by its chart and path, and one that there is not is told from none', () => {
    const found = stateOf(charts, 'session:closing.finWait');
    expect(charts.session.states[found!.state]!.id).toBe('session.closing.finWait');
    expect(found!.chart).toBe('session');
    expect(stateOf(charts, 'protocol:open.control.ready')).toMatchObject({ chart: 'protocol' });
    expect(stateOf(charts, '')).toBeNull();
    for (const text of ['session:nowhere', 'session:', 'closing.finWait', 'server:listening'])
      expect(stateOf(charts, text)).toBeUndefined();
  });
});
