/** Of simulated worlds: how fast they run, and what the lives of their sessions leave behind. They have no rival here, and no kernel. */
import { Child } from '../child.js';
import { Row } from '../row.js';

/** The first of the rounds' seeds: each round is another world. */
const FIRST_SEED = 1;
/** Each answer has a limit. */
const ASKED_AT_ONCE = 10_000;

/** @param {import('../options.js').Settings} settings @param {import('../run.js').Progress} progress @returns {Promise<Row[]>} */
export async function measureSimulation({ kernel, only, holdRounds, world }, progress) {
  const rows = [];
  if (kernel !== 'system') return [];
  if (only.has('world')) {
    const { peers, virtualMs } = world;
    const ratio = new Row(`a world of ${peers} peers, ${virtualMs / 1_000} s: virtual to CPU time`, {
      unit: 'times',
      better: 'more',
      digits: 1,
    });
    const deliveries = new Row('  of it, deliveries a virtual second', { unit: '1/s', better: 'more', digits: 0 });
    await inRounds(holdRounds, async (child, seed) => {
      progress(`world, seed ${seed}`);
      const measured = await child.ask('world', { seed, peers, virtualMs });
      ratio.add('wirechart', measured.ratio);
      deliveries.add('wirechart', measured.deliveriesPerSecond);
    });
    rows.push(ratio, deliveries);
  }
  if (only.has('lifetimes')) {
    const { lifetimes } = world;
    const row = new Row(`heap growth over ${lifetimes} session lifetimes in one world`, {
      unit: 'B each',
      better: 'less',
      digits: 1,
    });
    await inRounds(holdRounds, async (child, seed) => {
      progress(`lifetimes, seed ${seed}`);
      for (let left = lifetimes; left > 0; left -= ASKED_AT_ONCE) {
        await child.ask('live', { seed, lifetimes: Math.min(left, ASKED_AT_ONCE) });
      }
      const { bytesPerLifetime, closed } = await child.ask('endLives');
      row.add('wirechart', bytesPerLifetime);
      // Some connections end before they are accepted.
      if (closed < 0.9 * lifetimes) row.faults.push(`only ${closed} of ${lifetimes} sessions have lived`);
    });
    rows.push(row);
  }
  return rows;
}

/** @param {number} rounds @param {(child: Child, seed: number) => Promise<void>} measure */
async function inRounds(rounds, measure) {
  for (let round = 0; round < rounds; round += 1) {
    const child = new Child('worlds.js', ['--expose-gc']);
    try {
      await measure(child, FIRST_SEED + round);
    } finally {
      await child.end();
    }
  }
}
