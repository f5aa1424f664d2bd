/** One line of the table while it is being measured: values by server and round, and what speaks against them. */
import { KINDS } from './fleet.js';

/** @typedef {import('./fleet.js').Kind} Kind */
/** @typedef {import('./fleet.js').Load} Load */

/** Of a core: above it the load process had no time left. */
const BUSY_SHARE = 0.9;
/** Of a core: a server above it was a bottleneck as well. */
const SERVER_BUSY_SHARE = 0.8;

export class Row {
  /** @type {Record<Kind, number[]>} */
  values = { wirechart: [], 'node-net-encode': [], 'node-net-return': [] };
  /** Why the row must not be printed as a result. @type {string[]} */
  faults = [];
  /** @type {string[]} */
  notes = [];
  /** @type {Record<Kind, { busy: number, slices: number, load: number, server: number }>} */
  #bottlenecks = { wirechart: none(), 'node-net-encode': none(), 'node-net-return': none() };

  /** `ratioFloor`: below it a value is noise, and a ratio of it or to it means nothing.
   *  @param {string} figure
   *  @param {{ unit: string, better: 'more' | 'less', digits: number, ratioFloor?: number }} shape */
  constructor(figure, { unit, better, digits, ratioFloor = 0 }) {
    this.figure = figure;
    this.unit = unit;
    this.better = better;
    this.digits = digits;
    this.ratioFloor = ratioFloor;
  }

  /** @param {Kind} kind @param {number} value */
  add(kind, value) {
    if (Number.isFinite(value)) this.values[kind].push(value);
    else this.faults.push(`${kind}: nothing was measured`);
  }

  /** A wrong or lost answer makes a server look fast: no figure of such a row is worth reading.
   *  @param {Kind} kind @param {Load} load */
  check(kind, { bad, lost, firstError }) {
    if (bad + lost === 0) return;
    this.faults.push(`${kind}: ${bad} wrong and ${lost} lost${firstError === undefined ? '' : ` (${firstError})`}`);
  }

  /** @param {Kind} kind @param {readonly string[]} faults of the server itself */
  checkServer(kind, faults) {
    if (faults.length > 0) this.faults.push(`${kind}: ${faults.length} faults, the first: ${faults[0]}`);
  }

  /** @param {Kind} kind @param {Load} load @param {number} serverCpuMs */
  watchLoad(kind, load, serverCpuMs) {
    const seen = this.#bottlenecks[kind];
    seen.slices += 1;
    seen.load += load.cpuMs / load.wallMs;
    seen.server += serverCpuMs / load.wallMs;
    if (load.cpuMs / load.wallMs > BUSY_SHARE && serverCpuMs / load.wallMs < SERVER_BUSY_SHARE) seen.busy += 1;
  }

  /** To be called when all is measured. */
  finish() {
    for (const kind of KINDS) {
      const { busy, slices, load, server } = this.#bottlenecks[kind];
      if (busy === 0) continue;
      const shares = `load process ${percent(load / slices)}, server ${percent(server / slices)} of a core`;
      this.notes.push(`${kind}: the load was the bottleneck in ${busy} of ${slices} slices (${shares})`);
    }
    return this;
  }
}

function none() {
  return { busy: 0, slices: 0, load: 0, server: 0 };
}

/** @param {number} share */
function percent(share) {
  return `${Math.round(share * 100)} %`;
}
