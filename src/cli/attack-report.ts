/** What `wirechart attack` prints for people: a row for each attack as it ends, then what all of them together did. */
import type { Latency, PortAttackResult, PortReport } from '../explore/attack-port.js';
import { oneLine } from './cli-error.js';

/** Resident memory of the server's process, where it is ours and the system tells. */
export interface ServerMemory {
  readonly beforeKib: number | undefined;
  readonly afterKib: number | undefined;
}

/** What the server printed on stderr. */
export interface ServerErrors {
  readonly errorLineCount: number | undefined;
  readonly errorLines: readonly string[];
}

const COLUMNS = { attack: 17, connections: 11, fin: 7, rst: 7, self: 7, open: 7, refused: 8, p99: 9 };

export function attackHeading(
  protocol: string | undefined,
  { host, port }: { readonly host: string; readonly port: number },
  isOurs: boolean,
): string {
  const place = host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`;
  const what = protocol === undefined ? 'raw bytes' : protocol;
  const columns = row(['attack', 'connections', 'by FIN', 'by RST', 'by us', 'open', 'refused', 'p99 ms', 'survived']);
  return `wirechart: attacking ${place} (${what}${isOurs ? ', a server of its own' : ''})\n\n${columns}`;
}

export function attackRow({ name, connections, endings, latency, survived, problems }: PortAttackResult): string {
  const { fin, rst, self, open, refused } = endings;
  const p99 = latency.count === 0 ? '-' : latency.p99Ms.toFixed(2);
  const verdict = survived ? 'yes' : `NO: ${oneLine(problems.join('; '))}`;
  return row([name, connections, fin, rst, self, open, refused, p99, verdict]);
}

export function attackLines(report: PortReport, memory: ServerMemory, errors: ServerErrors): string[] {
  const { probe, probeProblem, alone, attacked, ratio, problems, skipped, survived } = report;
  const { beforeKib, afterKib } = memory;
  const ended = errors.errorLineCount ?? 0;
  return [
    '',
    probe
      ? `healthy peers asked ${probe.request.type} and got ${probe.answers.join(', ')}`
      : `healthy peers connected, stayed and left${probeProblem === undefined ? '' : `: ${oneLine(probeProblem)}`}`,
    `  without attacks: ${latencyText(alone)}`,
    `  with attacks:    ${latencyText(attacked)}`,
    ...(ratio === undefined ? [] : [`  p99 with attacks: ${ratio.toFixed(2)} times that without`]),
    ...(beforeKib !== undefined && afterKib !== undefined
      ? [`memory of the server: ${mebibytes(beforeKib)} before, ${mebibytes(afterKib)} after`]
      : []),
    ...(ended > 0 ? [`the server reported ${ended} errors, the last: ${oneLine(errors.errorLines.at(-1) ?? '')}`] : []),
    ...(skipped.length > 0 ? [`not tried, for want of frames of the protocol: ${skipped.join(', ')}`] : []),
    ...problems.map((problem) => `problem: ${oneLine(problem)}`),
    survived ? 'all survived' : 'NOT all survived',
  ];
}

function latencyText({ count, p50Ms, p99Ms, worstMs }: Latency): string {
  if (count === 0) return 'no answers';
  return `${count} answers, p50 ${p50Ms.toFixed(2)} ms, p99 ${p99Ms.toFixed(2)} ms, worst ${worstMs.toFixed(2)} ms`;
}

function mebibytes(kib: number): string {
  return `${(kib / 1024).toFixed(1)} MiB`;
}

function row(cells: readonly (string | number)[]): string {
  const widths = Object.values(COLUMNS);
  return cells
    .map((cell, index) => {
      const width = widths[index];
      if (width === undefined) return `  ${cell}`;
      return index === 0 ? String(cell).padEnd(width) : String(cell).padStart(width);
    })
    .join('');
}
