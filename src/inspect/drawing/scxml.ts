/**
 * A chart as SCXML, the W3C's notation for statecharts, that an interpreter of it can run.
 *
 * - Guards and delays are code, which no SCXML can hold. Each becomes an item of the data model with a value to put there: `true`
 *   for a guard, `'1s'` for a delay. So `cond` and `delayexpr` are expressions that work, and whoever runs the file sets them.
 * - Actions are code too. Each becomes a `log` with the action's name; what the chart raises is therefore in the log alone.
 * - `after` is what it is in XState: a `send` on entry with a `cancel` on exit, and a transition for that event.
 * - An event in SCXML also stands for all that begin with it and a dot (`READ` for `READ.more`); in XState it does not.
 */
import { guardText, type ChartGuard } from '../chart-names.js';
import { actionText, type Chart, type ChartAction, type ChartState, type ChartTransition } from './chart.js';
import { uniqueNames } from './unique-names.js';

export function writeScxml(chart: Chart): string {
  return new ScxmlWriter(chart).write();
}

type Attributes = Readonly<Record<string, string | undefined>>;

class ScxmlWriter {
  readonly #ids: ReadonlyMap<string, string>;
  readonly #states: ReadonlyMap<string, ChartState>;
  /** Identifiers of the data model, by the text of what they stand for. */
  readonly #guards: ReadonlyMap<string, string>;
  readonly #delays: ReadonlyMap<string, string>;

  constructor(readonly chart: Chart) {
    // An xsd:ID begins with a letter or `_`; dots, which XState's ids have, are allowed.
    this.#ids = uniqueNames(
      chart.states.map(({ id }) => id),
      (id) => id.replace(/[^\w.-]+/g, '_').replace(/^(?![A-Za-z_])/, '_'),
    );
    this.#states = new Map(chart.states.map((state) => [state.id, state]));
    const guards = [...new Set(chart.transitions.flatMap(({ guard }) => (guard ? textsOf(guard) : [])))];
    const delays = [...new Set(chart.transitions.flatMap(({ delay }) => (typeof delay === 'string' ? [delay] : [])))];
    const names = uniqueNames(
      [...guards.map((text) => `guard ${text}`), ...delays.map((name) => `delay ${name}`)],
      (id) => identifier(id.slice('guard '.length)),
    );
    this.#guards = new Map(guards.map((text) => [text, names.get(`guard ${text}`)!]));
    this.#delays = new Map(delays.map((name) => [name, names.get(`delay ${name}`)!]));
  }

  write(): string {
    const [root] = this.chart.states;
    const data = [
      ...[...this.#guards].map(([text, id]) => ({ id, text, value: 'true' })),
      ...[...this.#delays].map(([text, id]) => ({ id, text, value: "'1s'" })),
    ];
    return [
      '<?xml version="1.0" encoding="UTF-8"?>',
      `<scxml${attributes({ xmlns: 'http://www.w3.org/2005/07/scxml', version: '1.0', name: this.chart.id, datamodel: 'ecmascript', initial: this.#ids.get(root!.id) })}>`,
      ...(data.length > 0
        ? [
            '  <datamodel>',
            ...data.flatMap(({ id, text, value }) => [
              ...(id === text ? [] : [comment(text, '    ')]),
              `    <data${attributes({ id, expr: value })}/>`,
            ]),
            '  </datamodel>',
          ]
        : []),
      ...this.#state(root!, '  '),
      '</scxml>',
      '',
    ].join('\n');
  }

  #state(state: ChartState, indent: string): string[] {
    const id = this.#ids.get(state.id)!;
    const inner = `${indent}  `;
    const about = state.description === null ? [] : [comment(state.description, indent)];
    if (state.type === 'history') {
      const targets =
        state.historyTargets.length > 0 ? state.historyTargets : this.#states.get(state.parent!)!.initial?.targets;
      const transition = `${inner}<transition${attributes({ target: this.#targets(targets ?? []) })}/>`;
      return [
        ...about,
        `${indent}<history${attributes({ id, type: state.history ?? undefined })}>`,
        transition,
        `${indent}</history>`,
      ];
    }
    const own = this.chart.transitions.filter(({ source }) => source === state.id);
    const element = state.type === 'parallel' ? 'parallel' : state.type === 'final' ? 'final' : 'state';
    const hasActions = (state.initial?.actions.length ?? 0) > 0;
    const initial = state.initial && !hasActions ? this.#targets(state.initial.targets) : undefined;
    const content = [
      ...(state.tags.length > 0 ? [comment(`tags: ${state.tags.join(', ')}`, inner)] : []),
      ...(state.initial && hasActions ? this.#initial(state.initial, inner) : []),
      ...block('onentry', [...state.entry.map((action) => logged(action)), ...this.#sends(own)], inner),
      ...block('onexit', [...state.exit.map((action) => logged(action)), ...this.#cancels(own)], inner),
      ...state.invokes.map(
        ({ id: invoke, source }) => `${inner}<invoke${attributes({ type: 'xstate', id: invoke, src: source })}/>`,
      ),
      ...(state.type === 'final' ? [] : own.flatMap((one) => this.#transition(one, inner))),
      ...this.chart.states.filter(({ parent }) => parent === state.id).flatMap((child) => this.#state(child, inner)),
    ];
    const head = `${indent}<${element}${attributes({ id, initial })}`;
    return content.length === 0
      ? [...about, `${head}/>`]
      : [...about, `${head}>`, ...content, `${indent}</${element}>`];
  }

  #initial({ targets, actions }: NonNullable<ChartState['initial']>, indent: string): string[] {
    return block(
      'initial',
      block(`transition${attributes({ target: this.#targets(targets) })}`, actions.map(logged), ''),
      indent,
    );
  }

  #transition(one: ChartTransition, indent: string): string[] {
    const { source, targets, guard, actions, reenter } = one;
    const state = this.#states.get(source)!;
    // To itself without being left: nothing is entered, as without a target.
    const staysHere = !reenter && targets.length === 1 && targets[0] === source && state.type === 'atomic';
    const isInternal =
      !reenter && !staysHere && targets.length > 0 && targets.every((target) => this.#isWithin(target, source));
    const parts = {
      event: one.kind === 'always' ? undefined : this.#event(one),
      cond: guard ? this.#expression(guard) : undefined,
      target: targets.length > 0 && !staysHere ? this.#targets(targets) : undefined,
      type: isInternal ? 'internal' : undefined,
    };
    const about = one.description === null ? [] : [comment(one.description, indent)];
    return [...about, ...block(`transition${attributes(parts)}`, actions.map(logged), indent, true)];
  }

  #isWithin(id: string, outer: string): boolean {
    for (let state = this.#states.get(id); state; state = this.#states.get(state.parent ?? ''))
      if (state.id === outer) return true;
    return false;
  }

  #event({ kind, event, source, delay }: ChartTransition): string {
    if (kind === 'after') return afterEvent(delay!, this.#ids.get(source)!);
    if (kind === 'event') return event.replace(/\s+/g, '_');
    const [, , of = '', id = ''] = /^xstate\.(done|error|snapshot)\.(?:(state|actor)\.)?(.*)$/s.exec(event) ?? [];
    const name = this.#ids.get(id) ?? id.replace(/\s+/g, '_');
    if (kind === 'done') return of === 'state' ? `done.state.${name}` : `done.invoke.${name}`;
    return kind === 'error' ? `error.platform.${name}` : `snapshot.${name}`;
  }

  #sends(own: readonly ChartTransition[]): string[] {
    return this.#timers(own).map(({ event, delay }) => {
      const time = typeof delay === 'number' ? { delay: `${delay}ms` } : { delayexpr: this.#delays.get(delay) };
      return `<send${attributes({ id: event, event, ...time })}/>`;
    });
  }

  #cancels(own: readonly ChartTransition[]): string[] {
    return this.#timers(own).map(({ event }) => `<cancel${attributes({ sendid: event })}/>`);
  }

  /** Several transitions may wait for the same. */
  #timers(own: readonly ChartTransition[]): { event: string; delay: number | string }[] {
    const delays = [...new Set(own.flatMap(({ delay }) => (delay === null ? [] : [delay])))];
    return delays.map((delay) => ({ event: afterEvent(delay, this.#ids.get(own[0]!.source)!), delay }));
  }

  #targets(ids: readonly string[]): string {
    return ids.map((id) => this.#ids.get(id)!).join(' ');
  }

  #expression(guard: ChartGuard): string {
    switch (guard.type) {
      case 'and':
      case 'or':
        return `(${guard.guards.map((one) => this.#expression(one)).join(guard.type === 'and' ? ' && ' : ' || ')})`;
      case 'not':
        return `!${this.#expression(guard.guard)}`;
      case 'in':
        return `(${this.#statesOf(guard.state)
          .map((id) => `In('${id}')`)
          .join(' && ')})`;
      case 'named':
      case 'code':
        return this.#guards.get(guardText(guard))!;
    }
  }

  /** By path, or by id with a `#` in front. */
  #statesOf(text: string): string[] {
    return text.split(' and ').map((one) => {
      const state = this.chart.states.find(({ id, path }) =>
        one.startsWith('#') ? id === one.slice(1) : path === one,
      );
      return state ? this.#ids.get(state.id)! : one.replace(/[^\w.-]+/g, '_');
    });
  }
}

function afterEvent(delay: number | string, state: string): string {
  return `after.${typeof delay === 'number' ? `${delay}ms` : delay.replace(/[^\w-]+/g, '_')}.${state}`;
}

function textsOf(guard: ChartGuard): string[] {
  if (guard.type === 'and' || guard.type === 'or') return guard.guards.flatMap(textsOf);
  if (guard.type === 'not') return textsOf(guard.guard);
  return guard.type === 'in' ? [] : [guardText(guard)];
}

/** A name that ECMAScript takes: `says "boo who?"` is `says_boo_who`. */
function identifier(text: string): string {
  const name = text.replace(/[^\w$]+/g, '_').replace(/_+$/, '');
  return /^[A-Za-z_$]/.test(name) && !RESERVED.has(name) ? name : `_${name}`;
}

/** Words that are none, and names that SCXML itself gives a meaning. */
const RESERVED = new Set(
  (
    'break case catch class const continue debugger default delete do else enum export extends false finally for function if implements import in ' +
    'instanceof interface let new null package private protected public return static super switch this throw true try typeof var void while with ' +
    'yield await In _event _sessionid _name _ioprocessors _x'
  ).split(' '),
);

function logged(action: ChartAction): string {
  return `<log${attributes({ label: 'action', expr: quoted(actionText(action)) })}/>`;
}

/** As ECMAScript writes it, in single quotes: an attribute's own are double. */
function quoted(text: string): string {
  return `'${text.replace(/[\\']/g, '\\$&').replace(/[\r\n\u2028\u2029]/g, ' ')}'`;
}

/** An element with others in it; without any it is left out, or `keep`s its place. */
function block(head: string, content: readonly string[], indent: string, keep = false): string[] {
  if (content.length === 0) return keep ? [`${indent}<${head}/>`] : [];
  const [name] = head.split(' ');
  return [`${indent}<${head}>`, ...content.map((line) => `${indent}  ${line}`), `${indent}</${name}>`];
}

function attributes(values: Attributes): string {
  return Object.entries(values)
    .flatMap(([name, value]) => (value === undefined ? [] : [` ${name}="${escaped(value)}"`]))
    .join('');
}

function comment(text: string, indent: string): string {
  return `${indent}<!-- ${xmlText(text).replace(/\s+/g, ' ').replace(/--+/g, '- -').replace(/-$/, '- ')} -->`;
}

function escaped(value: string): string {
  return xmlText(value)
    .replace(/&/g, '&amp;')
    .replace(/</g, '&lt;')
    .replace(/>/g, '&gt;')
    .replace(/"/g, '&quot;')
    .replace(/\n/g, '&#10;')
    .replace(/\t/g, '&#9;')
    .replace(/\r/g, '&#13;');
}

/** Without the characters that XML 1.0 has no way to write. */
function xmlText(value: string): string {
  return value.replace(
    /[\u0000-\u0008\u000b\u000c\u000e-\u001f\ufffe\uffff]|[\ud800-\udbff](?![\udc00-\udfff])|(?<![\ud800-\udbff])[\udc00-\udfff]/g,
    '\ufffd',
  );
}
