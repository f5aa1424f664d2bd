/**
 * A chart as a Mermaid `stateDiagram-v2`, for pages that draw such blocks themselves.
 *
 * Mermaid has no history states and no transitions that stay inside, and its layout breaks when an arrow leads from a state to one
 * inside of it. So a history is a state named `H`, and what stays or leads inside is a note at its state.
 */
import type { Chart, ChartState, ChartTransition } from './chart.js';
import { actionRuns, lineText, oneLine, stateLines, transitionLines, type Line } from './labels.js';
import { uniqueNames } from './unique-names.js';

export interface MermaidOptions {
  readonly actions: boolean;
}

export function writeMermaid(chart: Chart, options: MermaidOptions): string {
  const writer = new MermaidWriter(chart, options);
  return writer.write();
}

class MermaidWriter {
  readonly #names: ReadonlyMap<string, string>;
  readonly #states: ReadonlyMap<string, ChartState>;

  constructor(
    readonly chart: Chart,
    readonly options: MermaidOptions,
  ) {
    // A prefix, because `end`, `state`, `note` and others are words of Mermaid's.
    const paths = new Map(chart.states.map(({ id, path }) => [id, path === '' ? 'chart' : path]));
    this.#names = uniqueNames([...paths.keys()], (id) => `s_${paths.get(id)!.replace(/[^A-Za-z0-9]+/g, '_')}`);
    this.#states = new Map(chart.states.map((state) => [state.id, state]));
  }

  write(): string {
    const root = this.chart.states[0]!;
    // The box around everything is left out where it says nothing.
    const isPlain = root.type === 'compound' && this.#note(root, '').length === 0 && root.initial!.actions.length === 0;
    return [
      'stateDiagram-v2',
      '  direction LR',
      ...(isPlain ? this.#inner(root, '  ') : this.#state(root, '  ')),
      ...this.#arrows('  '),
      ...this.chart.states.flatMap((state) => this.#note(state, '  ')),
      '',
    ].join('\n');
  }

  #name(id: string): string {
    return this.#names.get(id)!;
  }

  #state(state: ChartState, indent: string): string[] {
    const title = state.type === 'history' ? (state.history === 'deep' ? 'H*' : 'H') : state.key;
    const head = `${indent}state "${words(title)}" as ${this.#name(state.id)}`;
    if (!this.chart.states.some(({ parent }) => parent === state.id)) return [head];
    return [`${head} {`, `${indent}  direction LR`, ...this.#inner(state, `${indent}  `), `${indent}}`];
  }

  #inner(state: ChartState, indent: string): string[] {
    const children = this.chart.states.filter(({ parent }) => parent === state.id);
    const begins = (state.initial?.targets ?? []).filter((target) => this.#states.get(target)?.parent === state.id);
    const label = this.options.actions ? lineText(actionRuns(state.initial?.actions ?? [])) : '';
    return [
      ...begins.map((target) => `${indent}[*] --> ${this.#name(target)}${label === '' ? '' : ` : ${words(label)}`}`),
      ...children.flatMap((child, index) => [
        ...(state.type === 'parallel' && index > 0 ? [`${indent}--`] : []),
        ...this.#state(child, indent),
        ...(child.type === 'final' ? [`${indent}${this.#name(child.id)} --> [*]`] : []),
      ]),
    ];
  }

  #arrows(indent: string): string[] {
    const arrows = new Map<string, ChartTransition[]>();
    for (const one of this.chart.transitions) {
      for (const target of one.targets) {
        if (this.#isInside(target, one.source)) continue;
        const arrow = `${this.#name(one.source)} --> ${this.#name(target)}`;
        arrows.set(arrow, [...(arrows.get(arrow) ?? []), one]);
      }
    }
    const histories = this.chart.states.flatMap(({ id, historyTargets }) =>
      historyTargets.map((target) => `${indent}${this.#name(id)} --> ${this.#name(target)}`),
    );
    return [
      ...histories,
      ...[...arrows].map(
        ([arrow, transitions]) => `${indent}${arrow} : ${this.#lines(transitions).map(words).join('<br/>')}`,
      ),
    ];
  }

  #lines(transitions: readonly ChartTransition[]): string[] {
    return transitionLines(transitions, this.options.actions).map(lineText);
  }

  /** Also of a transition to the state itself, when it is one with others inside: no arrow of Mermaid's leads there and back. */
  #isInside(id: string, outer: string): boolean {
    if (id === outer) return this.chart.states.some(({ parent }) => parent === outer);
    for (let state = this.#states.get(id); state; state = this.#states.get(state.parent ?? ''))
      if (state.parent === outer) return true;
    return false;
  }

  #note(state: ChartState, indent: string): string[] {
    const own = this.chart.transitions.filter(({ source }) => source === state.id);
    const stays = this.#lines(own.filter(({ targets }) => targets.length === 0));
    const inside = own
      .filter(({ targets }) => targets.some((target) => this.#isInside(target, state.id)))
      .map((one) => {
        const targets = one.targets.map((target) => this.#states.get(target)!.path || this.chart.id);
        return `${this.#lines([one]).join('')} → ${targets.join(', ')}`;
      });
    const tags: Line[] = state.tags.length > 0 ? [[{ kind: 'plain', text: `tags ${state.tags.join(', ')}` }]] : [];
    const lines = [...[...tags, ...stateLines(state, this.options.actions)].map(lineText), ...inside, ...stays];
    if (lines.length === 0) return [];
    return [
      `${indent}note right of ${this.#name(state.id)}`,
      ...lines.map((line) => `${indent}  ${noteWords(line)}`),
      `${indent}end note`,
    ];
  }
}

/** What Mermaid would take for its own syntax is written as one of its entities: `#59;`. */
function words(text: string): string {
  return oneLine(text).replace(/[#;"<>{}\\%`~:]|--/g, (found) =>
    [...found].map((character) => `#${character.codePointAt(0)};`).join(''),
  );
}

/** In a note Mermaid shows entities as they are, so what it would take for its own syntax is written as what looks like it. */
function noteWords(text: string): string {
  const looks: Readonly<Record<string, string>> = { '<': '‹', '>': '›', '#': '＃', '%%': '% %' };
  return oneLine(text)
    .replace(/[<>#]|%%/g, (found) => looks[found]!)
    .replace(/^end note/i, 'end\u00a0note');
}
