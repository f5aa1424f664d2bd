import { describe, expect, test } from 'vitest';
import { parseSelection, SelectionError } from '../../../src/inspect/outlets/selection.js';

const parse = (query: string) => parseSelection(new URLSearchParams(query), ['echo', 'chat']);

describe('the query of an outlet', () => {
  test('without a choice is the newest 10 sessions, and up to 50 of those that come', () => {
    expect(parse('token=x')).toEqual({
      sources: undefined,
      sessions: undefined,
      state: undefined,
      max: 50,
      first: 10,
    });
    expect(parse('max=4')).toMatchObject({ max: 4, first: 4 });
  });

  test('names sessions, with commas or again, each once', () => {
    expect(parse('sessions=1,2,%202&sessions=chat/7,')).toMatchObject({
      sessions: new Set(['1', '2', 'chat/7']),
      max: 50,
      first: 50,
    });
  });

  test('names a state, or servers', () => {
    expect(parse('state=connected.flowing&source=chat')).toMatchObject({
      state: 'connected.flowing',
      sources: new Set(['chat']),
      first: 50,
    });
  });

  const many = Array.from({ length: 51 }, (_, n) => n).join();
  test.each([
    [`sessions=${many}`, 'sessions: 51 are too many, at most 50 can be followed'],
    ['sessions=1,2,3&max=2', 'sessions: 3 are too many, at most 2 can be followed'],
    ['max=51', 'max: expected 1 to 50, got "51"'],
    ['max=0', 'max: expected 1 to 50, got "0"'],
    ['max=1e1', 'max: expected 1 to 50, got "1e1"'],
    ['source=ftp', 'source: there is no "ftp"'],
    ['sessions=1&state=connected', 'expected sessions or state, not both'],
  ])('%s is refused: %s', (query, message) => {
    expect(() => parse(query)).toThrow(new SelectionError(message));
  });

  test.each(['source=', 'max='])('a reason fits a close frame, whatever stands behind %s', (name) => {
    for (const text of ['x'.repeat(5_000), '\u0000'.repeat(100), 'ü'.repeat(200), '"'.repeat(300)]) {
      const failure = (() => {
        try {
          return parse(`${name}${encodeURIComponent(text)}`);
        } catch (error) {
          return error as Error;
        }
      })();
      expect(failure).toBeInstanceOf(SelectionError);
      expect(Buffer.byteLength((failure as Error).message)).toBeLessThanOrEqual(123);
    }
  });
});
