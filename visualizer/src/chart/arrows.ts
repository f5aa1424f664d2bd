/**
 * Which arrows a screen shows of a chart's transitions. Drawn one by one they are a web: the transport's chart alone has twelve that
 * lead to `reset`. So
 *
 * - transitions from one state to another share an arrow;
 * - what a state does like one around it is that one's arrow, and what several states inside of one do alike becomes its arrow;
 * - where all states lead somewhere, or many do, a mark beside the target says so in their place.
 *
 * Nothing is lost: an arrow knows all of its transitions.
 */
import type { Chart, ChartTransition } from '../../../src/inspect/drawing/chart.js';

export interface PlannedArrow {
  /** `gather`: it begins at a mark that stands for several sources. */
  readonly kind: 'plain' | 'initial' | 'history' | 'gather';
  /** Number of a state; of `initial`: of the state that begins there; of `gather`: of the state around all of them. */
  readonly source: number;
  readonly target: number;
  readonly transitions: readonly ChartTransition[];
  /** Of `gather`: what its mark says. */
  readonly mark: string;
}

/** Sources, from which on a mark takes the place of their arrows. */
const GATHER_MIN = 4;

interface Bundle {
  readonly source: number;
  readonly target: number;
  readonly transitions: ChartTransition[];
}

/** The hierarchy of a chart, by numbers. */
export class Tree {
  readonly #numbers: ReadonlyMap<string, number>;
  readonly parents: readonly number[];
  readonly children: readonly (readonly number[])[];
  readonly depths: readonly number[];

  constructor(readonly chart: Chart) {
    const { states } = chart;
    this.#numbers = new Map(states.map(({ id }, number) => [id, number]));
    this.parents = states.map(({ parent }) => (parent === null ? -1 : this.numberOf(parent)));
    const children: number[][] = states.map(() => []);
    const depths: number[] = [];
    this.parents.forEach((parent, number) => {
      children[parent]?.push(number);
      depths.push(parent < 0 ? 0 : depths[parent]! + 1);
    });
    this.children = children;
    this.depths = depths;
  }

  numberOf(id: string): number {
    return this.#numbers.get(id) ?? -1;
  }

  /** @returns from the innermost outwards, the state itself first */
  upFrom(number: number): number[] {
    const path: number[] = [];
    for (let at = number; at >= 0; at = this.parents[at]!) path.push(at);
    return path;
  }

  isInside(number: number, outer: number): boolean {
    return number !== outer && this.upFrom(number).includes(outer);
  }

  /** The innermost state that is around both, or is one of them. */
  around(a: number, b: number): number {
    const path = this.upFrom(a);
    return this.upFrom(b).find((number) => path.includes(number)) ?? 0;
  }
}

/**
 * @param visible for each state the number of the one that stands for it: itself, or a folded one around it
 * @param isTerse also what usually leads to a state that all lead to is left to its mark
 */
export function planArrows(tree: Tree, visible: readonly number[], isTerse: boolean): PlannedArrow[] {
  return [
    ...begins(tree, visible),
    ...histories(tree, visible),
    ...gathered(tree, lifted(tree, bundles(tree, visible)), isTerse),
  ];
}

function begins({ chart, ...tree }: Tree, visible: readonly number[]): PlannedArrow[] {
  const numberOf = new Map(chart.states.map(({ id }, number) => [id, number]));
  return chart.states.flatMap(({ initial }, source) => {
    if (visible[source] !== source || tree.children[source]!.some((child) => visible[child] !== child)) return [];
    const targets = new Set((initial?.targets ?? []).map((target) => visible[numberOf.get(target)!]!));
    return [...targets].map((target) => ({ kind: 'initial', source, target, transitions: [], mark: '' }) as const);
  });
}

function histories(tree: Tree, visible: readonly number[]): PlannedArrow[] {
  return tree.chart.states.flatMap(({ historyTargets }, source) =>
    visible[source] === source
      ? historyTargets.map((id) => {
          const target = visible[tree.numberOf(id)]!;
          return { kind: 'history', source, target, transitions: [], mark: '' } as const;
        })
      : [],
  );
}

function bundles(tree: Tree, visible: readonly number[]): Bundle[] {
  const found = new Map<string, Bundle>();
  for (const transition of tree.chart.transitions) {
    const from = tree.numberOf(transition.source);
    for (const id of transition.targets) {
      const to = tree.numberOf(id);
      const [source, target] = [visible[from]!, visible[to]!];
      // Between two states of one that is folded.
      if (source === target && from !== to) continue;
      const key = `${source} ${target}`;
      const bundle = found.get(key) ?? { source, target, transitions: [] };
      bundle.transitions.push(transition);
      found.set(key, bundle);
    }
  }
  return [...found.values()];
}

/** What leads to one place from a state and from one around it, or from several inside of one, leads there from the outer one. */
function lifted(tree: Tree, all: readonly Bundle[]): Bundle[] {
  const found = new Map<string, Bundle>();
  for (const bundle of all) {
    const { target } = bundle;
    const alike = all.filter((other) => other.target === target && other.source !== target);
    const isOuter = (outer: number) =>
      outer !== bundle.source &&
      !tree.isInside(target, outer) &&
      outer !== target &&
      alike.some(({ source }) => source !== bundle.source && (source === outer || tree.isInside(source, outer)));
    const source =
      bundle.source === target ? target : (tree.upFrom(bundle.source).filter(isOuter).at(-1) ?? bundle.source);
    const key = `${source} ${target}`;
    const one = found.get(key) ?? { source, target, transitions: [] };
    one.transitions.push(...bundle.transitions);
    found.set(key, one);
  }
  return [...found.values()];
}

function gathered(tree: Tree, all: readonly Bundle[], isTerse: boolean): PlannedArrow[] {
  const arrows: PlannedArrow[] = [];
  const targets = new Set(all.map(({ target }) => target));
  for (const target of targets) {
    const own = all.filter((bundle) => bundle.target === target && bundle.source === target);
    const others = all.filter((bundle) => bundle.target === target && bundle.source !== target);
    const fromRoot = others.some(({ source }) => source === 0);
    const plain = (bundle: Bundle) => ({ kind: 'plain', ...bundle, mark: '' }) as const;
    arrows.push(...own.map(plain));
    if (!fromRoot && others.length < GATHER_MIN) {
      arrows.push(...others.map(plain));
      continue;
    }
    const kept = fromRoot && isTerse ? undefined : usual(tree, others);
    if (kept) arrows.push(plain(kept));
    const rest = others.filter((bundle) => bundle !== kept);
    const mark = fromRoot ? 'any state' : `${rest.length} states`;
    const transitions = rest.flatMap((bundle) => bundle.transitions);
    arrows.push({ kind: 'gather', source: Math.max(0, tree.parents[target]!), target, transitions, mark });
  }
  return arrows;
}

/** Charts are written in the order in which states are usually gone through: what comes from the one before stays an arrow. */
function usual(tree: Tree, bundles: readonly Bundle[]): Bundle | undefined {
  const before = bundles.filter(
    ({ source, target }) => tree.parents[source] === tree.parents[target] && source < target,
  );
  const candidates =
    before.length > 0 ? before : bundles.filter(({ source, target }) => tree.parents[source] === tree.parents[target]);
  return candidates.sort((a, b) => b.source - a.source)[0];
}
