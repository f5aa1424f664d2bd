/** Whatever a script does, its attack stays within its bounds, and nothing of it is left. */
import { describe, expect, test } from 'vitest';
import { AttackRun, crowd, type AttackBounds } from '../../src/explore/attack.js';
import { attacks } from '../../src/explore/attacks/attacks.js';
import { Peers } from '../../src/explore/peer.js';
import { createTcpServer } from '../../src/server.js';
import { Generator } from '../../src/socket/simulated/generator.js';
import { createSimulatedNetwork } from '../../src/socket/simulated/network.js';
import { VirtualTime } from '../../src/time/virtual-time.js';
import echo from '../../examples/echo/index.js';

const BOUNDS: AttackBounds = {
  durationMs: 5_000,
  connectionsMax: 6,
  connectionsTotalMax: 30,
  connectionBytesMax: 1_000,
  connectsPerSecond: 100,
  bytesPerSecond: 100_000,
  framesPerSecond: 1_000,
};

async function lab(bounds: Partial<AttackBounds> = {}) {
  const time = new VirtualTime();
  const network = createSimulatedNetwork({ time, seed: 1 });
  const address = { host: '10.0.0.1', port: 7_000 };
  const layer = network.layer(address.host);
  const server = createTcpServer(echo, { ...address, time, layer });
  const started = server.start();
  await time.settle();
  await started;
  const peers = new Peers(network.layer('10.0.0.66'));
  const timersBefore = time.pendingCount;
  const run = new AttackRun({
    peers,
    address,
    time,
    generator: new Generator(1),
    frames: undefined,
    bounds: { ...BOUNDS, ...bounds },
  });
  return { time, server, peers, run, timersBefore };
}

describe('an attack', () => {
  test('has at most connectionsMax connections at once, and connectionsTotalMax in all', async () => {
    const { time, server, run } = await lab();
    let most = 0;
    server.sessions.changes.subscribe(() => (most = Math.max(most, server.sessions.size)));
    crowd(run, { count: 1_000, script: (attacker) => run.after(100, () => attacker.reset()) });
    time.advanceBy(5_000);
    expect(most).toBe(6);
    expect(run.connections).toBe(30);
    expect(run.endings.self).toBe(30);
    expect(run.connect()).toBeUndefined();
  });

  test('sends at most connectionBytesMax bytes on a connection: a write that does not fit is not sent', async () => {
    const { time, run } = await lab();
    const attacker = run.connect()!;
    const said: boolean[] = [attacker.write(new Uint8Array(1))];
    attacker.whenConnected(() => said.push(...[999, 2, 1].map((bytes) => attacker.write(new Uint8Array(bytes)))));
    time.advanceBy(10);
    expect(said).toEqual([false, true, false, true]);
    expect(run.bytesSent).toBe(1_000);
  });

  test('writes nothing more while the server does not take what it has', async () => {
    const { time, run, server } = await lab({ connectionBytesMax: 10_000_000 });
    const attacker = run.connect({ reads: false })!;
    time.advanceBy(10);
    // Frames of one byte, which are answered and never read: sooner or later nobody takes anything.
    const frames = new Uint8Array(50_000).map((_, index) => (index % 5 === 3 ? 1 : 0));
    let refused = false;
    for (let count = 0; count < 100 && !refused; count += 1) {
      refused = !attacker.write(frames);
      time.advanceBy(1);
    }
    expect(refused).toBe(true);
    expect([...server.sessions][0]!.transportState).toEqual({ connected: 'congested' });
  });

  test.each(attacks.filter(({ needsFrames }) => needsFrames !== true))(
    '$name leaves no timer, no connection and no session when it is over',
    async (attack) => {
      const { time, server, peers, run, timersBefore } = await lab();
      attack.run(run);
      time.advanceBy(2_000);
      expect(run.connections).toBeGreaterThan(0);
      run.end();
      expect(run.connect()).toBeUndefined();
      time.advanceBy(1_000);
      expect({ peers: peers.liveCount, sessions: server.sessions.size }).toEqual({ peers: 0, sessions: 0 });
      time.advanceBy(10_000);
      expect(time.pendingCount).toBe(timersBefore);
    },
  );

  test('has a name of its own, and says what it does and what a good server does', () => {
    expect(new Set(attacks.map(({ name }) => name)).size).toBe(attacks.length);
    for (const { name, does, goodServer } of attacks) {
      expect(name).toMatch(/^[a-z]+(-[a-z]+)*$/);
      expect(does).toMatch(/^[A-Z].*\.$/);
      expect(goodServer).toMatch(/^[A-Z].*\.$/);
    }
  });
});
