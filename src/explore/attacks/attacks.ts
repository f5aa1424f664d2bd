/** All attacks of the kit, in the order in which they are tried, and how they are chosen by name. */
import { invalid } from '../../socket/check.js';
import type { Attack } from '../attack.js';
import { midFrameFin, midFrameRst, reconnectStorm, scanFin, scanRst } from './ends.js';
import { emptyFrames, requestBurst } from './floods.js';
import { endlessFrame, garbage, lengthBomb, wrongProtocol } from './malformed.js';
import { byteByByte, halfOpen, manyConnections, neverReading, slowloris } from './slow.js';

export const attacks: readonly Attack[] = [
  scanFin,
  scanRst,
  wrongProtocol,
  garbage,
  lengthBomb,
  endlessFrame,
  byteByByte,
  slowloris,
  neverReading,
  emptyFrames,
  requestBurst,
  midFrameFin,
  midFrameRst,
  halfOpen,
  reconnectStorm,
  manyConnections,
];

/**
 * @param chosen names of the kit's attacks, or attacks of one's own; default: the whole kit
 * @throws {SocketError} OPTION_INVALID for a name that there is not, or a choice of nothing
 */
export function chosenAttacks(path: string, chosen: readonly (Attack | string)[] = attacks): readonly Attack[] {
  const names = attacks.map(({ name }) => name);
  const expected = `some of ${names.join(', ')}`;
  if (!Array.isArray(chosen) || chosen.length === 0) throw invalid(path, expected, chosen);
  return chosen.map((one: Attack | string) => {
    const attack = typeof one === 'string' ? attacks.find(({ name }) => name === one) : one;
    if (typeof attack?.run === 'function') return attack;
    throw invalid(path, expected, one);
  });
}
