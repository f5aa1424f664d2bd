/** The account of what happens: a table that redraws in place on a terminal, lines elsewhere. */
import { auditTime, Subject, type SchedulerLike, type Subscription } from 'rxjs';

export interface Row {
  readonly example: string;
  readonly scenario: string;
  /** What the peer does. */
  doing: string;
  /** State of our session; empty when there is none. */
  state: string;
  /** Why the last one ended, by FIN or RST, and what the peer saw of that. */
  last: string;
  saw: string;
  count: number;
}

export interface Totals {
  readonly live: number;
  readonly ended: number;
  readonly bytesReceived: number;
  readonly bytesSent: number;
  readonly errors: number;
}

export interface Account {
  /** `what` changed: for the lines. */
  changed(row: Row, what: 'peer' | 'session' | 'end'): void;
  /** Gives the terminal back. */
  end(): void;
}

/** Numbers of SGR (ECMA-48, 8.3.117). */
const STYLES = { reset: 0, bold: 1, dim: 2, red: 31, green: 32, yellow: 33, magenta: 35 } as const;

type Style = keyof typeof STYLES;

const ESC = '\u001b[';
const HEADER: Cells = ['', 'the peer', 'session', 'last end', 'n'];
interface Layout {
  readonly widths: readonly number[];
  readonly gap: string;
  /** There is room for what the peer saw. */
  readonly isWide: boolean;
}

type Cells = readonly [scenario: string, doing: string, state: string, last: string, count: string];

/** A line each time that something happens: for files and pipes. */
export class Lines implements Account {
  readonly #out: NodeJS.WritableStream;
  readonly #time: SchedulerLike;
  readonly #startMs: number;

  constructor(out: NodeJS.WritableStream, time: SchedulerLike) {
    this.#out = out;
    this.#time = time;
    this.#startMs = time.now();
  }

  changed(row: Row, what: 'peer' | 'session' | 'end'): void {
    const text = { peer: row.doing, session: row.state, end: `${row.last}${row.saw}` }[what];
    if (text === '') return;
    const seconds = ((this.#time.now() - this.#startMs) / 1_000).toFixed(3).padStart(9);
    this.#out.write(`${seconds}  ${row.example.padEnd(13)}  ${row.scenario.padEnd(15)}  ${what.padEnd(7)}  ${text}\n`);
  }

  end(): void {}
}

/** A table on the terminal's second screen, so that what was on the first one is still there afterwards. */
export class Table implements Account {
  readonly #out: NodeJS.WriteStream;
  readonly #rows: readonly Row[];
  readonly #titles: ReadonlyMap<string, string>;
  readonly #totals: () => Totals;
  readonly #address: string | undefined;
  readonly #changes = new Subject<void>();
  readonly #colours: boolean;
  readonly #drawing: Subscription;
  readonly #resized = () => this.#draw();

  /** @param titles what is said of each example above its rows */
  constructor(
    out: NodeJS.WriteStream,
    time: SchedulerLike,
    content: {
      rows: readonly Row[];
      titles: ReadonlyMap<string, string>;
      /** Of the visualizer. */
      address?: string | undefined;
      totals: () => Totals;
    },
  ) {
    this.#out = out;
    this.#rows = content.rows;
    this.#titles = content.titles;
    this.#totals = content.totals;
    this.#address = content.address;
    this.#colours = (process.env['NO_COLOR'] ?? '') === '' && out.hasColors();
    // Second screen, no cursor, and what is too wide is cut instead of wrapped.
    out.write(`${ESC}?1049h${ESC}?25l${ESC}?7l`);
    out.on('resize', this.#resized);
    // 20 pictures a second at most, however much happens.
    this.#drawing = this.#changes.pipe(auditTime(50, time)).subscribe(() => this.#draw());
    this.#draw();
  }

  changed(): void {
    this.#changes.next();
  }

  end(): void {
    this.#drawing.unsubscribe();
    this.#out.off('resize', this.#resized);
    this.#out.write(`${ESC}?7h${ESC}?25h${ESC}?1049l`);
  }

  /** Each line is overwritten and its rest cleared, so that nothing is ever blank in between: no flicker. */
  #draw(): void {
    const { columns = 80, rows: height = 24 } = this.#out;
    const lines = this.#lines(columns, height);
    // In a low window rows are left out, the totals never.
    const seen = lines.length > height ? [...lines.slice(0, height - 1), ...lines.slice(-1)] : lines;
    const drawn = seen.map((line) => `${line}${ESC}K`);
    this.#out.write(`${ESC}H${drawn.join('\r\n')}${ESC}J`);
  }

  #lines(columns: number, height: number): string[] {
    // One column stays free: a terminal wraps at the last.
    const layout = layoutFor(columns - 1);
    const groups = [...this.#titles].map(([example, title]) => [
      `${this.#style('bold', example)}  ${this.#style('dim', fit(title, columns - 3 - example.length).trimEnd())}`,
      ...this.#rows.filter((row) => row.example === example).map((row) => this.#row(row, layout)),
    ]);
    // Whole, or it leads nowhere.
    const address = this.#address === undefined ? [] : [`${this.#style('bold', 'watch')}  ${this.#address}`];
    const roomy = height >= groups.flat().length + 2 + groups.length + address.length;
    const header = this.#style('dim', HEADER.map((cell, i) => fit(cell, layout.widths[i]!)).join(layout.gap));
    return [
      ...address,
      header,
      ...groups.flatMap((group) => (roomy ? [...group, ''] : group)),
      this.#style('dim', fit(totalsLine(this.#totals()), columns - 1).trimEnd()),
    ];
  }

  #row(row: Row, { widths, gap, isWide }: Layout): string {
    const last = isWide ? `${row.last}${row.saw}` : row.last;
    const cells: Cells = [`  ${row.scenario}`, row.doing, row.state, last, row.count > 0 ? String(row.count) : ''];
    const styles: readonly Style[] = [
      'reset',
      row.state === '' ? 'dim' : 'reset',
      styleOf(row.state),
      'reset',
      'reset',
    ];
    return cells.map((cell, i) => this.#style(styles[i]!, fit(cell, widths[i]!))).join(gap);
  }

  #style(style: Style, text: string): string {
    return this.#colours && style !== 'reset' ? `${ESC}${STYLES[style]}m${text}${ESC}0m` : text;
  }
}

/** At 80 columns the end is its reason and FIN or RST; from 108 on there is room for what the peer saw. */
function layoutFor(columns: number): Layout {
  const [scenario, state, count] = [17, 19, 3];
  const [last, gap] = columns < 108 ? [19, ' '] : [44, '  '];
  const doing = Math.max(10, columns - scenario - state - last - count - 4 * gap.length);
  return { widths: [scenario, Math.min(doing, 40), state, last, count], gap, isWide: columns >= 108 };
}

/** Exactly `width` characters. */
function fit(text: string, width: number): string {
  return text.length > width ? `${text.slice(0, Math.max(0, width - 1))}…` : text.padEnd(width);
}

function styleOf(state: string): Style {
  if (state.startsWith('closing') || state.startsWith('halfClosed')) return 'yellow';
  if (state === 'connected.congested') return 'magenta';
  if (state === 'reset') return 'red';
  if (state === 'closed') return 'dim';
  return 'green';
}

function totalsLine({ live, ended, bytesReceived, bytesSent, errors }: Totals): string {
  const traffic = `${mebibytes(bytesReceived)} MiB in, ${mebibytes(bytesSent)} MiB out`;
  return `${live} live, ${ended} ended, ${traffic}, ${errors} errors  (Ctrl-C drains)`;
}

function mebibytes(bytes: number): string {
  return (bytes / 1_048_576).toFixed(1);
}
