/** What an exploration covers and finds, on protocols with one fault each. What is covered is what real sessions have done. */
import { assign, emit, fromPromise, raise, setup } from 'xstate';
import { describe, expect, test } from 'vitest';
import chat from '../../examples/chat/index.js';
import echo from '../../examples/echo/index.js';
import knockKnock from '../../examples/knock-knock/index.js';
import mediaControl from '../../examples/media-control/index.js';
import { exploreProtocol, type Exploration } from '../../src/explore/explore-protocol.js';
import type { ExploreOptions } from '../../src/explore/explore-options.js';
import { delimited } from '../../src/codec/delimited.js';
import { lines } from '../../src/codec/lines.js';
import { streamed } from '../../src/codec/streamed.js';
import { defineProtocol, type AnyProtocol } from '../../src/session/protocol.js';
import { simulatedHandler } from '../../src/testing/simulated-handler.js';
import { brokenLines, labProtocol, line, type Lab } from '../session/lab.js';

const says = ({ event }: { event: unknown }, text: string) => (event as { text: string }).text === text;
const on = (text: string, more: object = {}) => ({ guard: { type: 'says', params: text }, ...more });

/** A protocol of lines that knows the guard `says`, and whose peers say these lines. */
function wordsProtocol(words: readonly string[], lab: Lab): AnyProtocol {
  const { guards, ...others } = (lab.implementations ?? {}) as { guards?: object };
  return labProtocol({
    ...lab,
    implementations: { ...others, guards: { says, ...guards } },
    samples: { LINE: words.map((text) => ({ text })) },
  });
}

const shownAll = (findings: Exploration['findings']) => findings.map(({ finding, where }) => `${finding} ${where}`);
const shown = ({ findings }: Exploration) => shownAll(findings);

async function found(protocol: AnyProtocol, options: ExploreOptions = {}): Promise<string[]> {
  return shown(await exploreProtocol(protocol, options));
}

describe('the examples', () => {
  test.each([
    { protocol: echo, states: 1, transitions: 1, timeouts: 0 },
    { protocol: knockKnock, states: 3, transitions: 4, timeouts: 2 },
    { protocol: chat, states: 7, transitions: 18, timeouts: 3 },
    { protocol: mediaControl, states: 21, transitions: 42, timeouts: 4 },
  ] as { protocol: AnyProtocol; states: number; transitions: number; timeouts: number }[])(
    '$protocol.name: all $states states, $transitions transitions and $timeouts timeouts are taken by real sessions, and nothing is found',
    async ({ protocol, ...counts }) => {
      const { passes, findings, coverage, bounds } = await exploreProtocol(protocol);
      expect(findings).toEqual([]);
      expect(passes).toBe(true);
      for (const what of ['states', 'transitions', 'timeouts'] as const) {
        expect(coverage[what]).toHaveLength(counts[what]);
        expect(coverage[what].filter(({ count }) => count === 0)).toEqual([]);
      }
      expect(bounds).toMatchObject({ cutShort: [], reached: [] });
    },
  );

  test('the same seed gives the same result, paths and all; another protocol before it changes nothing', async () => {
    const once = await exploreProtocol(chat, { seed: 7 });
    await exploreProtocol(knockKnock, { seed: 3 });
    expect(await exploreProtocol(chat, { seed: 7 })).toEqual(once);
  });

  test('a path of chat is a script that a person can read, with what each step has led to', async () => {
    const { paths } = await exploreProtocol(chat);
    expect(paths.map(({ lines }) => lines)).toContainEqual([
      ' 1. peer 1 sends NICK {"name":"aaaaaaaaaa"}  -> outside',
      ' 2. peer 1 sends ENTER {"room":"aaaaaaaaaa"}; nobody answers  -> entering',
      ' 3. time passes until something is due  -> 5000 ms, after answerTimeout, outside',
    ]);
  });
});

describe('what a chart does not say', () => {
  test('a state that no arrow leads to, and a wait without a deadline, are both named', async () => {
    const protocol = wordsProtocol(['go'], {
      machine: {
        initial: 'asking',
        states: { asking: { on: { LINE: { target: 'asking' } } }, lost: { on: { LINE: 'asking' } } },
        on: {},
      },
      options: { waitTimeoutCountMax: 0 },
    });
    const result = await exploreProtocol(protocol);
    expect(shown(result)).toEqual(['unreachable lost', 'noDeadline asking']);
    expect(result.passes).toBe(false);
    expect(result.coverage.shares).toEqual({ states: 1 / 2, transitions: 1 / 2, timeouts: 1 });
  });

  test('with waits the same state has a deadline: 6 s of silence end the session', async () => {
    const machine = { initial: 'asking', states: { asking: { on: { LINE: { actions: 'echo' } } } }, on: {} };
    expect(await found(wordsProtocol(['go'], { machine }))).toEqual([]);
  });

  test('a hold that waits for a shared actor needs a deadline also where waits are on', async () => {
    const shared = {
      oracle: {
        machine: setup({}).createMachine({
          on: { ASK: { actions: emit(({ event }) => ({ type: 'DISPATCH', session: (event as unknown as { session: string }).session, event: { type: 'TOLD' } })) } },
        }),
      },
    }; // prettier-ignore
    const ask = emit({ type: 'TELL', to: 'oracle', event: { type: 'ASK' } });
    const machine = (asking: object) => ({
      initial: 'idle',
      on: {},
      states: {
        idle: { on: { LINE: 'asking' } },
        asking: { tags: 'hold', entry: 'ask', on: { TOLD: 'idle' }, ...asking },
      },
    });
    const lab = (asking: object) =>
      wordsProtocol(['go'], { machine: machine(asking), shared, implementations: { actions: { ask } } });
    const { findings } = await exploreProtocol(lab({}));
    expect(findings).toMatchObject([
      { finding: 'noDeadline', where: 'asking', path: [' 1. peer 1 sends LINE {"text":"go"}; nobody answers'] },
    ]);
    // Carried out, not even the peer's FIN ends such a session.
    const mute = {
      name: 'mute',
      steps: [{ do: 'send' as const, message: { type: 'LINE', text: 'go' }, answers: 'none' as const }],
    };
    expect(await found(lab({}), { scripts: [mute] })).toEqual(['noDeadline asking', 'leftBehind mute']);
    expect(await found(lab({ after: { 500: 'idle' } }))).toEqual([]);
  });

  test('where a session may stay for ever is also found behind a path that everything is covered without', async () => {
    // Who says `quiet` first turns the waits off, and then every state is one to stay in.
    const off = emit({ type: 'SET_WAITS', count: 0 });
    const protocol = wordsProtocol(['quiet', 'on'], {
      machine: {
        initial: 'a',
        on: {},
        states: {
          a: { on: { LINE: [on('quiet', { target: 'b', actions: 'off' }), { target: 'b' }] } },
          b: { after: { 50: 'c' }, on: { LINE: {} } },
          c: { on: { LINE: { actions: 'echo' } } },
        },
      },
      implementations: { actions: { off } },
    });
    const { findings } = await exploreProtocol(protocol);
    expect(findings).toMatchObject([
      {
        finding: 'noDeadline',
        where: 'c',
        path: [' 1. peer 1 sends LINE {"text":"quiet"}', ' 2. time passes until something is due'],
      },
    ]);
  });

  test('a state that handles nothing and is not final has no exit; one that closes the session on entry has', async () => {
    const machine = (entry: object) => ({
      initial: 'idle',
      on: {},
      states: { idle: { on: { LINE: 'end' } }, end: entry },
    });
    const actions = { close: emit({ type: 'CLOSE', option: 'graceful' }) };
    expect(await found(wordsProtocol(['go'], { machine: machine({}) }))).toEqual(['noExit end']);
    expect(
      await found(wordsProtocol(['go'], { machine: machine({ entry: 'close' }), implementations: { actions } })),
    ).toEqual([]);
    expect(await found(wordsProtocol(['go'], { machine: machine({ type: 'final' }) }))).toEqual([]);
  });

  test('a message that no state handles is named, and a message that only we send and never do', async () => {
    const inner = lines();
    const typed = ({ type, text }: { type: string; text?: string }) => new TextEncoder().encode(`${text ?? type}\n`);
    const codec = () => ({
      ...brokenLines({
        decode: (buffer: never) => {
          const next = inner.decode(buffer);
          return next?.text === 'BYE' ? { type: 'BYE' } : next;
        },
      }),
      peer: () => brokenLines({ encode: typed }),
      messages: [
        { type: 'LINE', direction: 'in' as const, fields: { text: { kind: 'text' as const, max: 10 } } },
        { type: 'BYE', direction: 'in' as const, fields: {} },
        { type: 'WELCOME', direction: 'out' as const, fields: {} },
      ],
    });
    const protocol = labProtocol({ codecs: { lines: codec }, machine: { on: { LINE: {} } } });
    expect(await found(protocol)).toEqual(['unhandled BYE', 'neverSent WELCOME']);
  });

  test('a transition whose guard never passed is named with what it was tried with', async () => {
    const machine = { on: { LINE: [on('open sesame', { actions: 'echo' }), { actions: 'echo' }] } };
    const result = await exploreProtocol(wordsProtocol(['knock', 'hello'], { machine }));
    expect(result.findings).toEqual([
      {
        finding: 'notCovered',
        where: '(chart) LINE [says "open sesame"]',
        text: '(chart) LINE [says "open sesame"]: its guard says "open sesame" never passed; tried with LINE {"text":"knock"}, LINE {"text":"hello"}',
      },
    ]);
    expect(await found(wordsProtocol(['open sesame', 'hello'], { machine }))).toEqual([]);
  });

  test('an after of 12 s where the waits end a silent session at 6 s, and the close deadline all at 11 s, is never due', async () => {
    const states = { idle: { after: { 12_000: 'late' }, on: { LINE: {} } }, late: { type: 'final' } };
    const result = await exploreProtocol(wordsProtocol(['go'], { machine: { initial: 'idle', on: {}, states } }));
    expect(shown(result)).toEqual(['notCovered late', 'notCovered idle after 12000 ms']);
    expect(result.findings[1]?.text).toContain('it was never due');
    const options = { waitTimeoutCountMax: 200 };
    expect(await found(wordsProtocol(['go'], { machine: { initial: 'idle', on: {}, states }, options }))).toEqual([]);
  });
});

describe('what shortest paths do not find', () => {
  test('five wrong lines in a row, counted in the context, which places leave out', async () => {
    const protocol = wordsProtocol(['right', 'wrong'], {
      machine: {
        context: { errors: 0 },
        initial: 'guessing',
        on: {},
        states: {
          guessing: {
            on: {
              LINE: [on('right', { actions: 'forget' }), { guard: 'isLast', target: 'out' }, { actions: 'count' }],
            },
          },
          out: { type: 'final' },
        },
      },
      implementations: {
        guards: { isLast: ({ context }: { context: { errors: number } }) => context.errors >= 4 },
        actions: {
          forget: assign({ errors: 0 }),
          count: assign({ errors: ({ context }: { context: { errors: number } }) => context.errors + 1 }),
        } as never,
      },
    });
    const { findings, paths } = await exploreProtocol(protocol);
    expect(findings).toEqual([]);
    const [longest] = [...paths].sort((a, b) => b.steps.length - a.steps.length);
    expect(longest?.lines).toHaveLength(5);
    expect(longest?.lines.at(-1)).toMatch(/sends LINE \{"text":"wrong"\} {2}-> out$/);
  });

  test('what follows the answer of an invoked actor, which no model knows, is found by sending real sessions on', async () => {
    const protocol = wordsProtocol(['go', 'on'], {
      machine: {
        initial: 'idle',
        on: {},
        states: {
          idle: { on: { LINE: 'looking' } },
          looking: { invoke: { src: 'look', onDone: 'found', onError: 'idle' }, after: { 1_000: 'idle' } },
          found: { on: { LINE: on('on', { target: 'done' }) } },
          done: { type: 'final' },
        },
      },
      implementations: { actors: { look: fromPromise(() => Promise.resolve(1)) } },
    });
    const { findings, coverage, bounds } = await exploreProtocol(protocol, {
      ignore: [
        { finding: 'notCovered', where: 'looking error *', because: 'the promise is never rejected' },
        { finding: 'notCovered', where: 'looking after 1000 ms', because: 'the promise is settled at once' },
      ],
    });
    expect(bounds.cutShort[0]).toContain('done');
    expect(coverage.states.filter(({ count }) => count === 0)).toEqual([]);
    expect(findings.filter(({ accepted }) => accepted === undefined)).toEqual([]);
  });

  test('a chart with always, onDone, a history, a wildcard, a raised event and a delayed one is covered to its last line', async () => {
    const protocol = wordsProtocol(['work', 'break', 'back', 'late'], {
      machine: {
        initial: 'working',
        on: {},
        states: {
          working: {
            initial: 'first',
            onDone: 'over',
            on: { LINE: on('break', { target: 'resting' }) },
            states: {
              first: { on: { LINE: on('work', { target: 'second' }) } },
              second: { on: { LINE: on('work', { target: 'passing' }) } },
              passing: { always: 'done' },
              done: { type: 'final' },
              before: { type: 'history' },
            },
          },
          resting: {
            on: { LINE: [on('back', { target: 'working.before' }), on('late', { actions: 'plan' })], '*': 'late' },
          },
          late: { entry: 'raise', on: { RAISED: 'over' } },
          over: { type: 'final' },
        },
      },
      implementations: { actions: { plan: raise({ type: 'DUE' }, { delay: 70 }), raise: raise({ type: 'RAISED' }) } },
    });
    const result = await exploreProtocol(protocol);
    expect(shown(result)).toEqual([]);
    // A history is no place to be in; what is left again before anybody could see it is covered all the same.
    expect(result.coverage.states.map(({ path }) => path)).toEqual([
      'working',
      'working.first',
      'working.second',
      'working.passing',
      'working.done',
      'resting',
      'late',
      'over',
    ]);
  });

  test('a key that another session has taken: a second peer comes by itself', async () => {
    const protocol = wordsProtocol(['ann'], {
      machine: {
        initial: 'nameless',
        on: {},
        states: {
          nameless: { on: { LINE: { actions: 'claim' }, KEY_SET: 'named', KEY_TAKEN: { actions: 'sorry' } } },
          named: { on: { LINE: {} } },
        },
      },
      implementations: {
        actions: { claim: emit({ type: 'SET_KEY', key: 'ann' }), sorry: emit(line('taken')) },
      },
    });
    const { findings, bounds } = await exploreProtocol(protocol);
    expect(findings).toEqual([]);
    expect(bounds.peersMax).toBe(2);
    expect(await found(protocol, { peersMax: 1 })).toEqual(['notCovered nameless KEY_TAKEN']);
  });
});

describe('facts', () => {
  test('the peer’s FIN, the drain, a wait without a READ, and an output that is congested and flows again', async () => {
    const protocol = wordsProtocol(['hi'], {
      facts: ['PEER_END', 'DRAIN', 'WAIT_TIMEOUT', 'CONGESTED', 'FLOWING'],
      machine: {
        initial: 'on',
        on: {},
        states: {
          on: {
            on: {
              LINE: { actions: 'echo' },
              PEER_END: { target: 'off', actions: 'end' },
              DRAIN: { target: 'off', actions: 'end' },
              WAIT_TIMEOUT: 'waited',
              CONGESTED: 'full',
            },
          },
          waited: { on: { LINE: 'on' } },
          full: { on: { FLOWING: 'on' } },
          off: { on: { LINE: {} } },
        },
      },
    });
    const result = await exploreProtocol(protocol);
    // After our own FIN (END) the peer may go on, and is read.
    expect(shown(result)).toEqual([]);
    expect(result.coverage.transitions.every(({ count }) => count > 0)).toBe(true);
  });

  test('a codec that the chart chooses is the one that peers then speak', async () => {
    const dots = () => delimited({ delimiter: '.' });
    const protocol = labProtocol({
      codecs: { lines: () => lines(), dots },
      samples: { LINE: [{ text: 'dots' }] },
      machine: {
        initial: 'lines',
        on: {},
        states: {
          lines: { on: { LINE: { target: 'dots', actions: 'use' } } },
          dots: { on: { FRAME: 'done' } },
          done: { type: 'final' },
        },
      },
      implementations: { actions: { use: emit({ type: 'USE_CODEC', name: 'dots' }) } },
    });
    expect(await found(protocol)).toEqual([]);
  });

  test('a codec of several messages in a row is explored with rows of samples, and says so where it has none', async () => {
    const [start, end] = [{ type: 'PAYLOAD_START', byteLength: 3 }, { type: 'PAYLOAD_END' }];
    const row = [start, { type: 'PAYLOAD_CHUNK', bytes: Uint8Array.of(1, 2, 3) }, end];
    const lab = (samples: object) =>
      labProtocol({
        codecs: { lines: () => streamed() },
        samples,
        machine: {
          initial: 'idle',
          on: {},
          states: {
            idle: { on: { PAYLOAD_START: 'getting' } },
            getting: { on: { PAYLOAD_CHUNK: {}, PAYLOAD_END: 'idle' } },
          },
        },
      });
    const bare = await exploreProtocol(lab({ PAYLOAD_START: [start] }));
    expect(shown(bare)).toEqual([
      'notCovered getting PAYLOAD_CHUNK',
      'notCovered getting PAYLOAD_END',
      'noSample PAYLOAD_CHUNK',
      'noSample PAYLOAD_END',
    ]);
    expect(await found(lab({ PAYLOAD_START: [row], PAYLOAD_CHUNK: [row], PAYLOAD_END: [row] }))).toEqual([]);
  });
});

describe('handlers', () => {
  const asking = (handler: object, more: Lab = {}) =>
    wordsProtocol(['ask'], {
      machine: {
        initial: 'idle',
        on: {},
        states: {
          idle: { on: { LINE: { target: 'asking', actions: 'look' } } },
          asking: { on: { FOUND: 'found', MISSING: 'idle' } },
          found: { type: 'final' },
        },
      },
      implementations: { actions: { look: emit({ type: 'LOOK' }) } },
      handlers: { LOOK: handler },
      ...more,
    });

  test('the protocol’s own runs, and its answer is learned; its failure and its deadline are simulated', async () => {
    let calls = 0;
    const run = () => {
      calls += 1;
      return Promise.resolve({ type: 'FOUND' });
    };
    const { findings, coverage } = await exploreProtocol(
      asking({ run, deadlineMs: 750, failure: () => ({ type: 'MISSING' }) }),
    );
    expect(findings).toEqual([]);
    expect(calls).toBeGreaterThan(0);
    expect(coverage.timeouts).toEqual([
      { where: 'LOOK', event: 'failure', count: expect.any(Number) as number },
      { where: 'LOOK', event: 'deadline 750 ms', count: expect.any(Number) as number },
    ]);
    expect(coverage.timeouts.every(({ count }) => count > 0)).toBe(true);
  });

  test('one that answers on the clock after 300 ms, and holds: what follows is foreseen, 1 ms before it nothing comes', async () => {
    const handler = simulatedHandler<any, { type: 'FOUND' | 'MISSING' }>({
      answer: { type: 'FOUND' },
      afterMs: 300,
      holds: true,
      deadlineMs: 750,
      failure: () => ({ type: 'MISSING' }),
    });
    const { findings, bounds, paths } = await exploreProtocol(asking(handler));
    expect([findings, bounds.cutShort]).toEqual([[], []]);
    expect(paths.map(({ lines: steps }) => steps.at(-1))).toContain(
      ' 2. time passes until something is due  -> 300 ms, FOUND, found',
    );
    expect(paths.map(({ lines: steps }) => steps.at(-1))).toContain(
      ' 2. time passes until something is due  -> 750 ms, MISSING, idle',
    );
  });

  test('one that needs turns of the real event loop is waited for', async () => {
    const run = async () => {
      for (let n = 0; n < 20; n += 1) await new Promise<void>((resolve) => setImmediate(resolve));
      return { type: 'FOUND' };
    };
    expect(await found(asking({ run, deadlineMs: 750, failure: () => ({ type: 'MISSING' }) }))).toEqual([]);
  });

  test('simulated answers take its place, each on a path of its own, and it is not called', async () => {
    const run = () => {
      throw new Error('nobody may call it');
    };
    const protocol = asking({ run, deadlineMs: 750 });
    const handlers = { LOOK: [{ type: 'FOUND' }, () => ({ type: 'MISSING' })] };
    expect(await found(protocol, { handlers })).toEqual([]);
    expect(await found(protocol, { handlers: { LOOK: [{ type: 'FOUND' }] } })).toEqual(['notCovered asking MISSING']);
  });

  test('one that throws without a declared failure is found, with the path', async () => {
    const { findings } = await exploreProtocol(
      asking({ run: () => Promise.reject(new Error('no database')), deadlineMs: 750 }),
    );
    const failed = findings.find(({ finding }) => finding === 'failed');
    expect(failed?.text).toBe('the handler of LOOK failed: no database');
    expect(failed?.path).toEqual([' 1. peer 1 sends LINE {"text":"ask"}']);
  });
});

describe('faults of the protocol’s own code', () => {
  test('an action that throws is found, with the path that leads there', async () => {
    const { findings } = await exploreProtocol(
      wordsProtocol(['a', 'boom'], {
        machine: { on: { LINE: [on('boom', { actions: 'throwIt' }), { actions: 'echo' }] } },
        implementations: {
          actions: {
            throwIt: assign(() => {
              throw new Error('no more memory');
            }),
          },
        },
      }),
    );
    expect(findings.find(({ finding }) => finding === 'failed')).toMatchObject({
      text: 'the protocol chart threw: no more memory',
      path: [' 1. peer 1 sends LINE {"text":"boom"}'],
    });
  });

  test('a shared actor that throws is found', async () => {
    const machine = setup({}).createMachine({
      on: { ASK: { actions: assign(() => { throw new Error('no room'); }) } },
    }); // prettier-ignore
    const protocol = wordsProtocol(['a'], {
      machine: { on: { LINE: { actions: 'tell' } } },
      shared: { room: { machine } },
      implementations: { actions: { tell: emit({ type: 'TELL', to: 'room', event: { type: 'ASK' } }) } },
    });
    expect(await found(protocol)).toEqual(['failed the shared chart room threw: no room']);
  });

  test('a command without a handler is found', async () => {
    const protocol = wordsProtocol(['a'], {
      machine: { on: { LINE: { actions: 'order' } } },
      implementations: { actions: { order: emit({ type: 'ORDER' }) } },
    });
    expect((await found(protocol))[0]).toMatch(/^failed .*has no handler for it$/);
  });

  test('a guard that reads what others write diverges: the same events lead elsewhere', async () => {
    let isOpen = true;
    const protocol = wordsProtocol(['a'], {
      machine: {
        initial: 'idle',
        on: {},
        states: {
          idle: { on: { LINE: { guard: 'isOpen', target: 'in' } } },
          in: { on: { LINE: { actions: 'echo' } } },
        },
      },
      implementations: {
        guards: {
          isOpen: () => {
            const was = isOpen;
            isOpen = false; // whoever comes second finds it shut
            return was;
          },
        },
      },
    });
    const { findings } = await exploreProtocol(protocol);
    const diverged = findings.find(({ finding }) => finding === 'diverged');
    expect(diverged?.text).toBe('after LINE the session is in idle, and its chart alone would be in in');
  });

  test('a message that our codec decodes as something else than what the other end encodes is found before any path', async () => {
    const codec = () => brokenLines({ decode: (buffer: never) => upper(lines().decode(buffer)) });
    const upper = (message: { text: string } | undefined) =>
      message && { ...message, text: message.text.toUpperCase() };
    const protocol = labProtocol({ codecs: { lines: codec }, samples: { LINE: [{ text: 'abc' }, { text: 'ABC' }] } });
    const { findings } = await exploreProtocol(protocol);
    expect(findings.map(({ finding, text }) => `${finding}: ${text}`)).toEqual([
      'codec: LINE {"text":"abc"} comes back as LINE {"text":"ABC"}',
    ]);
  });

  test('a codec that forgets itself after the first message is found on the path where it does', async () => {
    const codec = () => {
      const [inner, texts] = [lines(), [] as string[]];
      const decode = (buffer: never) => {
        const next = inner.decode(buffer);
        if (next) texts.push(next.text);
        return next && { ...next, text: texts[0]! };
      };
      return brokenLines({ decode });
    };
    const protocol = labProtocol({
      codecs: { lines: codec },
      samples: { LINE: [{ text: 'a' }, { text: 'b' }] },
      machine: {
        initial: 'first',
        on: {},
        states: { first: { on: { LINE: 'second' } }, second: { on: { LINE: { actions: 'echo' } } } },
      },
    });
    const script = {
      name: 'a, b',
      steps: ['a', 'b'].map((text) => ({ do: 'send' as const, message: { type: 'LINE', text } })),
    };
    const { findings } = await exploreProtocol(protocol, { scripts: [script] });
    expect(findings[0]).toEqual({
      finding: 'codec',
      where: 'LINE',
      text: 'LINE {"text":"b"} was sent, and decoded as: LINE {"text":"a"}',
      path: [' 1. peer 1 sends LINE {"text":"a"}', ' 2. peer 1 sends LINE {"text":"b"}'],
    });
  });

  test('a script whose messages wait while the chart holds is compared when they are decoded', async () => {
    const machine = {
      initial: 'idle',
      on: {},
      states: { idle: { on: { LINE: 'busy' } }, busy: { tags: 'hold', after: { 200: 'idle' }, on: { LINE: {} } } },
    };
    const protocol = wordsProtocol(['a'], { machine });
    const send = (text: string) => ({ do: 'send' as const, message: { type: 'LINE', text } });
    const steps = [send('a'), send('b'), send('c'), { do: 'wait' as const }, { do: 'wait' as const }, send('d')];
    const { findings } = await exploreProtocol(protocol, { scripts: [{ name: 'pipelined', steps }] });
    expect(shownAll(findings)).toEqual(['notCovered busy LINE']);
  });

  test('a codec whose messages go one way and that has no other end is named once', async () => {
    const codec = () => ({
      ...brokenLines({}),
      messages: [{ type: 'LINE', direction: 'in' as const, fields: { text: { kind: 'text' as const, max: 5 } } }],
    });
    const bare = await found(labProtocol({ codecs: { lines: codec } }));
    expect(bare.filter((one) => one.startsWith('noSample'))).toEqual(['noSample lines']);
    const withBytes = labProtocol({ codecs: { lines: codec }, samples: { LINE: ['abc\n'] } });
    expect(await found(withBytes)).toEqual([]);
  });
});

describe('what a user may say', () => {
  const machine = { on: { LINE: [on('open sesame', { actions: 'echo' }), { actions: 'echo' }] } };
  const protocol = wordsProtocol(['hello'], { machine });
  const where = '(chart) LINE [says "open sesame"]';

  test('a script takes what no sample does, and is refused where it is none', async () => {
    const script = {
      name: 'the word',
      steps: [{ do: 'send' as const, message: { type: 'LINE', text: 'open sesame' } }],
    };
    expect(await found(protocol, { scripts: [script] })).toEqual([]);
    const wrong = { name: 'odd', steps: [{ do: 'jump' as never }] };
    await expect(exploreProtocol(protocol, { scripts: [wrong] })).rejects.toThrow(
      /^exploreProtocol\.scripts\[0\]\.steps\[0\]\.do: expected "connect" or "send"/,
    );
  });

  test('a script’s wait fires the timeout and looks 1 ms before it; one that waits for nothing is found', async () => {
    const timed = wordsProtocol(['x'], {
      machine: { initial: 'a', on: {}, states: { a: { after: { 90: 'b' }, on: { LINE: {} } }, b: { type: 'final' } } },
    });
    const wait = { do: 'wait' as const };
    const { coverage, findings } = await exploreProtocol(timed, {
      scripts: [{ name: 'w', steps: [wait] }],
      pathsMax: 1,
    });
    expect(coverage.timeouts).toEqual([{ where: 'a', event: 'after 90 ms', count: 1 }]);
    expect(findings.map(({ finding }) => finding)).toEqual(['notCovered']);
    const endless = wordsProtocol(['x'], { machine: { on: { LINE: {} } }, options: { waitTimeoutCountMax: 0 } });
    const result = await exploreProtocol(endless, { scripts: [{ name: 'w', steps: [wait] }] });
    expect(shown(result)).toContain('script w');
  });

  test('a finding that is accepted with a reason is shown, and does not count; a reason without words is refused', async () => {
    const because = 'the word is secret';
    const result = await exploreProtocol(protocol, { ignore: [{ finding: 'notCovered', where, because }] });
    expect(result.passes).toBe(true);
    expect(result.findings).toMatchObject([{ where, accepted: because }]);
    const wordless = { finding: 'notCovered' as const, where, because: ' ' };
    await expect(exploreProtocol(protocol, { ignore: [wordless] })).rejects.toThrow(
      'exploreProtocol.ignore[0].because: expected a reason in words, got " "',
    );
  });

  test('a threshold of half of the transitions is reached by one of two, and one of 0.6 is not', async () => {
    const passes = async (transitions: number) =>
      (await exploreProtocol(protocol, { thresholds: { transitions } })).passes;
    expect([await passes(0.5), await passes(0.6), await passes(1)]).toEqual([true, false, false]);
  });

  test('bounds that were reached are told: 3 places, 2 steps, 1 path', async () => {
    const ofPlaces = await exploreProtocol(mediaControl, { placesMax: 3, walks: 0 });
    expect(ofPlaces.bounds).toMatchObject({ places: 3, placesMax: 3, reached: ['placesMax'] });
    const ofDepth = await exploreProtocol(mediaControl, { depthMax: 2, walks: 0 });
    expect(ofDepth.bounds.reached).toEqual(['depthMax']);
    expect(ofDepth.paths.every(({ steps }) => steps.length <= 33)).toBe(true);
    const ofPaths = await exploreProtocol(mediaControl, { pathsMax: 1 });
    expect(ofPaths.bounds).toMatchObject({ paths: 1, reached: ['pathsMax'] });
    expect([ofPlaces, ofDepth, ofPaths].map(({ passes }) => passes)).toEqual([false, false, false]);
    const skipped = ofPaths.coverage.transitions.filter(({ reason }) => reason?.includes('pathsMax was reached'));
    expect(skipped.length).toBeGreaterThan(10);
  });

  test('handlers that answer something new after 8 rounds are told as a bound that was reached', async () => {
    const machine = setup({
      types: {} as { context: { count: number }; events: { type: 'LINE' } | { type: 'COUNTED'; count: number } },
      guards: { isFar: ({ context }) => context.count > 20 },
      actions: {
        ask: emit(({ context }) => ({ type: 'COUNT', count: context.count })),
        note: assign({ count: ({ event }) => (event as { count: number }).count }),
      },
    }).createMachine({
      context: { count: 0 },
      initial: 'near',
      states: {
        near: { on: { LINE: [{ guard: 'isFar', target: 'far' }, { actions: 'ask' }], COUNTED: { actions: 'note' } } },
        far: { type: 'final' },
      },
    });
    const COUNT = {
      deadlineMs: 1_000,
      failure: () => ({ type: 'COUNTED', count: 0 }),
      run: ({ count }: { count: number }) => Promise.resolve({ type: 'COUNTED', count: count + 1 }),
    };
    const counting = defineProtocol({
      name: 'counting',
      codecs: { lines: () => lines() },
      initialCodec: 'lines',
      machine,
      handlers: { COUNT },
    } as never);
    const { bounds, passes } = await exploreProtocol(counting, { walks: 0 });
    expect(bounds.reached).toEqual(['rounds']);
    expect(passes).toBe(false);
  });

  test.each([
    [{ seed: -1 }, 'exploreProtocol.seed: expected an integer from 0'],
    [{ depth: 3 }, 'exploreProtocol.depth: there is no such option; '],
    [{ peersMax: 3 }, 'exploreProtocol.peersMax: expected 1 or 2, got 3'],
    [{ thresholds: { states: 2 } }, 'exploreProtocol.thresholds.states: expected a number from 0 to 1, got 2'],
    [{ handlers: { NONE: [] } }, 'exploreProtocol.handlers.NONE: expected one of the protocol'],
    [
      { ignore: [{ finding: 'odd', where: '', because: 'x' }] },
      'exploreProtocol.ignore[0].finding: expected "unreachable" or',
    ],
    [{ options: { waits: 1 } }, 'exploreProtocol.options.waits: there is no such option'],
  ])('%j is refused by name', async (options, message) => {
    await expect(exploreProtocol(echo, options as ExploreOptions)).rejects.toThrow(message);
  });

  test('what is no protocol is refused', async () => {
    await expect(exploreProtocol({} as AnyProtocol)).rejects.toThrow('expected what defineProtocol returned');
  });
});
