/**
 * A layout made of layouts: each compound state is laid out by itself, and is a box of known size to the state around it.
 *
 * ELK has one direction for all levels that it lays out at once, which makes long ribbons of nested charts. One level at a time, each
 * state may run in the direction that makes the whole fit a screen best; and because levels are small, all of it takes no longer.
 *
 * Arrows that lead across borders are cut there: both levels have a port at the same place, and the pieces are joined in the end.
 */
import type { ElkExtendedEdge, ElkNode, ElkPort, LayoutOptions } from 'elkjs/lib/elk-api.js';
import type { Area, Point } from '../../../src/inspect/drawing/places.js';
import { DOT_X, headSize, linesSize, markSize, round, scaleIn, type Plan } from './layout-plan.js';

export interface LayoutEngine {
  layout(graph: ElkNode): Promise<ElkNode>;
}

/** What is around the chart itself. */
export const PAGE = -1;

export type Direction = 'RIGHT' | 'DOWN';

/** One way to lay out a state and all that is in it. Places are from its upper left corner. */
export interface Block {
  readonly width: number;
  readonly height: number;
  /** `state 3`, `mark 4`, `label 4`. */
  readonly areas: readonly (readonly [string, Area])[];
  /** Where arrows cross its border: `in 4`, to state 4; `out 4`, from it; `own 2`, from the border itself along arrow 2; `up 2`, to it. */
  readonly ports: readonly (readonly [string, Point])[];
  /** Parts of arrows: `2`, of arrow 2 alone; `in 4 of 1`: to state 4 through the border of state 1. */
  readonly pieces: readonly (readonly [string, readonly Point[]])[];
}

const DIRECTIONS: readonly Direction[] = ['RIGHT', 'DOWN'];
/** Above a state that begins another: its dot, and the arrow from there. */
export const DOT_HEIGHT = 17;
const REGION_GAP = 9;
/** Ways to lay out a state that are kept, and combinations of those of its children that are tried. */
const BLOCKS_MAX = 3;
const COMBINATIONS_MAX = 6;

const GRAPH: LayoutOptions = {
  'elk.algorithm': 'layered',
  'elk.hierarchyHandling': 'INCLUDE_CHILDREN',
  'elk.edgeRouting': 'ORTHOGONAL',
  'elk.randomSeed': '1',
  'elk.json.edgeCoords': 'ROOT',
  'elk.json.shapeCoords': 'ROOT',
  'elk.padding': '[top=0,left=0,bottom=0,right=0]',
};

const SPACING: LayoutOptions = {
  'elk.spacing.nodeNode': '16',
  'elk.spacing.edgeNode': '12',
  'elk.spacing.edgeEdge': '9',
  'elk.spacing.edgeLabel': '4',
  'elk.spacing.labelLabel': '4',
  'elk.spacing.labelNode': '4',
  'elk.spacing.nodeSelfLoop': '10',
  'elk.spacing.portPort': '9',
  'elk.spacing.componentComponent': '16',
  'elk.layered.spacing.nodeNodeBetweenLayers': '20',
  'elk.layered.spacing.edgeNodeBetweenLayers': '10',
  'elk.layered.spacing.edgeEdgeBetweenLayers': '8',
  'elk.layered.nodePlacement.strategy': 'BRANDES_KOEPF',
  'elk.layered.cycleBreaking.strategy': 'DEPTH_FIRST',
};

/** An arrow, or a part of one, within one level. Its ends are nodes, or ports of the state around them. */
interface Piece {
  readonly name: string;
  readonly from: string;
  readonly to: string;
  /** Of the arrow whose words are at it. */
  readonly label: number | undefined;
}

type Side = 'WEST' | 'EAST' | 'NORTH' | 'SOUTH';

interface Directions {
  readonly inside: Direction;
  /** Where arrows into the state cross its border, and where those out of it do. */
  readonly entry: Side;
  readonly exit: Side;
}

export class Composition {
  readonly #blocks = new Map<string, Promise<Block[]>>();
  readonly #levels: readonly { readonly pieces: Map<string, Piece>; readonly ports: Map<string, 'in' | 'out'> }[];

  constructor(
    readonly engine: LayoutEngine,
    readonly plan: Plan,
  ) {
    // The page is the last one.
    this.#levels = [...plan.tree.parents, PAGE].map(() => ({ pieces: new Map(), ports: new Map() }));
    plan.arrows.forEach((_, index) => this.#cut(index));
  }

  #level(number: number) {
    return this.#levels.at(number)!;
  }

  /** The child of `outer` that `number` is, or is in. */
  #childTowards(outer: number, number: number): number {
    const path = this.plan.tree.upFrom(number);
    return outer === PAGE ? path.at(-1)! : path[path.indexOf(outer) - 1]!;
  }

  #cut(index: number): void {
    const { tree, arrows, lines } = this.plan;
    const { kind, source, target } = arrows[index]!;
    const label = lines[index]!.length > 0 && kind !== 'gather' ? index : undefined;
    const add = (level: number, piece: Piece) => this.#level(level).pieces.set(piece.name, piece);
    if (kind === 'gather')
      return void add(tree.parents[target]!, { name: `${index}`, from: `mark ${index}`, to: `state ${target}`, label });
    // Drawn at the target, in room of its own: a dot that is a node would take a layer.
    if (kind === 'initial') return;
    if (source === target)
      return void add(tree.parents[source]!, {
        name: `${index}`,
        from: `state ${source}`,
        to: `state ${source}`,
        label,
      });
    if (tree.isInside(target, source)) {
      this.#level(source).ports.set(`own ${index}`, 'in');
      return void add(source, { name: `${index}`, from: `own ${index}`, to: this.#entry(source, target), label });
    }
    if (tree.isInside(source, target)) {
      this.#level(target).ports.set(`up ${index}`, 'out');
      return void add(target, { name: `${index}`, from: this.#exit(target, source), to: `up ${index}`, label });
    }
    const around = tree.around(source, target);
    add(around, { name: `${index}`, from: this.#exit(around, source), to: this.#entry(around, target), label });
  }

  /** Where an arrow to `target` ends within `outer`: at it, or at a port of the child that it is in, which is led on from there. */
  #entry(outer: number, target: number): string {
    const child = this.#childTowards(outer, target);
    if (child === target) return `state ${target}`;
    const port = `in ${target}`;
    this.#level(child).ports.set(port, 'in');
    const name = `${port} of ${child}`;
    this.#level(child).pieces.set(name, { name, from: port, to: this.#entry(child, target), label: undefined });
    return `${child} ${port}`;
  }

  #exit(outer: number, source: number): string {
    const child = this.#childTowards(outer, source);
    if (child === source) return `state ${source}`;
    const port = `out ${source}`;
    this.#level(child).ports.set(port, 'out');
    const name = `${port} of ${child}`;
    this.#level(child).pieces.set(name, { name, from: this.#exit(child, source), to: port, label: undefined });
    return `${child} ${port}`;
  }

  #childrenOf(number: number): number[] {
    const { tree, visible } = this.plan;
    return number === PAGE ? [0] : tree.children[number]!.filter((child) => visible[child] === child);
  }

  /**
   * @param outside the direction of what is around it: arrows come and go along that
   * @returns the best ways, none of them worse than another in both width and height
   */
  blocksOf(number: number, outside: Direction): Promise<Block[]> {
    // What no arrow leads into or out of does not depend on what is around it.
    const key = `${number} ${number !== PAGE && this.#level(number).ports.size > 0 ? outside : ''}`;
    let blocks = this.#blocks.get(key);
    if (!blocks) this.#blocks.set(key, (blocks = this.#findBlocks(number, outside)));
    return blocks;
  }

  async #findBlocks(number: number, outside: Direction): Promise<Block[]> {
    const children = this.#childrenOf(number);
    if (children.length === 0) return [this.#leaf(number)];
    if (this.#areApart(number, children)) {
      const choices = await Promise.all(children.map((child) => this.blocksOf(child, outside)));
      const shapes = combinations(choices).flatMap((blocks) =>
        [1, 2, 3].map((rows) => this.#inRows(number, children, { blocks, rows })),
      );
      return bestOf(shapes);
    }
    const hasEntries = [...this.#level(number).ports.values()].includes('in');
    const entries: readonly Side[] = outside === 'RIGHT' || !hasEntries ? ['WEST'] : ['NORTH', 'WEST'];
    const runs: Promise<Block>[] = [];
    for (const inside of number === PAGE ? (['RIGHT'] as const) : DIRECTIONS) {
      const choices = await Promise.all(children.map((child) => this.blocksOf(child, inside)));
      for (const blocks of combinations(choices)) {
        const inner = new Map(children.map((child, index) => [child, blocks[index]!]));
        for (const entry of entries)
          runs.push(this.#laidOut(number, inner, { inside, entry, exit: outside === 'RIGHT' ? 'EAST' : 'SOUTH' }));
      }
    }
    // ELK fails at some graphs in one direction and not in the other.
    const results = await Promise.allSettled(runs);
    const found = results.flatMap((result) => (result.status === 'fulfilled' ? [result.value] : []));
    const good = found.filter((block) => !this.#isNameCrossed(number, block));
    if (found.length === 0) throw (results.find(({ status }) => status === 'rejected') as PromiseRejectedResult).reason;
    // Nothing else is beside the chart itself.
    const { panel } = this.plan.choice;
    if (number <= 0) return found.sort((a, b) => scaleIn(panel, b) - scaleIn(panel, a)).slice(0, 1);
    return bestOf(good.length > 0 ? good : found);
  }

  /** Regions that no arrow leads into, out of, or between. */
  #areApart(number: number, children: readonly number[]): boolean {
    const { states } = this.plan.tree.chart;
    if (number === PAGE || states[number]!.type !== 'parallel' || this.#level(number).pieces.size > 0) return false;
    return children.every((child) => states[child]!.type !== 'history' && this.#roomAbove(child) === 0);
  }

  /** In the order of the source, and as if they shared their parent's box: rows are equally wide, and regions of a row equally high. */
  #inRows(
    number: number,
    children: readonly number[],
    { blocks, rows: count }: { blocks: readonly Block[]; rows: number },
  ): Block {
    const head = headSize(this.plan, number);
    const perRow = Math.ceil(blocks.length / count);
    const rows = Array.from({ length: Math.ceil(blocks.length / perRow) }, (_, row) =>
      blocks.slice(row * perRow, (row + 1) * perRow),
    );
    const widthOf = (row: readonly Block[]) =>
      row.reduce((sum, { width }) => sum + width, 0) + (row.length - 1) * REGION_GAP;
    const inner = Math.max(head.width - 2 * REGION_GAP, ...rows.map(widthOf));
    const areas: (readonly [string, Area])[] = [];
    const pieces: (readonly [string, readonly Point[]])[] = [];
    let y = head.height + 2;
    rows.forEach((row, index) => {
      const height = Math.max(...row.map((block) => block.height));
      const extra = (inner - widthOf(row)) / row.length;
      let x = REGION_GAP;
      row.forEach((block, column) => {
        // What is in a region stays in its middle.
        const moved = movedBy(block, { x: x + extra / 2, y });
        const name = `state ${children[index * perRow + column]!}`;
        const width = block.width + extra;
        areas.push([name, { x, y, width, height }], ...moved.areas.filter(([other]) => other !== name));
        pieces.push(...moved.pieces);
        x += width + REGION_GAP;
      });
      y += height + REGION_GAP;
    });
    const size = { width: inner + 2 * REGION_GAP, height: y };
    return { ...size, areas: [[`state ${number}`, { x: 0, y: 0, ...size }], ...areas], ports: [], pieces };
  }

  /** Arrows that come from above may run through the words of the state that they lead into. */
  #isNameCrossed(number: number, { width, ports }: Block): boolean {
    if (number === PAGE) return false;
    const { nameWidth, countWidth } = headSize(this.plan, number);
    return ports.some(([, { x, y }]) => y <= 0.5 && x > 2 && (x < nameWidth + 3 || x > width - countWidth - 3));
  }

  #leaf(number: number): Block {
    const size = headSize(this.plan, number);
    return { ...size, areas: [[`state ${number}`, { x: 0, y: 0, ...size }]], ports: [], pieces: [] };
  }

  async #laidOut(number: number, inner: ReadonlyMap<number, Block>, directions: Directions): Promise<Block> {
    const { pieces, ports } = this.#level(number);
    const all = [...pieces.values()];
    const graph = this.#graph(number, inner, directions);
    const page = await this.engine.layout(graph);
    const nodes = new Map<string, ElkNode | ElkPort>();
    const collect = (node: ElkNode) => {
      nodes.set(node.id, node);
      node.ports?.forEach((port) => nodes.set(port.id, port));
      node.children?.forEach(collect);
    };
    collect(page);
    const self = nodes.get('self')!;
    const [left, top] = [self.x ?? 0, self.y ?? 0];
    const placed = (id: string): Area => {
      const { x = 0, y = 0, width = 0, height = 0 } = nodes.get(id)!;
      return { x: x - left, y: y - top, width, height };
    };
    const areas: [string, Area][] = [];
    const size = { width: self.width!, height: self.height! };
    const routed: [string, readonly Point[]][] = [];
    for (const id of nodes.keys()) if (id.startsWith('mark ')) areas.push([id, placed(id)]);
    (page.edges ?? []).forEach(({ sections, labels }, index) => {
      const { name, label } = all[index]!;
      const [section] = sections ?? [];
      if (!section) throw new Error(`the arrow ${name} was not routed`);
      const points = [section.startPoint, ...(section.bendPoints ?? []), section.endPoint];
      const moved = points.map(({ x, y }) => ({ x: x - left, y: y - top }));
      routed.push([name, this.#withoutRoomAbove(moved, all[index]!, placed)]);
      const [words] = labels ?? [];
      if (label !== undefined && words)
        areas.push([
          `label ${label}`,
          { x: words.x! - left, y: words.y! - top, width: words.width!, height: words.height! },
        ]);
    });
    const own = {
      ...size,
      areas,
      ports: [...ports.keys()].map((port) => [port, placed(`port ${port}`)] as const),
      pieces: routed,
    };
    const wide = number === PAGE ? own : widened(own, headSize(this.plan, number).width);
    const moved = [...inner].map(([child, block]) => {
      const { x, y } = placed(`state ${child}`);
      return movedBy(block, { x, y: y + this.#roomAbove(child) });
    });
    return {
      ...wide,
      areas: [
        ...(number === PAGE
          ? []
          : [[`state ${number}`, { x: 0, y: 0, width: wide.width, height: wide.height }] as const]),
        ...wide.areas,
        ...moved.flatMap((block) => block.areas),
      ],
      pieces: [...wide.pieces, ...moved.flatMap((block) => block.pieces)],
    };
  }

  #graph(number: number, inner: ReadonlyMap<number, Block>, { inside, entry, exit }: Directions): ElkNode {
    const { arrows, lines } = this.plan;
    const { pieces, ports } = this.#level(number);
    const all = [...pieces.values()];
    const options = { ...SPACING, 'elk.direction': inside };
    const head = number === PAGE ? { width: 0, height: 0 } : headSize(this.plan, number);
    const side = number === PAGE ? 6 : number === 0 ? 2 : 11;
    const top = number === PAGE ? 6 : head.height + 4;
    const [into, outOf] = inside === 'RIGHT' ? (['WEST', 'EAST'] as const) : (['NORTH', 'SOUTH'] as const);
    const children = [...inner].map(([child, block]): ElkNode => {
      const above = this.#roomAbove(child);
      const [width, height] = [block.width, block.height + above];
      const node = { id: `state ${child}`, width, height };
      const own = block.ports.map(([name, { x, y }]) => ({ name, x, y: y === 0 ? 0 : y + above }));
      const margins = this.#portMargins(child, above);
      if (own.length === 0)
        return {
          ...node,
          layoutOptions: { 'elk.spacing.individual': `elk.spacing.portsSurrounding:${paddingOf(margins)}` },
        };
      // A node with fixed ports has to have one for each arrow.
      for (const [name, side] of [
        ['self in', into],
        ['self out', outOf],
      ] as const)
        own.push({ name, ...freePlace({ width, height }, { side, margins, taken: own }) });
      return {
        ...node,
        ports: own.map(({ name, x, y }) => ({ id: `port ${child} ${name}`, x, y, width: 0, height: 0 })),
        layoutOptions: { 'elk.portConstraints': 'FIXED_POS' },
      };
    });
    for (const { from } of all) {
      const [kind, index] = from.split(' ');
      if (kind === 'mark')
        children.push({
          id: from,
          ...markSize(arrows[Number(index)]!, lines[Number(index)]!),
        });
    }
    const self: ElkNode = {
      id: 'self',
      children,
      ports: [...ports].map(([name, way]) => ({
        id: `port ${name}`,
        width: 0,
        height: 0,
        layoutOptions: { 'elk.port.side': way === 'in' ? entry : exit },
      })),
      layoutOptions: {
        ...options,
        'elk.padding': `[top=${top},left=${side},bottom=${side},right=${side}]`,
        'elk.portConstraints': 'FIXED_SIDE',
        'elk.nodeSize.constraints': 'MINIMUM_SIZE',
        'elk.nodeSize.minimum': `(${head.width}, ${head.height + 20})`,
      },
    };
    const end = (name: string, way: 'in' | 'out') => {
      if (name.startsWith('mark ')) return name;
      if (!name.startsWith('state ')) return `port ${name}`;
      const child = Number(name.slice('state '.length));
      return inner.get(child)!.ports.length > 0 ? `port ${child} self ${way}` : name;
    };
    const edges = all.map(({ from, to, label }, index): ElkExtendedEdge => {
      const edge = { id: `piece ${index}`, sources: [end(from, 'out')], targets: [end(to, 'in')] };
      if (label === undefined) return edge;
      const layoutOptions = { 'elk.edgeLabels.inline': 'true', 'elk.edgeLabels.placement': 'CENTER' };
      return { ...edge, labels: [{ id: `label ${label}`, text: 'label', ...linesSize(lines[label]!), layoutOptions }] };
    });
    return { id: 'graph', layoutOptions: { ...GRAPH, ...options }, children: [self], edges };
  }

  /** A box is lower than its node, where that has room for a dot. */
  #withoutRoomAbove(points: Point[], { from, to }: Piece, placed: (id: string) => Area): Point[] {
    for (const [name, at] of [
      [from, 0],
      [to, points.length - 1],
    ] as const) {
      const child = /^state (\d+)$/.exec(name)?.[1];
      const above = child === undefined ? 0 : this.#roomAbove(Number(child));
      if (above === 0) continue;
      const { x, y } = points[at]!;
      if (Math.abs(placed(`state ${child}`).y - y) < 0.5) points[at] = { x, y: y + above };
    }
    return points;
  }

  #roomAbove(number: number): number {
    return this.plan.arrows.some(({ kind, target }) => kind === 'initial' && target === number) ? DOT_HEIGHT : 0;
  }

  /** Where no arrow may cross the border: beside the name, the number, and the dot. */
  #portMargins(number: number, above: number): Margins {
    const corner = 8;
    const isOuter = this.#childrenOf(number).length > 0;
    const { nameWidth, countWidth, height } = headSize(this.plan, number);
    const left = isOuter ? nameWidth : above > 0 ? DOT_X + corner : corner;
    return { top: above + (isOuter ? height : corner), left, bottom: corner, right: isOuter ? countWidth : corner };
  }

  /** From its beginning to its end. */
  pathNames(index: number): string[] {
    const { tree, arrows } = this.plan;
    const { kind, source, target } = arrows[index]!;
    const ins = (outer: number) =>
      tree
        .upFrom(target)
        .slice(1)
        .filter((at) => tree.isInside(at, outer) || outer === PAGE)
        .reverse()
        .map((at) => `in ${target} of ${at}`);
    const outs = (outer: number) =>
      tree
        .upFrom(source)
        .slice(1)
        .filter((at) => tree.isInside(at, outer) || outer === PAGE)
        .map((at) => `out ${source} of ${at}`);
    if (kind === 'gather' || source === target) return [`${index}`];
    if (tree.isInside(target, source)) return [`${index}`, ...ins(source)];
    if (tree.isInside(source, target)) return [...outs(target), `${index}`];
    const around = tree.around(source, target);
    return [...outs(around), `${index}`, ...ins(around)];
  }
}

/** ELK knows no least width of a state that it lays out downwards: what ends at the right border is led on to where it has to be. */
function widened<T extends Pick<Block, 'width' | 'ports' | 'pieces'>>(block: T, width: number): T {
  if (block.width >= width) return block;
  const isAtBorder = ({ x }: Point) => Math.abs(x - block.width) < 0.5;
  const led = <P extends Point>(point: P): P => (isAtBorder(point) ? { ...point, x: width } : point);
  return {
    ...block,
    width,
    ports: block.ports.map(([name, point]) => [name, led(point)]),
    pieces: block.pieces.map(([name, points]) => [name, points.map(led)]),
  };
}

interface Margins {
  readonly top: number;
  readonly left: number;
  readonly bottom: number;
  readonly right: number;
}

function paddingOf({ top, left, bottom, right }: Margins): string {
  return `[top=${top},left=${left},bottom=${bottom},right=${right}]`;
}

/** On one side of a box, as far from other ports as may be. */
function freePlace(
  { width, height }: { width: number; height: number },
  { side, margins, taken }: { side: Side; margins: Margins; taken: readonly Point[] },
): Point {
  const isVertical = side === 'WEST' || side === 'EAST';
  const placeAt = (at: number): Point =>
    isVertical ? { x: side === 'WEST' ? 0 : width, y: at } : { x: at, y: side === 'NORTH' ? 0 : height };
  const length = isVertical ? height : width;
  const before = isVertical ? margins.top : margins.left;
  const after = isVertical ? margins.bottom : margins.right;
  const [from, to] = before + after < length - 8 ? [before, length - after] : [length * 0.3, length * 0.7];
  const STEPS = 16;
  const places = Array.from({ length: STEPS + 1 }, (_, step) => {
    const place = placeAt(from + ((to - from) * step) / STEPS);
    const near = Math.min(60, ...taken.map(({ x, y }) => Math.abs(x - place.x) + Math.abs(y - place.y)));
    return { place, value: near - Math.abs(step - STEPS / 2) };
  });
  return places.reduce((best, one) => (one.value > best.value ? one : best)).place;
}

function movedBy({ areas, ports, pieces, ...block }: Block, { x, y }: Point): Block {
  const moved = <T extends Point>(place: T): T => ({ ...place, x: place.x + x, y: place.y + y });
  return {
    ...block,
    areas: areas.map(([name, area]) => [name, moved(area)]),
    ports: ports.map(([name, point]) => [name, moved(point)]),
    pieces: pieces.map(([name, points]) => [name, points.map(moved)]),
  };
}

/** Of each list one, in all ways; of many, those where all choose alike. */
function combinations(choices: readonly (readonly Block[])[]): Block[][] {
  const count = choices.reduce((product, { length }) => product * length, 1);
  if (count <= COMBINATIONS_MAX)
    return choices.reduce<Block[][]>((all, blocks) => all.flatMap((some) => blocks.map((one) => [...some, one])), [[]]);
  const most = Math.max(...choices.map(({ length }) => length));
  return Array.from({ length: most }, (_, index) =>
    choices.map((blocks) => blocks[Math.min(index, blocks.length - 1)]!),
  );
}

/** From the widest to the narrowest. */
function bestOf(blocks: readonly Block[]): Block[] {
  const sorted = [...blocks].sort((a, b) => b.width - a.width || b.height - a.height);
  const front = sorted.filter(
    (one) =>
      !sorted.some(
        (other) =>
          other !== one &&
          other.width <= one.width &&
          other.height <= one.height &&
          (other.width < one.width || other.height < one.height || sorted.indexOf(other) < sorted.indexOf(one)),
      ),
  );
  if (front.length <= BLOCKS_MAX) return front;
  const middle = front
    .slice(1, -1)
    .reduce((best, one) => (one.width * one.height < best.width * best.height ? one : best));
  return [front[0]!, middle, front.at(-1)!];
}

/** @returns the arrow's points, without those on a straight line between others */
export function joined(block: Block, names: readonly string[]): Point[] {
  const pieces = new Map(block.pieces);
  const points = names.flatMap((name) => pieces.get(name)!).map(({ x, y }) => ({ x: round(x), y: round(y) }));
  const distinct = points.filter(
    ({ x, y }, index) => index === 0 || x !== points[index - 1]!.x || y !== points[index - 1]!.y,
  );
  return distinct.filter(({ x, y }, index) => {
    const [before, after] = [distinct[index - 1], distinct[index + 1]];
    if (!before || !after) return true;
    return !(
      (before.x === x && after.x === x && (y - before.y) * (after.y - y) > 0) ||
      (before.y === y && after.y === y && (x - before.x) * (after.x - x) > 0)
    );
  });
}
