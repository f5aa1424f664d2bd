/** The command line of the bench, and what the machine allows of it. */
import { parseArgs } from 'node:util';

/** @typedef {import('./servers/kernel-options.js').KernelOptions} KernelOptions */

/** @typedef {object} Settings
 *  @property {KernelOptions} kernel
 *  @property {number} rounds of slices
 *  @property {number} sliceMs
 *  @property {number} holdRounds of memory and of holding
 *  @property {number} connections held at once
 *  @property {number} holdMs
 *  @property {number} paceMs between two frames of a connection that sends
 *  @property {{ readonly peers: number, readonly virtualMs: number, readonly lifetimes: number }} world simulated
 *  @property {{ readonly sessions: number, readonly sliceMs: number }} watched by a visualizer
 *  @property {ReadonlySet<string>} only
 *  @property {string | undefined} profileFolder */

export const FIGURES = [
  'messages',
  'batches',
  'connects',
  'memory',
  'idle',
  'paced',
  'late',
  'world',
  'lifetimes',
  'watched',
];

/** For the process itself: standard streams, libraries, channels. */
const DESCRIPTOR_RESERVE = 200;

export const USAGE = `node bench/run.js [--quick] [--only ${FIGURES.join(',')}] [--rounds N]
  [--connections N] [--kernel system|notes|both] [--json] [--profile FOLDER]`;

/** @param {string[]} args @throws {TypeError} when they make no sense */
export function parseOptions(args) {
  const { values } = parseArgs({
    args,
    options: {
      quick: { type: 'boolean', default: false },
      only: { type: 'string', default: FIGURES.join(',') },
      rounds: { type: 'string' },
      connections: { type: 'string' },
      kernel: { type: 'string', default: 'both' },
      json: { type: 'boolean', default: false },
      profile: { type: 'string' },
      help: { type: 'boolean', default: false },
    },
  });
  const { quick, json, help, kernel } = values;
  const only = new Set(values.only.split(','));
  for (const name of only) if (!FIGURES.includes(name)) throw new TypeError(`--only: there is no figure ${name}`);
  const rounds = count('--rounds', values.rounds ?? (quick ? '3' : '10'));
  const connections = count('--connections', values.connections ?? (quick ? '500' : '10000'));
  return {
    json,
    help,
    kernels: kernelsOf(kernel),
    settings: {
      rounds,
      sliceMs: quick ? 200 : 450,
      holdRounds: quick ? 1 : Math.min(rounds, 3),
      connections,
      holdMs: quick ? 2_000 : 10_000,
      paceMs: quick ? 1_000 : 5_000,
      world: quick
        ? { peers: 200, virtualMs: 10_000, lifetimes: 5_000 }
        : { peers: 1_000, virtualMs: 60_000, lifetimes: 100_000 },
      watched: quick ? { sessions: 2_000, sliceMs: 1_000 } : { sessions: 20_000, sliceMs: 5_000 },
      only,
      profileFolder: values.profile,
    },
  };
}

/** @param {number} wanted @returns {number} connections that one process can hold here */
export function withinDescriptors(wanted) {
  const report = /** @type {any} */ (process.report?.getReport());
  const limit = report?.userLimits?.open_files?.soft;
  return typeof limit === 'number' ? Math.max(1, Math.min(wanted, limit - DESCRIPTOR_RESERVE)) : wanted;
}

/** @param {string} kernel @returns {KernelOptions[]} */
function kernelsOf(kernel) {
  if (kernel === 'both') return ['system', 'notes'];
  if (kernel === 'system' || kernel === 'notes') return [kernel];
  throw new TypeError(`--kernel: expected system, notes or both, got ${kernel}`);
}

/** @param {string} name @param {string} value */
function count(name, value) {
  const number = Number(value);
  if (Number.isInteger(number) && number > 0) return number;
  throw new TypeError(`${name}: expected a whole number above 0, got ${value}`);
}
