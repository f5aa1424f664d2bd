/** The architecture as a test: who may import what, where actors are made, and what may not be said. */
import { readdirSync, readFileSync } from 'node:fs';
import { dirname, relative, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';

const ROOT = fileURLToPath(new URL('..', import.meta.url));

interface Rule {
  /** Folders and files of ours that may be imported besides the own folder. */
  readonly ours: readonly string[];
  /** Of those, the ones whose types alone may be imported. */
  readonly typesOnly?: readonly string[];
  readonly packages: readonly string[];
  /** Packages whose types alone may be imported. */
  readonly packageTypes?: readonly string[];
}

/** What the test kit is for, and may import: all but the command. */
const TESTED = [
  'machines', 'src/time', 'src/codec', 'src/socket', 'src/engine', 'src/session', 'src/inspect', 'src/explore', 'src/server.ts',
  'src/client.ts',
]; // prettier-ignore

/** The longest path that a file's path starts with is its rule. */
const MAY_IMPORT: Record<string, Rule> = {
  machines: { ours: [], packages: ['xstate'] },
  'src/time': { ours: [], packages: ['rxjs'], packageTypes: ['xstate'] },
  'src/codec': { ours: [], packages: [] },
  'src/socket': { ours: ['machines', 'src/time'], typesOnly: ['machines'], packages: ['rxjs'] },
  'src/socket/net': {
    ours: ['machines', 'src/time', 'src/socket'],
    typesOnly: ['machines'],
    packages: ['rxjs', 'node:', 'koffi'],
  },
  'src/socket/simulated': {
    ours: ['machines', 'src/time', 'src/socket'],
    typesOnly: ['machines'],
    packages: ['rxjs'],
  },
  'src/engine': { ours: ['src/time'], packages: ['xstate'], packageTypes: ['rxjs'] },
  'src/session': {
    ours: ['machines', 'src/time', 'src/codec', 'src/socket', 'src/engine'],
    packages: ['rxjs', 'xstate'],
  },
  'src/inspect': {
    ours: ['machines', 'src/time', 'src/engine', 'src/session', 'src/socket'],
    typesOnly: ['src/session', 'src/socket'],
    packages: ['rxjs', 'node:'],
    packageTypes: ['xstate'],
  },
  'src/inspect/outlets/stately-outlet.ts': {
    ours: ['src/inspect'],
    packages: ['@statelyai/inspect'],
    packageTypes: ['xstate'],
  },
  'src/inspect/visualizer': {
    ours: ['src/inspect', 'src/time', 'src/socket', 'src/server.ts', 'src/client.ts'],
    typesOnly: ['src/server.ts', 'src/client.ts'],
    packages: ['rxjs', 'node:', 'ws'],
  },
  'src/inspect/drawing': { ours: ['src/inspect'], packages: ['elkjs'], packageTypes: ['xstate'] },
  'src/server.ts': { ours: ['machines', 'src'], packages: ['rxjs', 'node:'], packageTypes: ['xstate'] },
  'src/client.ts': { ours: ['machines', 'src'], packages: ['rxjs', 'node:'], packageTypes: ['xstate'] },
  'src/explore': { ours: ['machines', 'src'], packages: ['rxjs', 'xstate', 'node:'] },
  'src/testing': { ours: TESTED, packages: ['rxjs', 'xstate', 'node:crypto'] },
  'src/testing/fast-check': { ours: [...TESTED, 'src/testing'], packages: ['fast-check'] },
  'src/testing/vitest': { ours: [...TESTED, 'src/testing'], packages: ['rxjs', 'xstate', 'vitest'] },
  'src/cli': { ours: ['machines', 'src'], packages: ['rxjs', 'node:', 'commander', 'tsx'], packageTypes: ['xstate'] },
  'src/index.ts': { ours: ['machines', 'src'], packages: [] },
  examples: { ours: [], packages: ['wirechart', 'xstate', 'rxjs', 'node:'] },
  'visualizer/src': {
    ours: ['machines', 'src/inspect'],
    packages: ['react', 'react-dom', 'elkjs', 'uplot', '@tanstack/react-virtual'],
  },
};

interface Import {
  readonly from: string;
  readonly typeOnly: boolean;
  readonly names: string;
}

const sources = ['machines', 'src', 'examples', 'visualizer/src'].flatMap((folder) =>
  readdirSync(`${ROOT}${folder}`, { recursive: true, encoding: 'utf8' })
    .filter((file) => /\.tsx?$/.test(file))
    .map((file) => ({ path: `${folder}/${file}`, text: readFileSync(`${ROOT}${folder}/${file}`, 'utf8') })),
);

function importsOf(text: string): Import[] {
  const found = text.matchAll(/^(?:import|export)\s+(type\s+)?([\w*{][^;]*?)\s+from\s+'([^']+)'/gms);
  const dynamic = text.matchAll(/\bimport\(\s*'([^']+)'\s*\)/g);
  return [
    ...[...found].map(([, type, names, from]) => ({
      from: from!,
      names: names!,
      typeOnly: type !== undefined || hasOnlyTypes(names!),
    })),
    ...[...dynamic].map(([, from]) => ({ from: from!, names: '', typeOnly: false })),
  ];
}

const hasOnlyTypes = (names: string) =>
  /^\{.*\}$/s.test(names) &&
  names
    .slice(1, -1)
    .split(',')
    .every((name) => name.trim() === '' || name.trim().startsWith('type '));

function ruleOf(path: string): [string, Rule] {
  const match = Object.entries(MAY_IMPORT)
    .filter(([place]) => path === place || path.startsWith(`${place}/`))
    .sort(([a], [b]) => b.length - a.length)[0];
  if (!match) throw new Error(`no rule for ${path}: add its folder to MAY_IMPORT`);
  return match;
}

/** What a relative import of `path` names: in the sources it ends in `.js`. */
function sourceOf(path: string, from: string): string {
  const target = relative(ROOT, resolve(ROOT, dirname(path), from)).replace(/\?.*$/, '');
  const stem = target.replace(/\.js$/, '');
  return sources.some((source) => source.path === `${stem}.tsx`) ? `${stem}.tsx` : target.replace(/\.js$/, '.ts');
}

const isUnder = (path: string, places: readonly string[]) =>
  places.some((place) => path === place || path.startsWith(`${place}/`));

function violations(path: string, text: string): string[] {
  const [place, rule] = ruleOf(path);
  return importsOf(text).flatMap(({ from, typeOnly }) => {
    if (from.startsWith('.')) {
      const target = sourceOf(path, from);
      if (isUnder(target, [place])) return [];
      if (!isUnder(target, rule.ours)) return [`${from} is not for ${place}`];
      if (isUnder(target, rule.typesOnly ?? []) && !typeOnly) return [`of ${from} only types are for ${place}`];
      return [];
    }
    const matches = (name: string) => from === name || from.startsWith(name.endsWith(':') ? name : `${name}/`);
    if (rule.packages.some(matches)) return [];
    if (typeOnly && rule.packageTypes?.some(matches)) return [];
    return [`${from} is not for ${place}`];
  });
}

/** Whom the test kit is for besides users: nothing else of `src` may need it. */
const MAY_IMPORT_TESTING = ['src/testing', 'src/cli'];

describe.each(sources)('$path', ({ path, text }) => {
  test('imports only what its folder may', () => {
    expect(violations(path, text)).toEqual([]);
  });

  test('does without the test kit, unless it is that or the command', () => {
    if (isUnder(path, MAY_IMPORT_TESTING) || !path.startsWith('src/')) return;
    const targets = importsOf(text).map(({ from }) => relative(ROOT, resolve(ROOT, dirname(path), from)));
    expect(targets.filter((target) => target.startsWith('src/testing/'))).toEqual([]);
  });

  test('makes no actor unless it is the engine', () => {
    if (path.startsWith('src/engine/')) return;
    expect(importsOf(text).filter(({ from, names }) => from === 'xstate' && /\bcreateActor\b/.test(names))).toEqual([]);
  });

  test('is named in kebab-case, for what it is, and writes its exports out', () => {
    expect(path).toMatch(/^[a-z0-9-]+(\/[a-z0-9-]+)*\.tsx?$/);
    expect(path).not.toMatch(/\b(types|utils|helpers|common)\.ts$/);
    expect(text).not.toMatch(/^export \*/m);
  });

  test('does not write to the console', () => {
    expect(text).not.toMatch(/\bconsole\.\w+\(/);
  });
});

test('no import of ours goes round in a circle, not even of types', () => {
  const graph = new Map(
    sources.map(({ path, text }) => [
      path,
      importsOf(text).flatMap(({ from }) => (from.startsWith('.') ? [sourceOf(path, from)] : [])),
    ]),
  );
  const done = new Set<string>();
  const visit = (path: string, trail: readonly string[]): string[] => {
    if (trail.includes(path)) return [...trail.slice(trail.indexOf(path)), path];
    if (done.has(path)) return [];
    for (const next of graph.get(path) ?? []) {
      const circle = visit(next, [...trail, path]);
      if (circle.length > 0) return circle;
    }
    done.add(path);
    return [];
  };
  expect([...graph.keys()].map((path) => visit(path, [])).filter((circle) => circle.length > 0)).toEqual([]);
});

test('a rule of this file finds a violation that is put in its way', () => {
  expect(violations('src/codec/x.ts', `import { readFileSync } from 'node:fs';`)).toHaveLength(1);
  expect(violations('src/socket/x.ts', `import { sessionMachine } from '../../machines/session.js';`)).toHaveLength(1);
  expect(violations('src/socket/x.ts', `import type { SocketEvent } from '../../machines/events.js';`)).toEqual([]);
  expect(violations('machines/x.ts', `import { Subject } from 'rxjs';`)).toHaveLength(1);
});
