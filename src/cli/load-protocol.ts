/** Finds the protocol that a user names: an example of this package, or a module of theirs, in JavaScript or TypeScript. */
import { existsSync, readdirSync, statSync } from 'node:fs';
import { extname, isAbsolute, resolve } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { messageOf } from '../session/errors.js';
import { isProtocol, type AnyProtocol } from '../session/protocol.js';
import { CliError } from './cli-error.js';

const EXAMPLES = fileURLToPath(new URL('../../examples/', import.meta.url));

/**
 * @param name of an example, or the path of a module whose default export (or only export that is one) is a protocol
 * @throws {CliError} exit code 1, naming what was not found or not right
 */
export async function loadProtocol(name: string): Promise<AnyProtocol> {
  const file = findModule(name);
  let module: Record<string, unknown>;
  try {
    if (['.ts', '.mts', '.cts'].includes(extname(file))) {
      const { register } = await import('tsx/esm/api');
      register();
    }
    module = (await import(pathToFileURL(file).href)) as Record<string, unknown>;
  } catch (error) {
    throw new CliError(1, `cannot load ${name}: ${messageOf(error).split('\n')[0]}`);
  }
  const protocol = [module['default'], ...Object.values(module)].find(isProtocol);
  if (!protocol)
    throw new CliError(1, `${name} exports no protocol: its default export should be what defineProtocol returns`);
  return protocol;
}

/** Names of the examples that come with the package. */
export function exampleNames(): string[] {
  if (!existsSync(EXAMPLES)) return [];
  return readdirSync(EXAMPLES, { withFileTypes: true }).flatMap((entry) => (entry.isDirectory() ? [entry.name] : []));
}

function findModule(name: string): string {
  // A bare word is an example; whatever looks like a path is one.
  if (/^[\w-]+$/.test(name) && exampleNames().includes(name)) return `${EXAMPLES}${name}/index.js`;
  const path = isAbsolute(name) ? name : resolve(name);
  if (existsSync(path) && statSync(path).isFile()) return path;
  const index = ['index.js', 'index.mjs', 'index.ts']
    .map((file) => resolve(path, file))
    .find((file) => existsSync(file));
  if (index) return index;
  throw new CliError(
    1,
    `module not found: ${name} is neither a file nor one of the examples ${exampleNames().join(', ')}`,
  );
}
