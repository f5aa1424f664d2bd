import { createNetLayer } from '../../src/socket/net/net-layer.js';
import { loadKernel } from '../../src/socket/net/kernel.js';
import { VirtualTime } from '../../src/time/index.js';
import { type LayerUnderTest, needs } from './layer-harness.js';

/** Real sockets; the layer's own waits run on a clock that only the test moves. */
export function netUnderTest(options: { readonly kernel?: undefined } = {}): LayerUnderTest {
  const time = new VirtualTime();
  return {
    layer: createNetLayer({ time, ...options }),
    time,
    step: () => new Promise((resolve) => setImmediate(resolve)),
    address: { host: '127.0.0.1', port: 0 },
  };
}

export function needsLinux(): void {
  needs(process.platform === 'linux', 'needs /proc of Linux');
}

export function needsKernel(): void {
  needs(loadKernel() !== undefined, 'needs Linux and koffi');
}
