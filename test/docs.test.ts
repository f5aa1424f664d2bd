/**
 * What the README and the pages of `docs/` say is true: their examples compile, those that print are run and print that, their links
 * lead somewhere, their tables name the options that there are, and their diagrams draw the charts that there are.
 *
 * Blocks are compiled from memory, all in one run, as modules beside their page. Those that are run lie in a folder outside of the
 * project, because whatever else looks at the project's files meanwhile must not find them.
 */
import {
  existsSync,
  mkdtempSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import ts from 'typescript';
import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from 'vitest';
import type { AnyStateMachine, AnyStateNode } from 'xstate';
import { clientMachine, gcSweeperMachine, serverSocketMachine, sessionMachine } from '../machines/index.js';
import { parseSessionOptions, SESSION_OPTION_NAMES } from '../src/session/options.js';
import { parseTcpSocketOptions, TCP_SOCKET_OPTION_NAMES } from '../src/socket/options.js';

const ROOT = fileURLToPath(new URL('..', import.meta.url));
const read = (path: string) => readFileSync(`${ROOT}${path}`, 'utf8');

interface Page {
  readonly path: string;
  readonly text: string;
}

interface Block {
  /** `docs/time.md, line 12`. */
  readonly name: string;
  readonly page: string;
  readonly line: number;
  readonly language: string;
  readonly code: string;
}

const pages: readonly Page[] = [
  'README.md',
  'CHANGELOG.md',
  ...readdirSync(`${ROOT}docs`)
    .filter((file) => file.endsWith('.md'))
    .sort()
    .map((file) => `docs/${file}`),
].map((path) => ({ path, text: read(path) }));

const blocks = pages.flatMap(blocksOf);
const tsBlocks = blocks.filter(({ language }) => language === 'ts');

function blocksOf({ path, text }: Page): Block[] {
  return [...text.matchAll(/^```(\w*)\n(.*?)^```$/gms)].map(({ 1: language = '', 2: code = '', index }) => {
    const line = text.slice(0, index).split('\n').length;
    return { name: `${path}, line ${line}`, page: path, line, language, code };
  });
}

function pageOf(path: string): Page {
  const page = pages.find((other) => other.path === path);
  if (!page) throw new Error(`there is no page ${path}`);
  return page;
}

describe('examples compile', () => {
  let problems: readonly string[];

  beforeAll(() => {
    problems = compile();
  });

  test('every page has an example that is run, but those that are about a command', () => {
    const without = pages.filter(({ path }) => !tsBlocks.some((block) => block.page === path && printedBy(block)));
    expect(without.map(({ path }) => path)).toEqual(['CHANGELOG.md', 'docs/benchmarks.md', 'docs/command-line.md']);
  });

  test('each block of TypeScript is a module that type-checks by itself', () => {
    expect(problems).toEqual([]);
  });
});

/** One run of the compiler over all blocks, which exist in its memory alone. @returns its errors, with the place in the page. */
function compile(): string[] {
  const { config } = ts.readConfigFile(`${ROOT}test/tsconfig.json`, (path) => readFileSync(path, 'utf8')) as {
    config: object;
  };
  const { options } = ts.parseJsonConfigFileContent(
    config,
    ts.sys,
    `${ROOT}test`,
    undefined,
    `${ROOT}test/tsconfig.json`,
  );
  const virtual = new Map(
    tsBlocks.map((block) => [
      `${ROOT}${dirname(block.page)}/${basename(block.page, '.md')}-${block.line}.ts`.replace('/./', '/'),
      block,
    ]),
  );
  const settings: ts.CompilerOptions = {
    ...options,
    noUnusedLocals: false, // an example may end with what the reader goes on with
    moduleDetection: ts.ModuleDetectionKind.Force,
  };
  const host = ts.createCompilerHost(settings);
  const real = ts.createCompilerHost(settings);
  host.fileExists = (path) => virtual.has(path) || real.fileExists(path);
  host.readFile = (path) => virtual.get(path)?.code ?? real.readFile(path);
  host.getSourceFile = (path, languageOrOptions, ...rest) => {
    const block = virtual.get(path);
    if (!block) return real.getSourceFile(path, languageOrOptions, ...rest);
    return ts.createSourceFile(path, block.code, languageOrOptions);
  };
  const program = ts.createProgram([...virtual.keys()], settings, host);
  return [...virtual].flatMap(([path, block]) => {
    const source = program.getSourceFile(path);
    return [...program.getSyntacticDiagnostics(source), ...program.getSemanticDiagnostics(source)].map(
      ({ start = 0, messageText }) => {
        const line = block.line + 1 + block.code.slice(0, start).split('\n').length - 1;
        return `${block.page}:${line} ${ts.flattenDiagnosticMessageText(messageText, '\n')}`;
      },
    );
  });
}

/** What a block says that it prints: the comment lines behind `// prints:` at its end. */
function printedBy({ code }: Block): string | undefined {
  const said = /^\/\/ prints:\n((?:\/\/.*\n)+)$/m.exec(code)?.[1];
  return said?.replace(/^\/\/ ?/gm, '').trimEnd();
}

describe('examples that print', () => {
  const folder = mkdtempSync(join(tmpdir(), 'wirechart-docs-'));

  beforeAll(() => {
    mkdirSync(join(folder, 'docs'));
    // Packages and examples are found as they are beside the real pages.
    for (const name of ['node_modules', 'examples', 'package.json']) symlinkSync(`${ROOT}${name}`, join(folder, name));
  });
  afterAll(() => rmSync(folder, { recursive: true, force: true }));
  afterEach(() => vi.restoreAllMocks());

  test.each(tsBlocks.filter((block) => printedBy(block) !== undefined))('$name prints what it says', async (block) => {
    const file = join(folder, dirname(block.page), `${basename(block.page, '.md')}-${block.line}.ts`);
    writeFileSync(file, block.code);
    const printed: string[] = [];
    vi.spyOn(console, 'log').mockImplementation(
      (...values: unknown[]) => void printed.push(values.map(shown).join(' ').trimEnd()),
    );
    await import(file);
    expect(printed.join('\n')).toBe(printedBy(block));
  });
});

/** As plain as `console.log` shows it, and on one line. */
function shown(value: unknown): string {
  return typeof value === 'string' ? value : (JSON.stringify(value) ?? 'undefined');
}

describe('examples that are tests', () => {
  const files = readdirSync(`${ROOT}test`).filter((file) => /^docs-.*\.test\.ts$/.test(file));
  const inPages = tsBlocks.filter(({ code }) => code.includes("'wirechart/testing/vitest'"));

  test('are files of this folder, byte for byte, and each of those is in a page', () => {
    expect(files.length).toBeGreaterThan(0);
    expect(inPages.map(({ code }) => code).sort()).toEqual(files.map((file) => read(`test/${file}`)).sort());
  });
});

describe('the example of the README', () => {
  const example = read('examples/knock-knock/index.ts');

  test('is examples/knock-knock, byte for byte', () => {
    expect(blocks.filter(({ page, code }) => page === 'README.md' && code === example)).toHaveLength(1);
  });

  test('has 36 lines at most', () => {
    expect(example.trimEnd().split('\n').length).toBeLessThanOrEqual(36);
  });
});

describe('links', () => {
  /** As a repository's page shows them: no code, no link syntax, spaces to hyphens, a number behind a repeated one. */
  const anchorsOf = ({ text }: Page) => {
    const seen = new Map<string, number>();
    return [...text.replace(/^```.*?^```$/gms, '').matchAll(/^#+ (.*)$/gm)].map(([, title = '']) => {
      const slug = title
        .replace(/\[([^\]]*)\]\([^)]*\)/g, '$1')
        .toLowerCase()
        .replace(/[^\p{L}\p{N}_ -]/gu, '')
        .replaceAll(' ', '-');
      const count = seen.get(slug) ?? 0;
      seen.set(slug, count + 1);
      return count === 0 ? slug : `${slug}-${count}`;
    });
  };

  test.each(pages)('of $path lead to files and headings that exist', (page) => {
    const targets = [...page.text.replace(/^```.*?^```$/gms, '').matchAll(/\]\(([^)\s]+)\)/g)].map(
      ([, target = '']) => target,
    );
    const dead = targets.filter((target) => {
      if (/^[a-z]+:/.test(target)) return false;
      const [path = '', anchor] = target.split('#');
      const to = path === '' ? page.path : resolve('/', dirname(page.path), path).slice(1);
      if (!existsSync(`${ROOT}${to}`)) return true;
      return anchor !== undefined && !anchorsOf(pageOf(to)).includes(anchor);
    });
    expect(dead).toEqual([]);
  });

  test('of the README lead to every page of docs', () => {
    const { text } = pageOf('README.md');
    expect(
      pages.map(({ path }) => path).filter((path) => path.startsWith('docs/') && !text.includes(`](${path})`)),
    ).toEqual([]);
  });
});

describe('tables of options', () => {
  /** Rows of all tables of a page whose first column is headed `Option`: name and default. */
  const rowsOf = (path: string) =>
    [...pageOf(path).text.matchAll(/^\| Option +\|.*\n\|[ :|-]+\n((?:\|.*\n)+)/gm)].flatMap(([, rows = '']) =>
      rows
        .trimEnd()
        .split('\n')
        .map((row) => {
          const [, name = '', value = ''] = row.split(/(?<!\\)\|/).map((cell) => cell.trim());
          return { name: name.replaceAll('`', ''), value };
        }),
    );
  const namesOf = (path: string) => rowsOf(path).map(({ name }) => name);

  /** Names of the fields that an interface writes out itself. */
  const fieldsOf = (path: string, name: string) => {
    const body = new RegExp(`^export interface ${name} [^{]*\\{\\n(.*?)^\\}`, 'ms').exec(read(path))?.[1] ?? '';
    return [...body.matchAll(/^ {2}readonly (\w+)\??:/gm)].map(([, field = '']) => field);
  };
  const KEEP_ALIVE = fieldsOf('src/socket/options.ts', 'KeepAliveOptions').map((name) => `keepAlive.${name}`);

  test('servers.md names the options of a server and of its sessions, and no others', () => {
    const own = fieldsOf('src/server.ts', 'TcpServerOptions');
    expect(own).toContain('maxSessions');
    expect(namesOf('docs/servers.md').sort()).toEqual([...own, ...SESSION_OPTION_NAMES].sort());
  });

  test('clients.md names the options that a client has besides those, and no others', () => {
    const own = fieldsOf('src/client.ts', 'TcpClientOptions').filter((name) => name !== 'backOff');
    const backOff = fieldsOf('src/client.ts', 'BackOffOptions').map((name) => `backOff.${name}`);
    expect(backOff).toHaveLength(3);
    expect(namesOf('docs/clients.md').sort()).toEqual([...own, ...backOff].sort());
  });

  test('sockets.md names the options of a socket, and no others', () => {
    const own = TCP_SOCKET_OPTION_NAMES.filter((name) => name !== 'keepAlive');
    expect(KEEP_ALIVE).toHaveLength(3);
    expect(namesOf('docs/sockets.md').sort()).toEqual([...own, 'keepAlive', ...KEEP_ALIVE].sort());
  });

  test('visualizer.md names the options of a visualizer, and no others', () => {
    const own = fieldsOf('src/inspect/visualizer/visualizer-options.ts', 'VisualizerOptions');
    expect(own).toContain('control');
    expect(namesOf('docs/visualizer.md').sort()).toEqual([...own].sort());
  });

  const session: Record<string, unknown> = { ...parseSessionOptions({}, 'session') };
  const socket: Record<string, unknown> = { ...parseTcpSocketOptions() };
  for (const [name, value] of Object.entries(socket['keepAlive'] as object)) socket[`keepAlive.${name}`] = value;

  test.each([
    { path: 'docs/servers.md', defaults: session },
    { path: 'docs/sockets.md', defaults: socket },
  ])('$path gives the defaults that the code gives', ({ path, defaults }) => {
    const wrong = rowsOf(path).filter(({ name, value }) => {
      const expected = defaults[name];
      if (expected === undefined || typeof expected === 'object') return false;
      return value.replaceAll(' ', '').replaceAll('`', '') !== `${expected as string}`;
    });
    expect(wrong).toEqual([]);
  });
});

describe('diagrams', () => {
  const MACHINES: Record<string, AnyStateMachine> = {
    session: sessionMachine,
    'server socket': serverSocketMachine,
    client: clientMachine,
    'gc sweeper': gcSweeperMachine,
  };
  /** The chart is named by the diagram's first line, a comment: `%% session`. */
  const diagrams = blocks.flatMap((block) => {
    const chart = /^ *%% (.+)$/m.exec(block.code)?.[1];
    return block.language === 'mermaid' && chart !== undefined ? [{ ...block, chart, machine: MACHINES[chart]! }] : [];
  });

  const nodesOf = (node: AnyStateNode): AnyStateNode[] =>
    Object.values(node.states).flatMap((child) => [child, ...nodesOf(child)]);
  const isWithin = (node: AnyStateNode | undefined, outer: AnyStateNode): boolean =>
    node !== undefined && (node === outer || isWithin(node.parent, outer));

  /** `A --> B : READ, after closeTimeout` as the transitions that it claims. */
  const arrowsOf = (code: string) =>
    [...code.matchAll(/^\s*(\w+) --> (\w+) : (.+)$/gm)].flatMap(([, from = '', to = '', labels = '']) =>
      labels.split(', ').map((label) => ({ from, to, label })),
    );

  test('there is one of each chart', () => {
    expect(new Set(diagrams.map(({ chart }) => chart))).toEqual(new Set(Object.keys(MACHINES)));
  });

  /** Where a transition to this state ends: in it, and in what it begins with. */
  const enteredBy = (node: AnyStateNode): AnyStateNode[] => [
    node,
    ...((node.type === 'compound' ? node.initial.target : undefined) ?? []).flatMap(enteredBy),
  ];

  test.each(diagrams)('$name draws the states of the $chart chart, and no others', ({ code, machine }) => {
    const nodes = nodesOf(machine.root);
    const names = [...code.matchAll(/^ *(?:state )?(\w+)(?: -->| \{)|--> (\w+)/gm)].flatMap(
      ([, from, to]) => from ?? to ?? [],
    );
    const paths = [...code.matchAll(/^ *state "([\w.]+)" as (\w+)$/gm)];
    const keys = (of: readonly AnyStateNode[]) => of.map(({ key }) => key);
    expect(keys(nodes)).toEqual(expect.arrayContaining(names));
    expect(names).toEqual(expect.arrayContaining(keys(nodes.filter(({ type }) => type !== 'compound'))));
    for (const [, path, name] of paths)
      expect(nodes.map((node) => [node.path.join('.'), node.key])).toContainEqual([path, name]);
  });

  test.each(diagrams)('$name draws transitions that the $chart chart has', ({ code, machine }) => {
    const nodes = nodesOf(machine.root);
    const has = ({ from, to, label }: { from: string; to: string; label: string }) =>
      [machine.root, ...nodes]
        .filter((source) => nodes.some((node) => node.key === from && isWithin(node, source)))
        .flatMap((source) => [...source.transitions])
        .filter(([event]) => event.replace(/^xstate\.after\.(\w+)\..*$/, 'after $1') === label)
        .flatMap(([, transitions]) => transitions.flatMap(({ target = [] }) => target as readonly AnyStateNode[]))
        .some((target) => enteredBy(target).some(({ key }) => key === to));
    expect(arrowsOf(code).filter((arrow) => !has(arrow))).toEqual([]);
  });
});

describe('the project speaks of itself alone', () => {
  const SKIPPED = ['node_modules', 'dist', '.git'];
  const TEXT = /(\.(ts|js|json|md|sh|css|html|yml)|LICENSE)$/;
  // In pieces: this file is looked at as well.
  const FORBIDDEN = ['work', 'home', 'root', 'Users']
    .map((folder) => `/${folder}/`)
    .concat(['registry', 'npmjs'].join('.'));

  const filesOf = (folder: string): string[] =>
    readdirSync(`${ROOT}${folder}`, { withFileTypes: true }).flatMap((entry) => {
      const path = `${folder}${entry.name}`;
      if (SKIPPED.includes(entry.name)) return [];
      if (entry.isDirectory()) return filesOf(`${path}/`);
      return TEXT.test(path) ? [path] : [];
    });

  test('no file has a path of somebody’s machine or the host of a package registry in it', () => {
    const found = filesOf('').flatMap((path) => {
      const text = read(path);
      return FORBIDDEN.filter((word) => text.includes(word)).map((word) => `${path}: ${word}`);
    });
    expect(found).toEqual([]);
  });
});
