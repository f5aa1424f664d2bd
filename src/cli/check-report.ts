/** What `wirechart check` prints: a table for people, or one JSON object. */
import type { CoveredTransition } from '../explore/coverage.js';
import type { Exploration } from '../explore/explore-protocol.js';
import type { Finding } from '../explore/findings.js';
import { oneLine } from './cli-error.js';

export interface CheckReport {
  readonly exploration: Exploration;
  readonly durationMs: number;
  readonly withPaths: boolean;
}

export function checkJson({ exploration, durationMs, withPaths }: CheckReport): string {
  const { paths, ...rest } = exploration;
  const lines = withPaths ? { paths: paths.map(({ name, lines: steps }) => ({ name, lines: steps })) } : {};
  return `${JSON.stringify({ ...rest, ...lines, durationMs })}\n`;
}

export function checkTable(report: CheckReport): string {
  const { exploration } = report;
  return [
    ...stateTable(exploration),
    '',
    ...(report.withPaths ? pathLines(exploration) : []),
    ...summary(report),
    '',
    ...findingLines(exploration),
    '',
  ]
    .map((line) => line.trimEnd())
    .join('\n');
}

/** States in the order of the chart, each with its transitions; how often each was entered or taken. */
function stateTable({ coverage }: Exploration): string[] {
  const rows: [string, string, string][] = [['state', 'transition', 'taken']];
  const add = (path: string, count: string) => {
    rows.push([path, '', count]);
    for (const one of coverage.transitions) if (one.source === path) rows.push(['', transition(one), taken(one.count)]);
  };
  const ofChart = coverage.transitions.some(({ source }) => source === '');
  if (ofChart) {
    rows.push(['(chart)', '', '']);
    for (const one of coverage.transitions) if (one.source === '') rows.push(['', transition(one), taken(one.count)]);
  }
  for (const { path, count } of coverage.states) add(path, count > 0 ? '' : 'NEVER ENTERED');
  const widths = [0, 1].map((column) => Math.max(...rows.map((row) => row[column]!.length)));
  return rows.map(
    ([state, name, count]) => `  ${state.padEnd(widths[0]!)}  ${name.padEnd(Math.min(70, widths[1]!))}  ${count}`,
  );
}

function transition({ event, guard, targets }: CoveredTransition): string {
  const where = targets.length === 0 ? '' : ` -> ${targets.join(', ')}`;
  return oneLine(`${event}${guard === undefined ? '' : ` [${guard}]`}${where}`);
}

function taken(count: number): string {
  return count === 0 ? 'NEVER' : String(count);
}

function pathLines({ paths }: Exploration): string[] {
  return paths.flatMap(({ name, lines }) => [`  ${name}`, ...lines.map((line) => `    ${indented(line)}`), '']);
}

function summary({ exploration, durationMs }: CheckReport): string[] {
  const { coverage, bounds, seed } = exploration;
  const share = (what: string, parts: readonly { readonly count: number }[]) =>
    `${parts.filter(({ count }) => count > 0).length} of ${parts.length} ${what}`;
  const covered = [
    share('states', coverage.states),
    share('transitions', coverage.transitions),
    share('timeouts', coverage.timeouts),
  ].join(', ');
  const { places, placesMax, depthMax, paths, pathsMax, steps, peersMax, cutShort, reached } = bounds;
  const late = coverage.timeouts.filter(({ count }) => count === 0).map(({ where, event }) => `${where} ${event}`);
  return [
    `  covered      ${covered}`,
    ...(late.length > 0 ? [`               timeouts that were not: ${late.join(', ')}`] : []),
    `  looked at    ${counted(places, 'place')} of the model (at most ${placesMax}, ${depthMax} steps deep)`,
    `  carried out  ${counted(paths, 'path')} (at most ${pathsMax}) of ${counted(steps, 'step')}, with up to ${counted(peersMax, 'peer')}, seed ${seed}`,
    ...cutShort.map((text) => `               cut short: ${oneLine(text)}`),
    `  bounds       ${reached.length === 0 ? 'none was reached' : `reached ${reached.join(', ')}: what lies beyond was not looked at`}`,
    `  time         ${(durationMs / 1_000).toFixed(1)} s`,
  ];
}

function findingLines({ findings, passes, protocol }: Exploration): string[] {
  const counting = findings.filter(({ accepted }) => accepted === undefined);
  const accepted = findings.filter(({ accepted: because }) => because !== undefined);
  const verdict =
    counting.length === 0
      ? `${protocol}: nothing found`
      : `${protocol}: ${counted(counting.length, 'finding')}${passes ? ', within the thresholds' : ''}`;
  return [
    verdict,
    ...counting.flatMap((one) => finding(one)),
    ...accepted.map(({ finding: kind, text, accepted: because }) => `  ${kind.padEnd(KIND_WIDTH)}  accepted: ${oneLine(because!)} (${oneLine(text)})`),
  ]; // prettier-ignore
}

function counted(count: number, what: string): string {
  return `${count} ${what}${count === 1 ? '' : 's'}`;
}

/** Numbers of steps stay in line. */
function indented(line: string): string {
  return ' '.repeat(line.length - line.trimStart().length) + oneLine(line);
}

const KIND_WIDTH = 12;

function finding({ finding: kind, text, path = [] }: Finding): string[] {
  const indent = ' '.repeat(KIND_WIDTH + 4);
  return [`  ${kind.padEnd(KIND_WIDTH)}  ${oneLine(text)}`, ...path.map((line) => `${indent}${indented(line)}`)];
}
