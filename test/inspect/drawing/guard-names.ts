import type { ChartGuard } from '../../../src/inspect/index.js';

/** Of a guard and of all that it is made of: those that have one. */
export function namesIn(guard: ChartGuard): string[] {
  switch (guard.type) {
    case 'named':
      return [guard.name];
    case 'and':
    case 'or':
      return guard.guards.flatMap(namesIn);
    case 'not':
      return namesIn(guard.guard);
    case 'in':
    case 'code':
      return [];
  }
}
