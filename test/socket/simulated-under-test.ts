import { createSimulatedNetwork, type SimulatedNetworkOptions } from '../../src/socket/simulated/network.js';
import { VirtualTime } from '../../src/time/index.js';
import type { LayerUnderTest } from './layer-harness.js';

/** Longer than any step of a handshake or of a transfer, and shorter than what only faults wait for. */
const STEP_MAX_MS = 1_000;

/** A simulated network of one host; a step is the next moment at which something happens on it, if that is near. */
export function simulatedUnderTest(conditions: Partial<Omit<SimulatedNetworkOptions, 'time'>> = {}): LayerUnderTest {
  const time = new VirtualTime();
  const network = createSimulatedNetwork({ time, seed: 1, ...conditions });
  return {
    layer: network.layer(),
    time,
    step: () => {
      const next = time.pending.find(({ kind }) => kind === 'socket');
      if (next !== undefined && next.dueMs <= time.now() + STEP_MAX_MS) time.advanceTo(next.dueMs);
      return Promise.resolve();
    },
    address: { host: '127.0.0.1', port: 0 },
  };
}
