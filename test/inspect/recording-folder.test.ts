/** Files of recordings: their names, and what happens when they cannot be written. */
import { chmodSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { RecordingFolder, recordingName, saveRecording } from '../../src/inspect/recording-folder.js';

let folder: string;
beforeEach(() => (folder = mkdtempSync(join(tmpdir(), 'wirechart-recordings-'))));
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const wallMs = Date.UTC(2024, 1, 29, 12, 0, 0, 123);

describe('names', () => {
  test('say protocol, session and time', () => {
    expect(recordingName({ protocol: 'media-control', session: '17', wallMs })).toBe(
      'media-control-17-20240229T120000123Z.jsonl',
    );
  });

  test.each([
    ['../../etc/passwd', '_etc_passwd'],
    ['a/b\\c:d*e?f"g<h>i|j', 'a_b_c_d_e_f_g_h_i_j'],
    ['nul\u0000line\nend', 'nul_line_end'],
    ['', '_'],
    ['.', '_'],
    ['..', '_'],
    ['\u{1f600}', '_'],
    ['x'.repeat(300), 'x'.repeat(60)],
  ])('an id of %j cannot leave the folder', (session, safe) => {
    expect(recordingName({ protocol: 'p', session, wallMs })).toBe(`p-${safe}-20240229T120000123Z.jsonl`);
  });
});

describe('a folder', () => {
  const failures: string[] = [];
  const folderOf = (path: string, filesMax = 10) => {
    failures.length = 0;
    return new RecordingFolder(path, filesMax, (message) => failures.push(message));
  };

  test('is made with those above it when it is opened', () => {
    const path = join(folder, 'a/b');
    folderOf(path).open();
    expect(readdirSync(path)).toEqual([]);
  });

  test('that cannot be is an error that names it', () => {
    writeFileSync(join(folder, 'file'), '');
    const error = expect.objectContaining({
      code: 'FOLDER_UNUSABLE',
      message: expect.stringContaining(join(folder, 'file/below')) as string,
    });
    expect(() => folderOf(join(folder, 'file/below')).open()).toThrow(error as Error);
  });

  test('writes files of the same name beside each other, never over each other', async () => {
    const recordings = folderOf(folder);
    for (const text of ['one', 'two', 'three']) recordings.write('a.jsonl', () => text);
    await recordings.flushed();
    expect(statSync(join(folder, 'a.jsonl')).mode & 0o777).toBe(0o600);
    expect(
      readdirSync(folder)
        .sort()
        .map((name) => [name, readFileSync(join(folder, name), 'utf8')]),
    ).toEqual([
      ['a-2.jsonl', 'two'],
      ['a-3.jsonl', 'three'],
      ['a.jsonl', 'one'],
    ]);
  });

  test('makes the text when its turn comes, and goes on after one that cannot be made', async () => {
    const recordings = folderOf(folder);
    let made = 0;
    recordings.write('bad.jsonl', () => {
      throw new Error('no text');
    });
    recordings.write('good.jsonl', () => `${(made += 1)}`);
    expect(made).toBe(0);
    await recordings.flushed();
    expect(failures).toEqual(['the recording bad.jsonl could not be written: no text']);
    expect(readFileSync(join(folder, 'good.jsonl'), 'utf8')).toBe('1');
  });

  test('of 2 files at most takes 2 of 4, and says so once', async () => {
    const recordings = folderOf(folder, 2);
    for (const name of ['a', 'b', 'c', 'd']) recordings.write(`${name}.jsonl`, () => name);
    await recordings.flushed();
    expect(readdirSync(folder).sort()).toEqual(['a.jsonl', 'b.jsonl']);
    expect(failures).toEqual([`there are 2 recordings in ${folder}: no more are written (filesMax)`]);
  });

  test('that has gone meanwhile fails each file, and nothing else', async () => {
    const recordings = folderOf(join(folder, 'gone'));
    recordings.write('a.jsonl', () => 'a');
    await recordings.flushed();
    expect(failures).toEqual([expect.stringMatching(/^the recording a\.jsonl could not be written: ENOENT/)]);
  });
});

describe('saving one', () => {
  test('into a folder, which is made, under its own name; or under the name that was asked for', async () => {
    const own = await saveRecording(join(folder, 'new'), 'a.jsonl', 'x');
    expect(own).toBe(join(folder, 'new/a.jsonl'));
    const asked = await saveRecording(join(folder, 'other/mine.jsonl'), 'a.jsonl', 'y');
    expect(readFileSync(asked, 'utf8')).toBe('y');
  });

  test('never over a file that is there', async () => {
    const path = join(folder, 'mine.jsonl');
    writeFileSync(path, 'mine');
    chmodSync(path, 0o644);
    await expect(saveRecording(path, 'a.jsonl', 'y')).rejects.toMatchObject({ code: 'EEXIST' });
    expect(readFileSync(path, 'utf8')).toBe('mine');
  });
});
