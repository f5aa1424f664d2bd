/** Where this package is, and which version: from the sources and from what they are compiled to, its root is not equally far away. */
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

export interface PackagePlace {
  /** Its folder, with a slash at the end. */
  readonly root: string;
  readonly version: string;
}

let place: PackagePlace | undefined;

export function packagePlace(): PackagePlace {
  place ??= find();
  return place;
}

function find(): PackagePlace {
  for (const path of ['../../../', '../../../../']) {
    try {
      const text = readFileSync(new URL(`${path}package.json`, import.meta.url), 'utf8');
      const { name, version } = JSON.parse(text) as Record<string, string>;
      if (name === 'wirechart' && version) return { root: fileURLToPath(new URL(path, import.meta.url)), version };
    } catch {
      // not there
    }
  }
  return { root: fileURLToPath(new URL('../../../../', import.meta.url)), version: 'unknown' };
}
