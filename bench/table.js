/** Makes the printed table, and the same as data. */
import { KINDS } from './fleet.js';
import { median, pairedRatios } from './statistics.js';

/** @typedef {import('./fleet.js').Kind} Kind */
/** @typedef {import('./row.js').Row} Row */
/** @typedef {{ ratio: number, lowest: number, highest: number }} Ratio of paired rounds: median and extremes */

/** @typedef {object} Figure
 *  @property {string} figure
 *  @property {string} unit
 *  @property {'more' | 'less'} better
 *  @property {boolean} refused
 *  @property {string[]} faults
 *  @property {string[]} notes
 *  @property {Partial<Record<Kind, number>>} medians
 *  @property {Partial<Record<Kind, Ratio>>} ratios of ours to the other's
 *  @property {Record<Kind, number[]>} rounds */

/** @param {Row} row @returns {Figure} */
export function figureOf({ figure, unit, better, faults, notes, values, ratioFloor }) {
  const refused = faults.length > 0;
  /** @type {Figure['medians']} */
  const medians = {};
  /** @type {Figure['ratios']} */
  const ratios = {};
  for (const kind of refused ? [] : KINDS) {
    medians[kind] = median(values[kind]);
    const paired = pairedRatios(values.wirechart, values[kind]);
    const least = Math.min(medians.wirechart ?? NaN, medians[kind]);
    if (kind === 'wirechart' || paired.length === 0 || least <= ratioFloor) continue;
    ratios[kind] = { ratio: median(paired), lowest: Math.min(...paired), highest: Math.max(...paired) };
  }
  return { figure: figure.trim(), unit, better, refused, faults, notes, medians, ratios, rounds: values };
}

/** @param {readonly Row[]} rows @returns {string} */
export function printed(rows) {
  const head = ['figure', 'unit', ...KINDS, 'ratio to encode', '(spread)', 'ratio to return', '(spread)'];
  const lines = rows.map((row) => {
    const { medians, ratios, refused } = figureOf(row);
    if (refused) return [row.figure, row.unit, 'REFUSED', '', '', '', '', '', ''];
    const number = (/** @type {Kind} */ kind) => written(medians[kind] ?? NaN, row.digits);
    const ratio = (/** @type {Kind} */ kind) => {
      const of = ratios[kind];
      if (!of) return ['-', ''];
      return [
        of.ratio.toFixed(2),
        row.values[kind].length > 1 ? `${of.lowest.toFixed(2)} to ${of.highest.toFixed(2)}` : '',
      ];
    };
    return [row.figure, row.unit, ...KINDS.map(number), ...ratio('node-net-encode'), ...ratio('node-net-return')];
  });
  const widths = head.map((title, column) =>
    Math.max(title.length, ...lines.map((line) => (line[column] ?? '').length)),
  );
  const drawn = [head, widths.map((width) => '-'.repeat(width)), ...lines].map((line) =>
    line
      .map((cell, column) => (column < 2 ? cell.padEnd(widths[column] ?? 0) : cell.padStart(widths[column] ?? 0)))
      .join('  ')
      .trimEnd(),
  );
  const remarks = rows.flatMap(({ figure, faults, notes }) => [
    ...new Set([
      ...faults.map((fault) => `REFUSED ${figure.trim()}: ${fault}`),
      ...notes.map((note) => `note, ${figure.trim()}: ${note}`),
    ]),
  ]);
  return [...drawn, ...(remarks.length > 0 ? ['', ...remarks] : [])].join('\n');
}

/** @param {number} value @param {number} digits */
function written(value, digits) {
  if (!Number.isFinite(value)) return '-';
  const [whole = '', fraction] = value.toFixed(digits).split('.');
  const grouped = whole.replace(/\B(?=(\d{3})+$)/g, ' ');
  return fraction === undefined ? grouped : `${grouped}.${fraction}`;
}
