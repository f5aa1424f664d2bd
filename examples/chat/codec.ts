/** Lines of text: `nick ann`, `join lobby`, `say hello`, `who`, `quit`. What we send is lines too. */
import { lines, mapped, type LineMessage, type MessageDescription } from 'wirechart/codec';

export type Request =
  | { type: 'NICK'; name: string }
  | { type: 'ENTER'; room: string }
  | { type: 'SAY'; text: string }
  | { type: 'WHO' }
  | { type: 'QUIT' }
  | { type: 'NOT_UNDERSTOOD'; problem: string };

const NAME = /^[\p{L}\p{N}_-]{1,20}$/u;
// A terminal obeys control characters: nobody may send them to somebody else's.
const CONTROL = /\p{Cc}/u;

/** What people type is short; what they read may be longer: a nick in front of it, or all who are here. */
const OUT = lines({ maxFrameBytes: 65_536 });

const MESSAGES: readonly MessageDescription[] = [
  { type: 'NICK', direction: 'in', fields: { name: { kind: 'text', min: 1, max: 20 } } },
  { type: 'ENTER', direction: 'in', fields: { room: { kind: 'text', min: 1, max: 20 } } },
  { type: 'SAY', direction: 'in', fields: { text: { kind: 'text', min: 1, max: 500, excludes: ['\n', '\r'] } } },
  { type: 'WHO', direction: 'in', fields: {} },
  { type: 'QUIT', direction: 'in', fields: {} },
  { type: 'NOT_UNDERSTOOD', direction: 'in', fields: { problem: { kind: 'text', max: 100 } } },
  { type: 'LINE', direction: 'out', fields: { text: { kind: 'text', max: 65_536, excludes: ['\n', '\r'] } } },
];

export const chatLines = () => ({ ...inLines(), encode: (message: LineMessage) => OUT.encode(message) });

const inLines = () =>
  mapped(lines({ maxFrameBytes: 512, invalidUtf8: 'replace', bareCr: 'keep', lastLine: 'deliver' }), {
    decode: ({ text }: LineMessage): Request | undefined => (text.trim() === '' ? undefined : parse(text.trim())),
    encode: (message: LineMessage) => message,
    peer: peerLines,
    messages: MESSAGES,
  });

/** The other end: a client that says requests and reads lines. */
const peerLines = () =>
  mapped(lines({ maxFrameBytes: 65_536, bareCr: 'keep' }), {
    decode: (line: LineMessage) => line,
    encode: (request: Request): LineMessage => ({ type: 'LINE', text: typed(request) }),
    messages: MESSAGES.map((one) => ({ ...one, direction: one.direction === 'in' ? 'out' : 'in' })),
  });

function parse(line: string): Request {
  const space = line.indexOf(' ');
  const word = (space < 0 ? line : line.slice(0, space)).toLowerCase();
  const rest = space < 0 ? '' : line.slice(space + 1).trim();
  if (word === 'who' && rest === '') return { type: 'WHO' };
  if (word === 'quit' && rest === '') return { type: 'QUIT' };
  if (word === 'nick' || word === 'join') {
    if (!NAME.test(rest)) return { type: 'NOT_UNDERSTOOD', problem: 'a name is 1 to 20 letters, digits, - or _' };
    return word === 'nick' ? { type: 'NICK', name: rest } : { type: 'ENTER', room: rest };
  }
  if (word !== 'say' || rest === '')
    return { type: 'NOT_UNDERSTOOD', problem: 'try: nick NAME, join ROOM, say TEXT, who, quit' };
  if (CONTROL.test(rest)) return { type: 'NOT_UNDERSTOOD', problem: 'control characters are not sent on' };
  return { type: 'SAY', text: rest };
}

/** The line that `parse` takes for a request. */
function typed(request: Request): string {
  switch (request.type) {
    case 'NICK':
      return `nick ${request.name}`;
    case 'ENTER':
      return `join ${request.room}`;
    case 'SAY':
      return `say ${request.text}`;
    case 'WHO':
    case 'QUIT':
      return request.type.toLowerCase();
    case 'NOT_UNDERSTOOD':
      throw new TypeError('nobody types NOT_UNDERSTOOD: it is what a line becomes that says nothing');
  }
}
