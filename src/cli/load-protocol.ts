/** Finds the protocol that a user names: an example of this package, or a module of theirs, in JavaScript or TypeScript. */
import { existsSync, readdirSync, statSync } from 'node:fs';
import { createRequire } from 'node:module';
import { extname, resolve } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { isProtocol, type AnyProtocol } from '../session/protocol.js';
import { CliError, describeThrown } from './cli-error.js';

const EXAMPLES = fileURLToPath(new URL('../../examples/', import.meta.url));
const INDEXES = ['index.js', 'index.mjs', 'index.cjs', 'index.ts', 'index.mts', 'index.cts'];

export interface ProtocolModule {
  readonly protocol: AnyProtocol;
  /** Where it was found. */
  readonly file: string;
  /** The name under which the module exports it: `default`, or its own. */
  readonly exportName: string;
  /** What else the module exports under this name; `undefined` where it does not. */
  readonly exported: (name: string) => unknown;
}

/**
 * @param name of an example, or the path of a module whose default export (or first export that is one) is a protocol
 * @throws {CliError} exit code 1, naming what was not found or not right
 */
export async function loadProtocol(name: string): Promise<AnyProtocol> {
  return (await loadProtocolModule(name)).protocol;
}

/** As `loadProtocol`, with what stands beside the protocol. */
export async function loadProtocolModule(name: string): Promise<ProtocolModule> {
  const file = findModule(name);
  let module: Record<string, unknown>;
  try {
    module = await importModule(file);
  } catch (error) {
    throw new CliError(1, `cannot load ${name}: ${describeThrown(error)}`);
  }
  const protocol = exportsOf(module).find(isProtocol);
  if (!protocol)
    throw new CliError(1, `${name} exports no protocol: its default export should be what defineProtocol returns`);
  return {
    protocol,
    file,
    exportName: Object.keys(module).find((key) => module[key] === protocol) ?? 'default',
    exported: (other) => {
      const main = module['default'];
      // Of a CommonJS module everything stands in `module.exports`, which is the default export.
      const inner = typeof main === 'object' && main !== null && !isProtocol(main) ? main : {};
      return module[other] ?? (inner as Record<string, unknown>)[other];
    },
  };
}

/** Names of the examples that come with the package. */
export function exampleNames(): string[] {
  if (!existsSync(EXAMPLES)) return [];
  return readdirSync(EXAMPLES, { withFileTypes: true }).flatMap((entry) =>
    entry.isDirectory() && existsSync(`${EXAMPLES}${entry.name}/index.js`) ? [entry.name] : [],
  );
}

function findModule(name: string): string {
  // A bare word is an example; whatever looks like a path is one.
  if (exampleNames().includes(name)) return `${EXAMPLES}${name}/index.js`;
  const path = resolve(name);
  if (isFile(path)) return path;
  const index = INDEXES.map((file) => resolve(path, file)).find(isFile);
  if (index) return index;
  const examples = exampleNames().join(', ');
  if (existsSync(path)) throw new CliError(1, `module not found: the folder ${name} has no ${INDEXES.join(', ')}`);
  throw new CliError(1, `module not found: ${name} is neither a file nor one of the examples (${examples})`);
}

function isFile(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false })?.isFile() ?? false;
}

async function importModule(file: string): Promise<Record<string, unknown>> {
  const extension = extname(file);
  if (['.ts', '.mts', '.cts'].includes(extension)) {
    // A `.ts` file is CommonJS where no package.json says `"type": "module"`, and needs the other half of tsx.
    const [esm, cjs] = await Promise.all([import('tsx/esm/api'), import('tsx/cjs/api')]);
    cjs.register();
    // Node 20 cannot `import` a `.cts` file that requires an ES module such as ours: it is required instead.
    if (extension === '.cts') return { default: createRequire(file)(file) as unknown };
    esm.register();
  }
  return new Promise((resolve, reject) => {
    // With nothing left to wait for, Node would end the process in the middle of the import, without a word.
    const stuck = () => reject(new CliError(1, 'its top-level await never ends'));
    process.once('beforeExit', stuck);
    import(pathToFileURL(file).href).then(resolve, reject).finally(() => process.off('beforeExit', stuck));
  });
}

/** The default export first. That of a CommonJS module is `module.exports`, in which a compiler puts another `default`. */
function exportsOf(module: Record<string, unknown>): unknown[] {
  const main = module['default'];
  const inner = typeof main === 'object' && main !== null && !isProtocol(main) ? main : {};
  return [main, (inner as { default?: unknown }).default, ...Object.values(module), ...Object.values(inner)];
}
