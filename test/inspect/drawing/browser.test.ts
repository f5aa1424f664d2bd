/**
 * Pictures in a real browser, with the boxes that its own text has: in each font that is there of those that readers may have.
 */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { expect, test } from 'vitest';
import { drawChart } from '../../../src/inspect/index.js';
import { chromium, CHROMIUM_FLAGS, hasNoBrowser } from '../../chromium.js';
import { charts } from './charts.js';

const FLAGS = [...CHROMIUM_FLAGS, '--allow-file-access-from-files'];
const FONTS = ['the reader’s own', 'DejaVu Sans', 'Liberation Sans'];

/** What the page's script finds in one drawing, with one font. */
interface Found {
  readonly name: string;
  readonly font: string;
  readonly texts: number;
  readonly overlaps: readonly string[];
  readonly tooWide: readonly string[];
  readonly outside: readonly string[];
  readonly ends: number;
  readonly looseEnds: readonly string[];
}

/** Runs in the page. */
const SCRIPT = `
const results = [];
for (const figure of document.querySelectorAll('figure')) for (const font of FONTS) {
  const svg = figure.querySelector('svg');
  svg.style.fontFamily = font === FONTS[0] ? '' : font;
  const result = { name: figure.title, font, texts: 0, overlaps: [], tooWide: [], outside: [], ends: 0, looseEnds: [] };
  const texts = [...svg.querySelectorAll('text')].map((text) => ({ text, box: text.getBBox() }));
  result.texts = texts.length;
  const meet = (a, b) => a.x < b.x + b.width && b.x < a.x + a.width && a.y < b.y + b.height && b.y < a.y + a.height;
  texts.forEach(({ text, box }, index) => {
    if (box.width > Number(text.dataset.width) + 0.5) result.tooWide.push(text.textContent + ': ' + box.width);
    for (const other of texts.slice(index + 1)) if (meet(box, other.box)) result.overlaps.push(text.textContent + ' and ' + other.text.textContent);
    const outer = text.parentNode.querySelector('rect').getBBox();
    if (box.x < outer.x || box.x + box.width > outer.x + outer.width || box.y < outer.y || box.y + box.height > outer.y + outer.height)
      result.outside.push(text.textContent);
  });
  const states = new Map([...svg.querySelectorAll('.state')].map((group) => [group.dataset.state, group.querySelector('.box').getBBox()]));
  for (const arrow of svg.querySelectorAll('.arrow')) {
    const box = states.get(arrow.dataset.target);
    const tip = arrow.querySelector('.head').getPointAtLength(0);
    const near = (a, b) => Math.abs(a - b) < 0.1;
    const inX = tip.x > box.x - 0.1 && tip.x < box.x + box.width + 0.1, inY = tip.y > box.y - 0.1 && tip.y < box.y + box.height + 0.1;
    const on = (inY && (near(tip.x, box.x) || near(tip.x, box.x + box.width))) || (inX && (near(tip.y, box.y) || near(tip.y, box.y + box.height)));
    result.ends += 1;
    if (!on) result.looseEnds.push(arrow.dataset.source + ' -> ' + arrow.dataset.target);
  }
  results.push(result);
}
document.body.textContent = 'RESULTS' + JSON.stringify(results) + 'END';
`;

function look(page: string): Found[] {
  const folder = mkdtempSync(join(tmpdir(), 'wirechart-drawing-'));
  try {
    const file = join(folder, 'page.html');
    writeFileSync(file, page);
    const args = [...FLAGS, `--user-data-dir=${join(folder, 'profile')}`, '--dump-dom', pathToFileURL(file).href];
    const { stdout, stderr, error } = spawnSync(chromium!, args, {
      encoding: 'utf8',
      timeout: 60_000,
      maxBuffer: 64 * 1024 * 1024,
    });
    const [, json] = /RESULTS(.*)END/s.exec(stdout) ?? [];
    if (json === undefined) throw new Error(`${chromium} found nothing: ${error?.message ?? stderr}`);
    const text = json.replace(/&lt;/g, '<').replace(/&gt;/g, '>').replace(/&amp;/g, '&');
    return JSON.parse(text) as Found[];
  } finally {
    rmSync(folder, { recursive: true, force: true, maxRetries: 5 });
  }
}

test.skipIf(hasNoBrowser)(
  'in Chromium no two text boxes overlap, no text is wider than the drawing counts on, and every arrow ends at its state',
  async () => {
    expect(chromium, 'Chromium has to be installed in CI').toBeDefined();
    const figures: string[] = [];
    for (const { name, machine } of charts)
      for (const actions of [false, true])
        figures.push(
          `<figure title="${name}${actions ? ', with actions' : ''}">${await drawChart(machine, { actions })}</figure>`,
        );
    const page = `<!doctype html><meta charset="utf-8"><body>${figures.join('\n')}<script>const FONTS = ${JSON.stringify(FONTS)};${SCRIPT}</script></body>`;
    const results = look(page);
    expect(results).toHaveLength(charts.length * 2 * FONTS.length);
    expect(results.reduce((sum, { texts }) => sum + texts, 0)).toBeGreaterThan(1_000);
    expect(results.reduce((sum, { ends }) => sum + ends, 0)).toBeGreaterThan(500);
    for (const { name, font, overlaps, tooWide, outside, looseEnds } of results)
      expect({ name, font, overlaps, tooWide, outside, looseEnds }).toEqual({
        name,
        font,
        overlaps: [],
        tooWide: [],
        outside: [],
        looseEnds: [],
      });
  },
  90_000,
);
