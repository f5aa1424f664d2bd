/**
 * Levels of a chart that were laid out before. A panel of another size, words at the arrows or not, a state folded or not: most
 * levels stay what they were, and a layout for all of it asks for the same ones again and again.
 */
import type { ElkNode } from 'elkjs/lib/elk-api.js';
import type { LayoutEngine } from './composition.js';

/** Some 10 kB each; the session's chart has about 150 in all. */
const REMEMBERED_MAX = 600;

/** @param engine gives the same places for the same graph; a failure of it is not remembered */
export function remembered(engine: LayoutEngine): LayoutEngine {
  const known = new Map<string, Promise<ElkNode>>();
  return {
    layout(graph) {
      const key = JSON.stringify(graph);
      const before = known.get(key);
      // What was asked for last is forgotten last.
      known.delete(key);
      const answer = before ?? engine.layout(graph);
      known.set(key, answer);
      if (known.size > REMEMBERED_MAX) known.delete(known.keys().next().value!);
      if (!before) answer.catch(() => known.get(key) === answer && known.delete(key));
      return answer;
    },
  };
}
