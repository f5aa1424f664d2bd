/**
 * `docs/faults.md` says which test is which case. It names all 70, each test that it names exists, and no test of a case is left out: so
 * the page cannot promise more, or less, than the tests show.
 */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import ts from 'typescript';
import { describe, expect, test } from 'vitest';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const CASES = 'test/simulation/cases';
const COUNT = 70;

/** Cases that are played in virtual time, on real sockets, or both. */
const ON_REAL_SOCKETS_ALONE = [5, 7, 8, 10, 17, 18, 19, 20, 22, 34, 35, 36, 45, 61, 62, 66, 68, 70];
const ON_BOTH = [1, 3, 4, 6, 9, 11, 12, 14, 15, 21, 23, 33, 38, 39, 40, 41, 42, 43, 44, 46, 47, 52, 60, 67];
const numbers = Array.from({ length: COUNT }, (_, n) => n + 1);
const IN_VIRTUAL_TIME = numbers.filter((number) => !ON_REAL_SOCKETS_ALONE.includes(number));
const ON_REAL_SOCKETS = [...ON_REAL_SOCKETS_ALONE, ...ON_BOTH].sort((a, b) => a - b);

const page = readFileSync(`${ROOT}docs/faults.md`, 'utf8');

interface Row {
  readonly number: number;
  readonly title: string;
  /** `yes`, `-` for where it does not belong, or `not yet` with a reason. */
  readonly simulated: string;
  readonly real: string;
}

const rows: readonly Row[] = [...page.matchAll(/^\| +(\d+) +\|(.+)\|(.+)\|(.+)\|$/gm)].map(
  ([, number, title = '', simulated = '', real = '']) => ({
    number: Number(number),
    title: title.trim(),
    simulated: simulated.trim(),
    real: real.trim(),
  }),
);

interface Named {
  readonly number: number;
  readonly file: string;
  readonly title: string;
}

/** `- 12: [file](../test/file): “title”, “title”; [file](...): “title”`, in as many lines as it takes. */
const named: readonly Named[] = [...page.matchAll(/^- (\d+): (.+(?:\n {2}.+)*)/gm)].flatMap(([, number, text = '']) =>
  [...text.replace(/\s+/g, ' ').matchAll(/\]\(\.\.\/([^)]+)\): (“[^”]+”(?:, “[^”]+”)*)/g)].flatMap(
    ([, file = '', titles = '']) =>
      [...titles.matchAll(/“([^”]+)”/g)].map(([, title = '']) => ({ number: Number(number), file, title })),
  ),
);

const titlesByFile = new Map<string, readonly string[]>();

/** Titles of tests and of groups of them, and the names in the tables that tests are made from, as they are written. */
function titlesOf(file: string): readonly string[] {
  let titles = titlesByFile.get(file);
  if (titles === undefined) titlesByFile.set(file, (titles = readTitles(file)));
  return titles;
}

function readTitles(file: string): string[] {
  if (!existsSync(`${ROOT}${file}`)) return [];
  const source = ts.createSourceFile(file, readFileSync(`${ROOT}${file}`, 'utf8'), ts.ScriptTarget.Latest);
  const titles: string[] = [];
  const visit = (node: ts.Node): void => {
    if (ts.isCallExpression(node) && /^(test|describe)\b/.test(node.expression.getText(source))) {
      const [title] = node.arguments;
      if (title && (ts.isStringLiteralLike(title) || ts.isTemplateExpression(title)))
        titles.push(textOf(title, source));
    }
    if (
      ts.isPropertyAssignment(node) &&
      node.name.getText(source) === 'name' &&
      ts.isStringLiteralLike(node.initializer)
    ) {
      titles.push(node.initializer.text);
    }
    ts.forEachChild(node, visit);
  };
  visit(source);
  return titles;
}

function textOf(title: ts.StringLiteralLike | ts.TemplateExpression, source: ts.SourceFile): string {
  return ts.isStringLiteralLike(title) ? title.text : title.getText(source).slice(1, -1);
}

const caseFiles = readdirSync(`${ROOT}${CASES}`)
  .filter((file) => file.endsWith('.test.ts'))
  .map((file) => `${CASES}/${file}`);

/** `case 12: ...`, `case 12, real: ...`: the numbers that a title claims. */
const claimedBy = (title: string) =>
  [...title.matchAll(/\bcase (\d+)(?:, [^:;]*)?:/g)].map(([, number]) => Number(number));

const claims = caseFiles.flatMap((file) =>
  titlesOf(file).flatMap((title) => claimedBy(title).map((number) => ({ number, file, title }))),
);

const isReal = (file: string) =>
  /real-sockets|node:net'|net-under-test|describe-socket-layer|command\.js'|real-time|from 'ws'|visualizer\/bounds/.test(
    `${file} ${readFileSync(`${ROOT}${file}`, 'utf8')}`,
  );

test('the page has a row for each of the 70 cases, in order, with words of its own', () => {
  expect(rows.map(({ number }) => number)).toEqual(numbers);
  expect(new Set(rows.map(({ title }) => title)).size).toBe(COUNT);
});

test('each test that the page names is there, under that title, in that file', () => {
  expect(named.length).toBeGreaterThan(COUNT);
  expect(named.filter(({ file, title }) => !titlesOf(file).includes(title))).toEqual([]);
});

test('each test that claims a case is named by the page for that case', () => {
  expect(claims.length).toBeGreaterThan(COUNT);
  const missing = claims.filter(
    ({ number, file, title }) =>
      !named.some((one) => one.number === number && one.file === file && one.title === title),
  );
  expect(missing).toEqual([]);
});

describe.each(rows)('case $number', ({ number, simulated, real }) => {
  const tests = named.filter((one) => one.number === number);

  test('is played in virtual time where it belongs there, by a test of its own', () => {
    const own = claims.filter(({ file, number: claimed }) => claimed === number && !isReal(file));
    if (!IN_VIRTUAL_TIME.includes(number)) return expect([simulated, own]).toEqual(['-', []]);
    expect(simulated).toBe('yes');
    expect(own.length).toBeGreaterThan(0);
  });

  test('is played on real sockets where it belongs there, or the page says why not yet', () => {
    if (!ON_REAL_SOCKETS.includes(number)) return expect(real).toMatch(/^(-|yes)$/);
    expect(real).toMatch(/^(yes|partly: .{10,}|not yet: .{10,})$/);
    const realTests = tests.filter(({ file }) => isReal(file));
    if (real.startsWith('not yet')) expect(realTests).toEqual([]);
    else expect(realTests.length).toBeGreaterThan(0);
  });
});

test('what is looked for is found: a title of this file, and none that is not in it', () => {
  expect(titlesOf('test/simulation/case-list.test.ts')).toContain(
    'is played in virtual time where it belongs there, by a test of its own',
  );
  expect(titlesOf('test/simulation/case-list.test.ts')).not.toContain('a title that is not here');
  expect(claimedBy('case 46, real: closes; case 47, real: more')).toEqual([46, 47]);
  expect(isReal('test/simulation/cases/registry.test.ts')).toBe(false);
});
