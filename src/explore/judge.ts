/** What an exploration has to say in the end: what was not covered and why, and which messages nobody minds. */
import type { Codec } from '../codec/codec.js';
import type { AnyProtocol } from '../session/protocol.js';
import { handles, stateId, type ChartMap, type ChartTransition } from './chart-map.js';
import { transitionName, type Coverage, type CoverageCount } from './coverage.js';
import type { ExploreThresholds } from './explore-options.js';
import type { Finding, Findings } from './findings.js';
import type { Search } from './search.js';

export interface Judged {
  readonly protocol: AnyProtocol;
  readonly chart: ChartMap;
  readonly count: CoverageCount;
  /** The last one. */
  readonly search: Search;
  /** Types of what was sent. */
  readonly sent: ReadonlySet<string>;
  readonly findings: Findings;
  /** Paths that were found were not carried out, because there were too many. */
  readonly hasSkippedPaths: boolean;
}

/** Adds to the findings what was not covered. @returns what was */
export function judge(judged: Judged): Coverage {
  const { chart, count, findings } = judged;
  const missing = count.missing;
  for (const { path } of chart.states) {
    if (chart.unreachable.has(path)) findings.add('unreachable', path, `${path}: no arrow of the chart leads there`);
    else if (missing.has(stateId(path))) findings.add('notCovered', path, `${path} was never entered`);
  }
  const reasons = new Map<string, string>();
  for (const one of chart.transitions) {
    if (!missing.has(one.id)) continue;
    const reason = reasonOf(judged, one, missing);
    reasons.set(one.id, reason);
    // That a state was not entered says it of all that begins there.
    if (isEntered(one, missing)) findings.add('notCovered', transitionName(one), `${transitionName(one)}: ${reason}`);
  }
  for (const id of missing) {
    if (!id.startsWith('handler ')) continue;
    findings.add('notCovered', id.slice('handler '.length), `the ${id} never came`);
  }
  judgeMessages(judged);
  return count.result(reasons);
}

/** Is enough covered? What was accepted counts as if it were. */
export function reaches(
  chart: ChartMap,
  count: CoverageCount,
  findings: readonly Finding[],
  thresholds: Required<ExploreThresholds>,
): boolean {
  const missing = count.missing;
  const accepted = new Set(findings.flatMap(({ where, accepted: because }) => (because === undefined ? [] : [where])));
  const isFree = (one: ChartTransition) => accepted.has(transitionName(one)) || accepted.has(one.source);
  const shareOf = (ids: readonly string[], free: ReadonlySet<string>) =>
    ids.length === 0 ? 1 : ids.filter((id) => !missing.has(id) || free.has(id)).length / ids.length;
  const states = chart.states.map(({ path }) => stateId(path));
  const freeStates = new Set([...accepted].map(stateId));
  const freeTransitions = new Set(chart.transitions.filter(isFree).map(({ id }) => id));
  const timeouts = chart.transitions.filter(({ isTimeout }) => isTimeout).map(({ id }) => id);
  const handlers = count.all.filter((id) => id.startsWith('handler '));
  const freeTimeouts = new Set([...freeTransitions, ...[...accepted].map((where) => `handler ${where}`)]);
  return (
    shareOf(states, freeStates) >= thresholds.states &&
    shareOf(chart.transitions.map(({ id }) => id), freeTransitions) >= thresholds.transitions &&
    shareOf([...timeouts, ...handlers], freeTimeouts) >= thresholds.timeouts
  ); // prettier-ignore
}

function isEntered({ source }: ChartTransition, missing: ReadonlySet<string>): boolean {
  return source === '' || !missing.has(stateId(source));
}

function reasonOf(
  { search, hasSkippedPaths }: Judged,
  transition: ChartTransition,
  missing: ReadonlySet<string>,
): string {
  const { id, source, guard, event, isTimeout } = transition;
  if (!isEntered(transition, missing)) return `${source} was never entered`;
  if (search.ways.has(id) && hasSkippedPaths)
    return 'there is a way to it, and pathsMax was reached before it was carried out';
  if (search.ways.has(id))
    return 'it is possible by the chart alone, and no real session took it: see the paths that were cut short';
  const threw = search.threw.get(id);
  if (threw !== undefined) return `a guard or an action throws: ${threw}`;
  const tried = [...(search.tried.get(id) ?? [])];
  if (tried.length > 0) {
    const what = guard === undefined ? 'another transition is taken instead' : `its guard ${guard} never passed`;
    return `${what}; tried with ${tried.join(', ')}`;
  }
  if (isTimeout) return 'it was never due: the state is left, or the session ends, before its time';
  return `${event} never came while ${source === '' ? 'the chart' : source} was active`;
}

function judgeMessages({ protocol, chart, sent, findings }: Judged): void {
  for (const make of Object.values(protocol.codecs as Record<string, () => Codec>)) {
    for (const { type, direction } of make().messages) {
      if (direction !== 'out' && !handles(chart.machine, type))
        findings.add('unhandled', type, `${type} is decoded, and no state handles it`);
      if (direction === 'out' && !sent.has(type))
        findings.add('neverSent', type, `${type} can be encoded, and was sent on no path`);
    }
  }
}
