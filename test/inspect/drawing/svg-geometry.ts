/** Reads a drawing back, as XML: where its boxes, its texts and the ends of its arrows are. Widths of texts are those that they may take. */
import { xml2js, type Element } from 'xml-js';

export interface Area {
  readonly what: string;
  readonly x: number;
  readonly y: number;
  readonly width: number;
  readonly height: number;
}

export interface Arrow {
  readonly what: string;
  /** Its state, or the dot of one. */
  readonly from: Area;
  readonly to: Area;
  /** Its straight parts, between the round corners. */
  readonly segments: readonly Area[];
  readonly begin: readonly [number, number];
  readonly tip: readonly [number, number];
}

export interface Geometry {
  readonly page: Area;
  readonly states: ReadonlyMap<string, Area>;
  readonly texts: readonly (Area & { readonly within: Area })[];
  readonly labels: readonly Area[];
  readonly arrows: readonly Arrow[];
}

/** Of a font size, upwards and downwards from the baseline: more than any usual font's letters take. */
const [ASCENT, DESCENT] = [0.95, 0.25];
const FONT_SIZES: Readonly<Record<string, number>> = { name: 13, line: 11, tag: 10 };

export function geometryOf(svg: string): Geometry {
  const document = xml2js(svg, { captureSpacesBetweenElements: true }) as Element;
  const root = document.elements![0]!;
  const groups = childrenOf(root).filter(({ name }) => name === 'g');
  const ofKind = (kind: string) =>
    groups.filter((group) => String(group.attributes!['class']).split(' ').includes(kind));
  const states = new Map(
    ofKind('state').map((group) => [
      attribute(group, 'data-state'),
      areaOf(rectOf(group), attribute(group, 'data-state')),
    ]),
  );
  const dots = new Map(
    childrenOf(root)
      .filter(({ name }) => name === 'circle')
      .map((dot) => [attribute(dot, 'data-initial-of'), dotArea(dot)]),
  );
  const labels = ofKind('label').map((group) => areaOf(rectOf(group), textOf(group)));
  return {
    page: areaOf(
      childrenOf(root).find(({ attributes }) => attributes?.['class'] === 'page')!,
      'page',
    ),
    states,
    texts: [...ofKind('state'), ...ofKind('label')].flatMap((group) => {
      const within = areaOf(rectOf(group), textOf(group));
      return childrenOf(group)
        .filter(({ name }) => name === 'text')
        .map((text) => ({ ...textArea(text), within }));
    }),
    labels,
    arrows: ofKind('arrow').map((group) => arrowOf(group, { states, dots })),
  };
}

function arrowOf(
  group: Element,
  { states, dots }: { states: ReadonlyMap<string, Area>; dots: ReadonlyMap<string, Area> },
): Arrow {
  const [source, target] = [attribute(group, 'data-source'), attribute(group, 'data-target')];
  const isInitial = attribute(group, 'class').split(' ').includes('initial');
  const [line, head] = childrenOf(group);
  return {
    what: `${source} -> ${target}`,
    from: (isInitial ? dots : states).get(source)!,
    to: states.get(target)!,
    segments: segmentsOf(attribute(line!, 'd')),
    begin: firstPoint(attribute(line!, 'd')),
    tip: firstPoint(attribute(head!, 'd')),
  };
}

/** `M10 20L30 20Q36 20 36 26L36 40`: straight from each point to where the next `L` leads. */
function segmentsOf(data: string): Area[] {
  const points = [...data.matchAll(/([MLQ])(-?[\d.]+) (-?[\d.]+)(?: (-?[\d.]+) (-?[\d.]+))?/g)].map(
    ([, command, x, y, endX, endY]) => ({ command, x: Number(endX ?? x), y: Number(endY ?? y) }),
  );
  return points.flatMap(({ command, x, y }, index) => {
    const before = points[index - 1];
    if (command !== 'L' || !before) return [];
    const [left, top] = [Math.min(x, before.x), Math.min(y, before.y)];
    return [{ what: data, x: left, y: top, width: Math.abs(x - before.x), height: Math.abs(y - before.y) }];
  });
}

function firstPoint(data: string): [number, number] {
  const [, x, y] = /^M(-?[\d.]+) (-?[\d.]+)/.exec(data)!;
  return [Number(x), Number(y)];
}

const childrenOf = ({ elements = [] }: Element) => elements.filter(({ type }) => type === 'element');
const attribute = ({ attributes }: Element, name: string) => String(attributes![name]);
const rectOf = (group: Element) => childrenOf(group).find(({ name }) => name === 'rect')!;

export function textOf(element: Element): string {
  return element.type === 'text' ? String(element.text) : (element.elements ?? []).map(textOf).join('');
}

function areaOf(rect: Element, what: string): Area {
  const number = (name: string) => Number(rect.attributes![name] ?? 0);
  return { what, x: number('x'), y: number('y'), width: number('width'), height: number('height') };
}

function dotArea(dot: Element): Area {
  const [x, y, radius] = ['cx', 'cy', 'r'].map((name) => Number(dot.attributes![name])) as [number, number, number];
  return { what: 'dot', x: x - radius, y: y - radius, width: 2 * radius, height: 2 * radius };
}

function textArea(text: Element): Area {
  const kind = attribute(text, 'class');
  const size = FONT_SIZES[kind]!;
  const width = Number(attribute(text, 'data-width'));
  // A tag's width is its mark's, in whose middle it stands.
  const x = Number(attribute(text, 'x')) - (kind === 'tag' ? width / 2 : 0);
  return {
    what: textOf(text),
    x,
    y: Number(attribute(text, 'y')) - ASCENT * size,
    width,
    height: (ASCENT + DESCENT) * size,
  };
}

/** By more than rounding to two decimals can make. */
const SLACK = 0.02;

export function overlap(a: Area, b: Area): boolean {
  return (
    a.x + SLACK < b.x + b.width &&
    b.x + SLACK < a.x + a.width &&
    a.y + SLACK < b.y + b.height &&
    b.y + SLACK < a.y + a.height
  );
}

export function contains(outer: Area, inner: Area): boolean {
  return (
    inner.x >= outer.x - SLACK &&
    inner.y >= outer.y - SLACK &&
    inner.x + inner.width <= outer.x + outer.width + SLACK &&
    inner.y + inner.height <= outer.y + outer.height + SLACK
  );
}

/** Is a point on the border of an area? */
export function isOnBorder([x, y]: readonly [number, number], area: Area): boolean {
  const near = (a: number, b: number) => Math.abs(a - b) <= SLACK;
  const inX = x >= area.x - SLACK && x <= area.x + area.width + SLACK;
  const inY = y >= area.y - SLACK && y <= area.y + area.height + SLACK;
  return (
    (inY && (near(x, area.x) || near(x, area.x + area.width))) ||
    (inX && (near(y, area.y) || near(y, area.y + area.height)))
  );
}

/** Pairs that overlap, each as a sentence. */
export function overlaps(areas: readonly Area[]): string[] {
  return areas.flatMap((a, index) =>
    areas.slice(index + 1).flatMap((b) => (overlap(a, b) ? [`${a.what} and ${b.what}`] : [])),
  );
}
