/** The demo's table, on a terminal that is not there. */
import { Writable } from 'node:stream';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { VirtualTime } from 'wirechart/time';
import { Table, type Row } from '../../examples/demo/account.js';

const SGR = /\u001b\[[0-9;]*m/g;
const CONTROL = /\u001b\[[0-9;?]*[A-Za-z]/g;

class Terminal extends Writable {
  readonly writes: string[] = [];
  constructor(
    public columns: number,
    public rows: number,
  ) {
    super();
  }
  hasColors(): boolean {
    return true;
  }
  override _write(chunk: Buffer, _encoding: string, done: () => void): void {
    this.writes.push(chunk.toString());
    done();
  }
  /** The lines of the last picture, as seen. */
  get seen(): string[] {
    return this.writes.at(-1)!.replace(CONTROL, '').split('\r\n');
  }
}

const row = (example: string, scenario: string): Row => ({
  example,
  scenario,
  doing: 'has nick and room, and more to say than fits',
  state: 'connected.congested',
  last: 'protocol asked, RST',
  saw: ', peer saw ECONNRESET',
  count: 12,
});

function open(columns: number, height: number) {
  const names = ['echo', 'chat', 'media-control'];
  const scenarios = ['peer FIN', 'peer RST', 'wait timeout', 'server graceful', 'server forced', 'slow reader'];
  const rows = names.flatMap((example) => scenarios.map((scenario) => row(example, scenario)));
  const terminal = new Terminal(columns, height);
  const time = new VirtualTime();
  const table = new Table(terminal as unknown as NodeJS.WriteStream, time, {
    rows,
    titles: new Map(names.map((name) => [name, '127.0.0.1:7000, 6 s of silence end a session, 1 MiB that waits'])),
    totals: () => ({ live: 1, ended: 2, bytesReceived: 3, bytesSent: 4_000_000, errors: 0 }),
  });
  return { terminal, time, table, rows };
}

beforeEach(() => void vi.stubEnv('NO_COLOR', ''));
afterEach(() => void vi.unstubAllEnvs());

describe.each([
  [80, 24],
  [120, 40],
  [60, 24],
])('on %i columns and %i rows', (columns, height) => {
  test('every line fits, the 18 rows have their columns at one place, and the totals are last', () => {
    const { terminal, table } = open(columns, height);
    const lines = terminal.seen;
    expect(lines.length).toBeLessThanOrEqual(height);
    const rows = lines.filter((line) => line.startsWith('  ') && line.includes('connected.congested'));
    expect(rows).toHaveLength(18);
    expect(new Set(rows.map((line) => line.indexOf('connected.congested'))).size).toBe(1);
    expect(new Set(rows.map((line) => line.indexOf('protocol asked, RST'))).size).toBe(1);
    expect(rows[0]!.includes('peer saw ECONNRESET')).toBe(columns >= 120);
    if (columns >= 80) for (const line of lines) expect(line.length).toBeLessThan(columns);
    expect(lines.at(-1)).toMatch(/^1 live, 2 ended, 0\.0 MiB in, 3\.8 MiB out, 0 errors/);
    table.end();
  });
});

test('the address of the visualizer is the first line, whole also where it does not fit', () => {
  const terminal = new Terminal(40, 24);
  const address = 'http://127.0.0.1:41733/?token=dyeXzWvSg8nuMjMppCrExQ';
  const totals = () => ({ live: 0, ended: 0, bytesReceived: 0, bytesSent: 0, errors: 0 });
  const content = { rows: [], titles: new Map<string, string>(), address, totals };
  const own = new Table(terminal as unknown as NodeJS.WriteStream, new VirtualTime(), content);
  expect(terminal.seen[0]).toBe(`watch  ${address}`);
  own.end();
});

test('in a low window of 10 rows the last one is still that of the totals', () => {
  const { terminal, table } = open(80, 10);
  expect(terminal.seen).toHaveLength(10);
  expect(terminal.seen.at(-1)).toMatch(/^1 live/);
  table.end();
});

test('1 000 changes at once are 1 picture, 50 ms later, drawn from the top without clearing the screen first', () => {
  const { terminal, time, table, rows } = open(80, 24);
  const before = terminal.writes.length;
  rows[0]!.state = 'closing.finWait';
  for (let n = 0; n < 1_000; n += 1) table.changed();
  time.advanceBy(49);
  expect(terminal.writes).toHaveLength(before);
  time.advanceBy(1);
  expect(terminal.writes).toHaveLength(before + 1);
  expect(terminal.writes.at(-1)).toMatch(/^\u001b\[H/);
  expect(terminal.writes.at(-1)).not.toContain('\u001b[2J');
  expect(terminal.seen.join('\n')).toContain('closing.finWait');
  table.end();
});

test('its end gives the terminal back as it was, and nothing is drawn after it', () => {
  const { terminal, time, table } = open(80, 24);
  table.changed();
  table.end();
  expect(terminal.writes.at(-1)).toBe('\u001b[?7h\u001b[?25h\u001b[?1049l');
  const { length } = terminal.writes;
  time.advanceBy(1_000);
  expect(terminal.writes).toHaveLength(length);
  expect(terminal.listenerCount('resize')).toBe(0);
});

test('there are colours, and with NO_COLOR set there are none', () => {
  const coloured = open(80, 24);
  expect(coloured.terminal.writes.at(-1)).toMatch(SGR);
  coloured.table.end();
  vi.stubEnv('NO_COLOR', '1');
  const plain = open(80, 24);
  expect(plain.terminal.writes.at(-1)).not.toMatch(SGR);
  plain.table.end();
});
