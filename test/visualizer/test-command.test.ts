/** The command that is copied, as a shell reads it. */
import { execFileSync } from 'node:child_process';
import { expect, test } from 'vitest';
import { testCommand } from '../../visualizer/src/recordings/test-command.js';

test('names the recording as it is where it can', () => {
  expect(testCommand('chat-1-20240229T120000123Z.jsonl')).toBe(
    'npx wirechart replay chat-1-20240229T120000123Z.jsonl --as-test',
  );
});

test.each([
  'chat-1-20240229T120000123Z.jsonl',
  'a copy (2).jsonl',
  "it's `id` $HOME; exit.jsonl",
  '~root.jsonl',
  'two\nlines.jsonl',
  'ü.jsonl',
])('%j is one word of it', (file) => {
  const words = execFileSync('sh', ['-c', `set -- ${testCommand(file)}; printf '%s\\0' "$@"`], { encoding: 'utf8' });
  expect(words.split('\0').slice(0, -1)).toEqual(['npx', 'wirechart', 'replay', file, '--as-test']);
});

test('a name that looks like an option is a path', () => {
  expect(testCommand('--out.jsonl')).toBe('npx wirechart replay ./--out.jsonl --as-test');
});
