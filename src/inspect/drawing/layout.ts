/**
 * Places for the states and the arrows of a chart, found by ELK's layered algorithm.
 *
 * - The chart's own state is inside of a page: ELK cannot route an edge that begins at the outermost node.
 * - Every state is placed in one run over all levels, so that an arrow may lead from any depth to any other.
 * - The direction is always to the right: arrows then cross the left and right borders of nested states, and never their head.
 * - The same chart gives the same places, to the last digit, whatever was laid out before: a new ELK for each, a seed, the
 *   order of the source.
 */
import type { ELK, ElkExtendedEdge, ElkNode, LayoutOptions } from 'elkjs/lib/elk.bundled.js';
import type { Chart, ChartState, ChartTransition } from './chart.js';
import { DrawingError } from './drawing-error.js';
import { actionRuns, lineText, transitionLines, type Line } from './labels.js';
import type { Area, Arrow, ChartLayout, StateBox } from './places.js';
import { widenRegions } from './regions.js';
import { boxContent, LINE, LINE_HEIGHT, type BoxContent } from './state-box.js';
import { textWidth } from './text-width.js';

export interface LayoutChoice {
  readonly actions: boolean;
}

const DOT_SIZE = 10;
export const LABEL_PADDING_X = 5;
export const LABEL_PADDING_Y = 2;

const PAGE: LayoutOptions = {
  'elk.algorithm': 'layered',
  'elk.direction': 'RIGHT',
  'elk.hierarchyHandling': 'INCLUDE_CHILDREN',
  'elk.edgeRouting': 'ORTHOGONAL',
  'elk.randomSeed': '1',
  'elk.json.edgeCoords': 'ROOT',
  'elk.json.shapeCoords': 'ROOT',
  'elk.padding': '[top=16,left=16,bottom=16,right=16]',
};

const SPACING: LayoutOptions = {
  'elk.spacing.nodeNode': '28',
  'elk.spacing.edgeNode': '18',
  'elk.spacing.edgeEdge': '12',
  'elk.spacing.edgeLabel': '6',
  'elk.spacing.labelLabel': '8',
  'elk.spacing.labelNode': '8',
  'elk.spacing.nodeSelfLoop': '16',
  'elk.spacing.portPort': '14',
  'elk.layered.spacing.nodeNodeBetweenLayers': '24',
  'elk.layered.spacing.edgeNodeBetweenLayers': '12',
  'elk.layered.spacing.edgeEdgeBetweenLayers': '10',
  'elk.layered.nodePlacement.strategy': 'NETWORK_SIMPLEX',
  'elk.layered.cycleBreaking.strategy': 'DEPTH_FIRST',
  'elk.layered.edgeLabels.centerLabelPlacementStrategy': 'TAIL_LAYER',
};

/** @throws {DrawingError} LAYOUT_FAILED */
export async function layOut(chart: Chart, choice: LayoutChoice): Promise<ChartLayout> {
  const plan = new Plan(chart, choice);
  try {
    const elk = await newElk();
    return plan.read(await elk.layout(plan.graph()));
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error);
    throw new DrawingError('LAYOUT_FAILED', `${chart.id}: no place was found for its states: ${message}`, {
      cause: error,
    });
  }
}

/** Loaded when a picture is first laid out: it is 1.6 MB of code, which no other command or format needs. */
async function newElk(): Promise<ELK> {
  // The package is CommonJS, whose types say `default`, and whose module is the class itself.
  const { default: Elk } = (await import('elkjs/lib/elk.bundled.js')) as unknown as { default: new () => ELK };
  return new Elk();
}

interface PlannedArrow {
  readonly source: string;
  readonly target: string;
  readonly isInitial: boolean;
  readonly transitions: readonly ChartTransition[];
  readonly lines: readonly Line[];
}

/** What ELK is asked, and what its answer means. Its ids are numbers: a user's may be anything. */
class Plan {
  readonly #states: readonly ChartState[];
  readonly #contents: readonly BoxContent[];
  readonly #arrows: readonly PlannedArrow[];

  constructor(
    chart: Chart,
    readonly choice: LayoutChoice,
  ) {
    const { actions } = choice;
    this.#states = chart.states;
    this.#contents = chart.states.map((state) => {
      const inside = chart.transitions.filter(({ source, targets }) => source === state.id && targets.length === 0);
      const isOuter = chart.states.some(({ parent }) => parent === state.id);
      return boxContent(state, { isOuter, inside, actions });
    });
    this.#arrows = plannedArrows(chart, actions);
  }

  graph(): ElkNode {
    return {
      id: 'page',
      layoutOptions: { ...PAGE, ...SPACING },
      children: [this.#node(0)],
      edges: this.#arrows.map((arrow, index) => this.#edge(arrow, index)),
    };
  }

  #indexOf(id: string): number {
    return this.#states.findIndex((state) => state.id === id);
  }

  #node(index: number): ElkNode {
    const state = this.#states[index]!;
    const { width, height } = this.#contents[index]!;
    const children = this.#states.flatMap(({ parent }, child) => (parent === state.id ? [this.#node(child)] : []));
    if (children.length === 0) return { id: `state ${index}`, width, height };
    const dot = state.initial ? [{ id: `dot ${index}`, width: DOT_SIZE, height: DOT_SIZE }] : [];
    return {
      id: `state ${index}`,
      children: [...dot, ...children],
      layoutOptions: {
        ...SPACING,
        'elk.padding': `[top=${height + 10},left=18,bottom=18,right=18]`,
        'elk.nodeSize.constraints': 'MINIMUM_SIZE',
        'elk.nodeSize.minimum': `(${width}, ${height + 28})`,
      },
    };
  }

  #edge({ source, target, isInitial, lines }: PlannedArrow, index: number): ElkExtendedEdge {
    const edge = {
      id: `arrow ${index}`,
      sources: [`${isInitial ? 'dot' : 'state'} ${this.#indexOf(source)}`],
      targets: [`state ${this.#indexOf(target)}`],
    };
    if (lines.length === 0) return edge;
    const layoutOptions = { 'elk.edgeLabels.inline': 'true', 'elk.edgeLabels.placement': 'CENTER' };
    return { ...edge, labels: [{ id: `label ${index}`, text: 'label', ...labelSize(lines), layoutOptions }] };
  }

  read(page: ElkNode): ChartLayout {
    const nodes = new Map<string, ElkNode>();
    const collect = (node: ElkNode) => {
      nodes.set(node.id, node);
      node.children?.forEach(collect);
    };
    collect(page);
    const depths = new Map<string, number>();
    const boxes = this.#states.map((state, index): StateBox => {
      const depth = state.parent === null ? 0 : depths.get(state.parent)! + 1;
      depths.set(state.id, depth);
      const isRegion = this.#states.some(({ id, type }) => id === state.parent && type === 'parallel');
      const area = areaOf(nodes.get(`state ${index}`)!);
      return { state, depth, isRegion, isShared: false, content: this.#contents[index]!, headX: 0, headY: 0, ...area };
    });
    const dots = this.#states.flatMap(({ id }, index) => {
      const dot = nodes.get(`dot ${index}`);
      return dot ? [{ state: id, ...areaOf(dot) }] : [];
    });
    const arrows = (page.edges ?? []).map((edge, index) => arrowOf(this.#arrows[index]!, edge));
    return { width: page.width!, height: page.height!, boxes: widenRegions(boxes, arrows), dots, arrows };
  }
}

function areaOf({ x = 0, y = 0, width = 0, height = 0 }: Partial<Area>): Area {
  return { x, y, width, height };
}

function arrowOf(
  { source, target, isInitial, transitions, lines }: PlannedArrow,
  { sections, labels }: ElkExtendedEdge,
): Arrow {
  const [section] = sections ?? [];
  if (!section) throw new Error(`the arrow from ${source} to ${target} was not routed`);
  const [label] = labels ?? [];
  return {
    source,
    target,
    isInitial,
    transitions,
    points: [section.startPoint, ...(section.bendPoints ?? []), section.endPoint],
    label: label && { ...areaOf(label), lines },
  };
}

function labelSize(lines: readonly Line[]): { width: number; height: number } {
  const width = Math.max(...lines.map((line) => textWidth(lineText(line), LINE)));
  return { width: width + 2 * LABEL_PADDING_X, height: lines.length * LINE_HEIGHT + 2 * LABEL_PADDING_Y };
}

/** Transitions from one state to another share an arrow. */
function plannedArrows({ states, transitions }: Chart, actions: boolean): PlannedArrow[] {
  const arrows = new Map<string, { source: string; target: string; transitions: ChartTransition[] }>();
  for (const one of transitions) {
    for (const target of one.targets) {
      const key = JSON.stringify([one.source, target]);
      const arrow = arrows.get(key) ?? { source: one.source, target, transitions: [] };
      arrow.transitions.push(one);
      arrows.set(key, arrow);
    }
  }
  const begins = states.flatMap(({ id, initial }) =>
    (initial?.targets ?? []).map((target) => {
      const line = actions ? actionRuns(initial!.actions) : [];
      return { source: id, target, isInitial: true, transitions: [], lines: line.length > 0 ? [line] : [] };
    }),
  );
  const histories = states.flatMap(({ id, historyTargets }) =>
    historyTargets.map((target) => ({ source: id, target, isInitial: false, transitions: [], lines: [] })),
  );
  const others = [...arrows.values()].map((arrow) => ({
    ...arrow,
    isInitial: false,
    lines: transitionLines(arrow.transitions, actions),
  }));
  return [...begins, ...histories, ...others];
}
