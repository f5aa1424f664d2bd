/** A recording in the page: at each of its moments the charts show what the recording says. */
import { mkdtempSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import chat from '../../examples/chat/index.js';
import { createVisualizer } from '../../src/inspect/index.js';
import { readRecording } from '../../src/inspect/recording-text.js';
import { createTcpServer } from '../../src/server.js';
import { rowsOf } from '../../visualizer/src/session/rows.js';
import { readStory } from '../../visualizer/src/session/story.js';
import { closePages, expectComplaint, hasNoBrowser, newPage, type Page } from './browser.js';
import { chatPeer } from './fleet.js';
import { activeStates } from './site.js';

let folder: string;
let file: string;
let text: string;
let visualizer: ReturnType<typeof createVisualizer>;

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'wirechart-replay-'));
  const server = createTcpServer(chat);
  await server.start();
  const peer = await chatPeer(server.address()!.port);
  await peer.hears('welcome');
  const [session] = server.sessions;
  const recording = session!.record({ payloads: true });
  peer.say(`nick ${peer.nick}`);
  await peer.hears('you are');
  peer.say('join lobby');
  await peer.hears('you are in');
  for (const line of ['say hello', 'nonsense', 'quit']) peer.say(line);
  await peer.ended();
  file = await recording.save(folder);
  text = readFileSync(file, 'utf8');
  await server.stop();
  visualizer = createVisualizer([], { recordings: file });
  await visualizer.start();
});

afterEach(async () => {
  await closePages();
  await visualizer.stop();
  rmSync(folder, { recursive: true, force: true });
});

async function open(path: string): Promise<Page> {
  const page = await newPage();
  await page.goto(visualizer.url);
  await page.goto(new URL(path, visualizer.url).href);
  return page;
}

/** Ids of the states of a value, without the chart itself. */
function idsOf(chart: string, value: unknown, above = chart): string[] {
  if (value === undefined) return [];
  if (typeof value === 'string') return [`${above}.${value}`];
  return Object.entries(value as object).flatMap(([key, inner]) => [
    `${above}.${key}`,
    ...(typeof inner === 'object' && Object.keys(inner as object).length === 0
      ? []
      : idsOf(chart, inner, `${above}.${key}`)),
  ]);
}

/** After each entry, by its number: the states that a reader who knows nothing of the page finds in the file. */
function recordedStates(): readonly (readonly string[])[] {
  const { entries } = readRecording(text);
  const values: { transport: unknown; protocol: unknown } = { transport: undefined, protocol: undefined };
  return entries.map((entry) => {
    if (entry.kind === 'checkpoint' && entry.charts)
      Object.assign(values, { transport: entry.charts.transport.value, protocol: entry.charts.protocol.value });
    if (entry.kind === 'step' && entry.state !== undefined) values[entry.chart] = entry.state;
    return [...idsOf('session', values.transport), ...idsOf('chat', values.protocol)].sort();
  });
}

describe.skipIf(hasNoBrowser)('replay', () => {
  test('at every one of its moments the charts show the states that the file says', async () => {
    const expected = recordedStates();
    const stops = [...new Set(rowsOf(readStory(text), { isAll: true }).map(({ number }) => number))];
    expect(stops.length).toBeGreaterThan(20);
    const page = await open(`/recordings/${file.split('/').at(-1)}`);
    await page.getByRole('checkbox', { name: 'transport steps' }).check();
    await page.locator('[data-state="chat.inside"]').first().waitFor();
    await page.locator('main h1').first().click();
    await page.keyboard.press('Home');
    for (const [index, number] of stops.entries()) {
      await page.getByText(`event ${index + 1} of ${stops.length} `).waitFor();
      await expect.poll(() => activeStates(page)).toEqual(expected[number]);
      await page.keyboard.press('ArrowRight');
    }
  });

  test('keys step, jump between changes of state and play; the scrubber and the address follow', async () => {
    const page = await open(`/recordings/${file.split('/').at(-1)}`);
    const position = page.getByRole('slider', { name: 'Position' });
    await position.waitFor();
    const last = Number(await position.getAttribute('max'));
    await page.locator('main h1').first().click();
    await page.keyboard.press('End');
    await expect.poll(() => position.inputValue()).toBe(`${last}`);
    await expect.poll(() => activeStates(page)).toContain('chat.leaving');
    await page.keyboard.press('ArrowLeft');
    await expect.poll(() => position.inputValue()).toBe(`${last - 1}`);
    await page.keyboard.press('Home');
    await page.keyboard.press(']');
    await expect.poll(() => position.inputValue()).not.toBe('0');
    const at = await position.inputValue();
    await page.keyboard.press('[');
    await expect.poll(() => position.inputValue()).not.toBe(at);
    await page.getByRole('combobox', { name: 'Speed' }).selectOption('10');
    await page.locator('main h1').first().click();
    await page.keyboard.press(' ');
    await expect.poll(() => position.inputValue()).toBe(`${last}`);
    const stops = rowsOf(readStory(text), { isAll: false }).map(({ number }) => number);
    await expect.poll(() => new URL(page.url()).searchParams.get('at')).toBe(`${stops.at(-1)}`);
    const address = page.url();
    const before = await activeStates(page);
    await page.goto(address);
    await expect.poll(() => activeStates(page)).toEqual(before);
  });

  test('the context shows what a step has changed', async () => {
    const page = await open(`/recordings/${file.split('/').at(-1)}`);
    await page.getByRole('option', { name: /ENTERED/ }).click();
    await page.getByText('"lobby"').first().waitFor();
    const changed = page.locator('.is-changed, [data-changed], .plain-changed').first();
    await changed.waitFor();
    expect(await changed.textContent()).toContain('room');
  });

  test('a button copies the command that makes a test of the recording, and shows it', async () => {
    const page = await open(`/recordings/${file.split('/').at(-1)}`);
    await page.context().grantPermissions(['clipboard-read', 'clipboard-write']);
    await page.getByRole('button', { name: 'Copy test command' }).click();
    await page.getByText('Copied.').waitFor();
    const command = `npx wirechart replay ${file.split('/').at(-1)} --as-test`;
    expect(await page.evaluate('navigator.clipboard.readText()')).toBe(command);
    const shown = page.getByRole('textbox', { name: 'Test command' });
    expect(await shown.inputValue()).toBe(command);
    await page.keyboard.press('Escape');
    await expect.poll(() => shown.count()).toBe(0);
  });

  test.each([
    ['has no clipboard', 'undefined'],
    ['may not write to it', '{ writeText: () => Promise.reject(new DOMException("no", "NotAllowedError")) }'],
  ])('a page that %s shows the command, selected, to be copied by hand', async (_, clipboard) => {
    const page = await newPage();
    await page.addInitScript(`Object.defineProperty(Navigator.prototype, 'clipboard', { get: () => (${clipboard}) })`);
    await page.goto(visualizer.url);
    await page.goto(new URL(`/recordings/${file.split('/').at(-1)}`, visualizer.url).href);
    await page.getByRole('button', { name: 'Copy test command' }).click();
    await page.getByText('copy it by hand').waitFor();
    await expect
      .poll(() => page.evaluate('getSelection().toString()'))
      .toBe(`npx wirechart replay ${file.split('/').at(-1)} --as-test`);
    // Keys are for the command now, not for the recording.
    const at = await page.getByRole('slider', { name: 'Position' }).inputValue();
    await page.keyboard.press('End');
    expect(await page.getByRole('slider', { name: 'Position' }).inputValue()).toBe(at);
    await page.locator('main h1').first().click();
    await expect.poll(() => page.getByRole('textbox', { name: 'Test command' }).count()).toBe(0);
  });

  test('a file of more than 64 MiB is in the list, and says why it is not shown when it is opened', async () => {
    expectComplaint(/403/);
    const large = join(folder, 'large.jsonl');
    writeFileSync(large, '');
    truncateSync(large, 64 * 2 ** 20 + 1);
    await visualizer.stop();
    visualizer = createVisualizer([], { recordings: folder });
    await visualizer.start();
    const page = await open('/recordings');
    await page.getByRole('link', { name: 'large.jsonl' }).click();
    await page.getByText('it has 64.1 MiB, and a page shows recordings of 64 MiB at most.').waitFor();
  });
});
