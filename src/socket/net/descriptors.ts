/** Descriptors of this process, as Linux's /proc tells (proc(5)): no FFI needed. Other systems have no file that says it. */
import { readdirSync, readFileSync } from 'node:fs';
import type { DescriptorUse } from '../socket-layer.js';

/** @returns `undefined` where there is no /proc, or no limit. */
export function readDescriptors(): DescriptorUse | undefined {
  try {
    const soft = /^Max open files\s+(\d+)/m.exec(readFileSync('/proc/self/limits', 'latin1'))?.[1];
    if (soft === undefined) return undefined;
    return { limit: Number(soft), used: readdirSync('/proc/self/fd').length - 1 }; // less the one that reads the folder
  } catch {
    // No /proc; or all descriptors are in use, so that none is left to look with: the layer cannot tell either.
    return undefined;
  }
}
