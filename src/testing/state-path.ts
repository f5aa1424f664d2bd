/** States as tests write them: `connected.flowing` for `{ connected: 'flowing' }`. */
import type { StateValue } from 'xstate';

/** @returns the dotted path; of parallel states each, in the order of the chart: `input.open | output.closed`. */
export function statePathOf(value: StateValue): string {
  return leavesOf(value).join(' | ');
}

/** Is `value` in the state `path`, or in one below it? */
export function isInState(value: StateValue, path: string): boolean {
  return leavesOf(value).some((leaf) => leaf === path || leaf.startsWith(`${path}.`));
}

function leavesOf(value: StateValue): string[] {
  if (typeof value === 'string') return [value];
  return Object.entries(value).flatMap(([key, inner]) => {
    const below = inner === undefined ? [] : leavesOf(inner);
    return below.length === 0 ? [key] : below.map((leaf) => `${key}.${leaf}`);
  });
}
