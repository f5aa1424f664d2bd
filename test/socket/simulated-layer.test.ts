import { describeSocketLayer } from './describe-socket-layer.js';
import { simulatedUnderTest } from './simulated-under-test.js';

describeSocketLayer('simulated', () => simulatedUnderTest());
describeSocketLayer('simulated, 20 ms away with jitter', () =>
  simulatedUnderTest({ seed: 7, latencyMs: 20, jitterMs: 5, mergeRate: 0.5 }),
);
