/** Many seeds of one scenario: what is reported of those that hold, and how one that does not is cut down. */
import { describe, expect, test } from 'vitest';
import echo from '../../examples/echo/index.js';
import { Generator } from '../../src/socket/simulated/generator.js';
import { drawFaults, FAULT_KINDS } from '../../src/testing/faults.js';
import { simulate, type Scenario } from '../../src/testing/simulate.js';
import { WorldError } from '../../src/testing/world-error.js';

const busy: Scenario = {
  name: 'busy',
  world: { latencyMs: 5, jitterMs: 5 },
  async play(world) {
    const server = await world.server(echo);
    world.drawFaults({ perSecond: 3, durationMs: 10_000 });
    for (let n = 0; n < 10; n += 1) {
      world.peer(server).send({ type: 'FRAME', payload: Uint8Array.of(n) });
      world.advanceBy(1_000);
    }
    world.calm();
  },
};

describe('simulate', () => {
  test('reports seeds, sessions, virtual time and reasons, and the same hash each time', async () => {
    const [one, two] = [await simulate(busy, { seedCount: 5 }), await simulate(busy, { seedCount: 5 })];
    expect(one).toEqual(two);
    expect(one).toMatchObject({ scenario: 'busy', seedCount: 5, failures: [] });
    expect(one.sessionCount).toBeGreaterThanOrEqual(50);
    expect(one.virtualMs).toBeGreaterThan(5 * 20_000);
    expect(Object.keys(one.reasons)).toContain('wait timeout');
    const other = await simulate(busy, { firstSeed: 6, seedCount: 5 });
    expect(other.digest).not.toBe(one.digest);
  });

  test('of a seed that fails, only the faults that matter are left, and they fail again', async () => {
    const afraid: Scenario = {
      ...busy,
      name: 'afraid of resets',
      async play(world) {
        const server = await world.server(echo);
        world.faults([
          { atMs: 100, kind: 'weather', conditions: { latencyMs: 50 }, durationMs: 1_000 },
          { atMs: 200, kind: 'reset', peer: 0 },
          { atMs: 300, kind: 'stall', durationMs: 100 },
          { atMs: 400, kind: 'fin', peer: 1 },
        ]);
        for (let n = 0; n < 3; n += 1) world.peer(server);
        world.advanceBy(2_000);
        if (world.reasons['peer reset']) throw new WorldError('PROPERTY_BROKEN', 'somebody was reset');
      },
    };
    const { failures } = await simulate(afraid, { seedCount: 50 });
    expect(failures).toHaveLength(1);
    expect(failures[0]).toMatchObject({ seed: 1, faults: [{ atMs: 200, kind: 'reset', peer: 0 }] });
    expect(failures[0]!.message).toMatch(
      /^afraid of resets, seed 1: somebody was reset\nIt fails with these faults alone:/,
    );
  });

  test('a scenario that cannot be played, and an option that there is not, are refused before any seed', async () => {
    await expect(simulate({ name: 'none' } as never)).rejects.toThrow(
      'simulate.scenario.play: expected a function that takes a world, got undefined',
    );
    await expect(simulate(busy, { seeds: 3 } as never)).rejects.toThrow('simulate.seeds: there is no such option');
  });

  test('a fault that matters only beside another one is not left when that one can go', async () => {
    const struck = (lines: readonly string[], kind: string) =>
      lines.some((line) => line.includes(`fault {"kind":"${kind}"`));
    const odd: Scenario = {
      name: 'odd',
      async play(world) {
        await world.server(echo);
        world.faults([
          { atMs: 1, kind: 'acceptErrors', count: 1 },
          { atMs: 2, kind: 'scan', count: 1, by: 'fin' },
        ]);
        world.advanceBy(100);
        // The accept errors are needed as long as there is a scan, and the scan is not.
        if (struck(world.trace, 'scan') && !struck(world.trace, 'acceptErrors')) return;
        throw new WorldError('PROPERTY_BROKEN', 'odd');
      },
    };
    const { failures } = await simulate(odd, { seedCount: 1 });
    expect(failures[0]!.faults).toEqual([]);
  });

  test('what depends on more than the seed is found: the second run has another trace', async () => {
    let runs = 0;
    const fickle: Scenario = { name: 'fickle', play: (world) => world.note(`run ${(runs += 1)}`) };
    const { failures } = await simulate(fickle, { seedCount: 3 });
    expect(failures.map(({ error }) => (error as WorldError).code)).toEqual(['NOT_DETERMINISTIC']);
  });

  test('a scenario that fails without any fault says so', async () => {
    const wrong: Scenario = {
      name: 'wrong',
      play: () => {
        throw new Error('always');
      },
    };
    const { failures } = await simulate(wrong);
    expect(failures[0]!.message).toBe('wrong, seed 1: always\nIt fails without any fault');
  });
});

describe('drawFaults', () => {
  test('draws each kind, in the order of their moments, and as many as asked for', () => {
    const faults = drawFaults(new Generator(1), { perSecond: 20, durationMs: 20_000 });
    expect(faults).toHaveLength(400);
    expect(new Set(faults.map(({ kind }) => kind))).toEqual(new Set(FAULT_KINDS));
    expect(faults.every(({ atMs }, n) => n === 0 || atMs >= faults[n - 1]!.atMs)).toBe(true);
    expect(faults.at(-1)!.atMs).toBeLessThan(20_000);
  });

  test('is plain data: what was printed can be played again', () => {
    const faults = drawFaults(new Generator(2), { perSecond: 5, durationMs: 10_000 });
    expect(JSON.parse(JSON.stringify(faults))).toEqual(faults);
  });

  test('says what is wrong with an option', () => {
    const chance = new Generator(1);
    expect(() => drawFaults(chance, { perSecond: -1, durationMs: 1 })).toThrow('drawFaults.perSecond: expected');
    expect(() => drawFaults(chance, { perSecond: 1, durationMs: 1, kinds: ['fire' as never] })).toThrow('expected');
  });
});
