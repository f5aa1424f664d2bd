/** The package as its users get it: packed from `dist`, which `npm test` has built, and installed into an empty project. */
import { execFileSync, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { Command, ROOT } from './cli/command.js';

const own = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')) as {
  version: string;
  exports: Record<string, unknown>;
};
/** Those that need a package that the user installs. */
const OPTIONAL = { './testing/vitest': 'vitest', './testing/fast-check': 'fast-check' };
const subpaths = Object.keys(own.exports).filter((path) => path !== './package.json' && !(path in OPTIONAL));
const names = subpaths.map((path) => path.replace('.', 'wirechart'));

let folder: string;
let project: string;
/** Paths in the tarball. */
let files: string[];

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'wirechart-package-'));
  project = join(folder, 'project');
  mkdirSync(project);
  // Without scripts: `prepare` would build anew, under the feet of the tests that run beside this one.
  const packed = npm(['pack', '--json', '--ignore-scripts', '--pack-destination', folder], ROOT);
  const [tarball] = JSON.parse(packed) as [{ filename: string; files: { path: string }[] }];
  files = tarball.files.map(({ path }) => path);
  writeFileSync(join(project, 'package.json'), '{ "name": "user", "private": true, "type": "module" }');
  const offline = ['--no-audit', '--no-fund', '--ignore-scripts', '--prefer-offline'];
  npm(['install', ...offline, join(folder, tarball.filename)], project);
});

afterAll(() => rmSync(folder, { recursive: true, force: true }));

function npm(args: readonly string[], cwd: string): string {
  // What an outer npm hands down in the environment is about the outer project.
  const env = Object.fromEntries(Object.entries(process.env).filter(([name]) => !name.startsWith('npm_package_')));
  return execFileSync('npm', args, { cwd, env, encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] });
}

function node(text: string): string {
  return execFileSync(process.execPath, ['--input-type=module', '--eval', text], {
    cwd: project,
    encoding: 'utf8',
    stdio: 'pipe',
  });
}

test('the tarball has the code, its sources, the examples and the documents, and nothing of tests, benchmarks or tools', () => {
  expect(files).toEqual(
    expect.arrayContaining([
      'package.json', 'README.md', 'LICENSE', 'CHANGELOG.md', 'bin/wirechart.js', 'dist/src/index.js', 'dist/src/index.d.ts',
      'dist/machines/session.js', 'dist/examples/echo/index.js', 'dist/visualizer/index.html', 'dist/visualizer/licenses.md', 'src/index.ts', 'machines/session.ts', 'examples/echo/index.ts',
    ]), // prettier-ignore
  );
  for (const document of readdirSync(join(ROOT, 'docs'))) {
    expect(files.some((path) => path.startsWith(`docs/${document}`))).toBe(true);
  }
  const strangers = files.filter((path) => !/^(bin|dist|docs|examples|machines|src)\//.test(path));
  expect(strangers.sort()).toEqual(['CHANGELOG.md', 'LICENSE', 'README.md', 'package.json']);
  expect(files.filter((path) => /(^|\/)(test|bench|\.ci|node_modules)\/|\.test\./.test(path))).toEqual(
    files.filter((path) => /^(dist\/)?src\/testing\//.test(path) && /\.test\./.test(path)),
  );
});

test('every source map, and every source that it names, is in the tarball', () => {
  const maps = files.filter((path) => path.endsWith('.map'));
  expect(maps.length).toBeGreaterThan(50);
  for (const map of maps) {
    const { sources } = JSON.parse(readFileSync(join(project, 'node_modules/wirechart', map), 'utf8')) as {
      sources: string[];
    };
    for (const source of sources) expect(files).toContain(join(map, '..', source));
  }
});

test.each(subpaths)('%s is imported at run time, and has values', (subpath) => {
  const name = subpath.replace('.', 'wirechart');
  const count = node(`import * as all from '${name}'; process.stdout.write(String(Object.keys(all).length));`);
  expect(Number(count)).toBeGreaterThan(0);
});

test('a path that is not exported cannot be imported', () => {
  expect(() => node(`await import('wirechart/dist/src/server.js')`)).toThrow(/ERR_PACKAGE_PATH_NOT_EXPORTED/);
});

test.each(Object.entries(OPTIONAL))(
  '%s needs %s, which is not installed with the package, and names it',
  (path, name) => {
    expect(existsSync(join(project, 'node_modules', name))).toBe(false);
    expect(() => node(`await import('${path.replace('.', 'wirechart')}')`)).toThrow(`Cannot find package '${name}'`);
  },
);

test('the installed command serves the echo, and drains at SIGTERM with 0', async () => {
  expect(existsSync(join(project, 'node_modules/.bin/wirechart'))).toBe(true);
  const command = new Command([join(project, 'node_modules/.bin/wirechart'), 'serve', 'echo'], { cwd: project });
  try {
    const peer = connect(await command.port(), '127.0.0.1');
    const bytes = Buffer.from([0, 0, 0, 2, 104, 105]);
    peer.write(bytes);
    expect(await once(peer, 'data')).toEqual([bytes]);
    command.process.kill('SIGTERM');
    expect(await command.ended).toEqual([0, null]);
    peer.destroy();
    expect(command.stdout).toMatch(/^wirechart: echo listening on 127\.0\.0\.1:\d+\n$/);
  } finally {
    await command.kill();
  }
});

const PROGRAM = `
${names.map((name, i) => `import * as entry${i} from '${name}';`).join('\n')}
import { setup, emit } from 'xstate';
import { createTcpServer, defineProtocol, type ProtocolCommand, type SessionRecord } from 'wirechart';
import { lines, type LineMessage } from 'wirechart/codec';
import { sessionMachine, type CloseOption } from 'wirechart/machines';
import { VirtualTime } from 'wirechart/time';

const machine = setup({
  types: {} as { events: LineMessage; emitted: ProtocolCommand<LineMessage> },
  actions: { answer: emit(({ event }) => ({ type: 'SEND', message: event })) },
}).createMachine({ on: { LINE: { actions: 'answer' } } });

const protocol = defineProtocol({ name: 'mine', codecs: { lines: () => lines() }, initialCodec: 'lines', machine });
const server = createTcpServer(protocol, { time: new VirtualTime(), waitTimeoutCountMax: 3 });
server.sessions.changes.subscribe((change) => {
  if (change.type === 'removed') note(change.record);
});
export function note({ option, reason }: SessionRecord): [CloseOption, string] {
  return [option, reason];
}
// @ts-expect-error the option takes a number: the types are there, and are no \`any\`
createTcpServer(protocol, { port: '7000' });
export const values: unknown[] = [sessionMachine, ${names.map((_, i) => `entry${i}`).join(', ')}];
`;

function compile(sources: string, options: object) {
  const compilerOptions = {
    ...options,
    target: 'es2022',
    lib: ['es2023'],
    strict: true,
    noUncheckedIndexedAccess: true,
    noEmit: true,
    // @types/node is the user's own to install; this repository's copy stands for it.
    types: ['node'],
    typeRoots: [join(ROOT, 'node_modules/@types')],
  };
  writeFileSync(join(sources, 'tsconfig.json'), JSON.stringify({ compilerOptions, files: ['program.ts'] }));
  const tsc = join(ROOT, 'node_modules/typescript/bin/tsc');
  return spawnSync(process.execPath, [tsc, '-p', sources], { encoding: 'utf8' });
}

describe('a strict program of a user compiles', () => {
  test.each([
    { module: 'nodenext', moduleResolution: 'nodenext', skipLibCheck: false },
    { module: 'esnext', moduleResolution: 'bundler', skipLibCheck: false },
    // XState's own declarations do not pass this option, so that with it they cannot be checked.
    { module: 'nodenext', moduleResolution: 'nodenext', skipLibCheck: true, exactOptionalPropertyTypes: true },
  ])(
    'with %o',
    (options) => {
      const sources = mkdtempSync(join(project, 'program-'));
      writeFileSync(join(sources, 'program.ts'), PROGRAM);
      const { stdout, status } = compile(sources, options);
      expect(stdout).toBe('');
      expect(status).toBe(0);
    },
    30_000,
  );
});

const TESTS = `
import { timer } from 'rxjs';
import { describe, expect } from 'vitest';
import { recordMarbles } from 'wirechart/testing';
import { test } from 'wirechart/testing/vitest';

test('passes', ({ time }) => {
  const seen = recordMarbles(time, timer(100, time));
  time.advanceBy(100);
  expect(seen).toMatchMarbles('100ms (a|)', { a: 0 });
  expect({ connected: 'flowing' }).toBeInState('connected');
  // @ts-expect-error the matchers have types: a state is a text
  expect(() => expect('a').toBeInState(1)).toThrow();
});
test('leaves a timer', ({ time }) => {
  timer(100, time).subscribe();
});
`;

describe('with vitest beside it', () => {
  let tests: string;
  const link = () => join(project, 'node_modules/vitest');

  beforeAll(() => {
    symlinkSync(join(ROOT, 'node_modules/vitest'), link());
    tests = mkdtempSync(join(project, 'tests-'));
    writeFileSync(join(tests, 'program.ts'), TESTS);
    writeFileSync(join(tests, 'program.test.ts'), TESTS);
  });

  afterAll(() => rmSync(link()));

  test('a strict test of a user compiles', () => {
    const { stdout, status } = compile(tests, { module: 'nodenext', moduleResolution: 'nodenext', skipLibCheck: true });
    expect(stdout).toBe('');
    expect(status).toBe(0);
  });

  test('the matchers and the clock of `wirechart/testing/vitest` are there, and a timer that is left behind fails its test', () => {
    const command = [join(link(), 'vitest.mjs'), 'run', '--root', tests, '--reporter=json'];
    const { stdout } = spawnSync(process.execPath, command, { encoding: 'utf8', cwd: project });
    const { testResults } = JSON.parse(stdout) as {
      testResults: [{ assertionResults: { title: string; status: string; failureMessages: string[] }[] }];
    };
    const [passes, leaves] = testResults[0].assertionResults;
    expect(passes).toMatchObject({ title: 'passes', status: 'passed' });
    expect(leaves).toMatchObject({ title: 'leaves a timer', status: 'failed' });
    expect(leaves!.failureMessages[0]).toContain('left behind: a timer that is due at 100 ms');
  });
});

describe('the prepare script', () => {
  function prepareIn(layout: string) {
    mkdirSync(join(layout, '.ci'), { recursive: true });
    for (const file of ['prepare.js', 'build.js']) copyFileSync(join(ROOT, '.ci', file), join(layout, '.ci', file));
    writeFileSync(join(layout, 'package.json'), '{ "type": "module" }');
    return spawnSync(process.execPath, ['.ci/prepare.js'], { cwd: layout, encoding: 'utf8' });
  }

  test('says so where typescript is absent, and stops with 0 without touching what was built', () => {
    const layout = join(folder, 'no-dev');
    mkdirSync(join(layout, 'dist'), { recursive: true });
    writeFileSync(join(layout, 'dist/kept.js'), '');
    const { stdout, stderr, status } = prepareIn(layout);
    expect(stdout).toBe('wirechart: dev dependencies are absent, so nothing was built\n');
    expect([stderr, status]).toEqual(['', 0]);
    expect(existsSync(join(layout, 'dist/kept.js'))).toBe(true);
  });

  test('builds where typescript is there, into an empty dist', () => {
    const layout = join(folder, 'dev');
    mkdirSync(join(layout, 'node_modules/typescript/bin'), { recursive: true });
    mkdirSync(join(layout, 'dist'), { recursive: true });
    writeFileSync(join(layout, 'dist/deleted-in-the-sources.js'), '');
    writeFileSync(join(layout, 'node_modules/typescript/package.json'), '{ "name": "typescript", "version": "5.9.3" }');
    writeFileSync(
      join(layout, 'node_modules/typescript/bin/tsc'),
      `require('node:fs').mkdirSync(process.argv[3] + 'dist'); console.log('compiled');`,
    );
    mkdirSync(join(layout, 'node_modules/vite'), { recursive: true });
    writeFileSync(
      join(layout, 'node_modules/vite/index.js'),
      `exports.build = async ({ configFile }) => console.log('bundled', require('node:path').relative('.', configFile));`,
    );
    const { stdout, stderr, status } = prepareIn(layout);
    expect([stdout, stderr, status]).toEqual(['compiled\nbundled visualizer/vite.config.ts\n', '', 0]);
    expect(readdirSync(join(layout, 'dist'))).toEqual([]);
  });
});
