/**
 * The smallest viewer that the real receiver of `@xstate/inspect` makes possible: each service with the states of its machine, those that
 * are active marked, and a field for an event to give it. What it shows is what XState 4 makes of what it is told.
 *
 * The address of the outlet stands behind `#`: `#127.0.0.1:41234/xstate4?token=...`.
 */
import { createWebSocketReceiver, type ParsedReceiverEvent } from '@xstate/inspect';
import { toSCXMLEvent, type AnyState, type AnyStateMachine } from 'xstate';

interface Shown {
  readonly machine: AnyStateMachine;
  readonly section: HTMLElement;
  readonly states: ReadonlyMap<string, HTMLElement>;
  readonly event: HTMLElement;
}

const shown = new Map<string, Shown>();
const status = document.querySelector('[role=status]')!;
const main = document.querySelector('main')!;

const receiver = createWebSocketReceiver({ server: location.hash.slice(1), serialize: undefined });
receiver.subscribe(take, () => (status.textContent = 'the connection failed'));

function take(event: ParsedReceiverEvent): void {
  switch (event.type) {
    case 'service.register': {
      shown.get(event.sessionId)?.section.remove();
      const service = show(event.sessionId, event.machine);
      shown.set(event.sessionId, service);
      mark(service, event.state);
      break;
    }
    case 'service.state': {
      const service = shown.get(event.sessionId);
      if (service) mark(service, event.state);
      break;
    }
    case 'service.event': {
      const service = shown.get(event.sessionId);
      // The package declares it as text, and gives it as the object that it has read.
      if (service) service.event.textContent = (event.event as unknown as { readonly name: string }).name;
      break;
    }
    case 'service.stop':
      shown.get(event.sessionId)?.section.setAttribute('data-stopped', '');
  }
  const running = [...shown.values()].filter(({ section }) => !section.hasAttribute('data-stopped'));
  status.textContent = `${running.length} of ${shown.size} services run`;
}

function show(id: string, machine: AnyStateMachine): Shown {
  const section = document.createElement('section');
  section.dataset['service'] = id;
  const list = element('ul');
  const states = new Map(machine.stateIds.map((state) => [state, element('li', state)]));
  list.append(...states.values());
  const event = element('span', 'nothing yet');
  const last = element('p', 'last event: ');
  last.append(event);
  section.append(element('h2', id), last, list, form(id));
  main.append(section);
  return { machine, section, states, event };
}

function form(id: string): HTMLElement {
  const made = document.createElement('form');
  const field = document.createElement('textarea');
  field.setAttribute('aria-label', `event for ${id}, as JSON`);
  field.placeholder = '{ "type": "LINE", "text": "hello" }';
  const button = element('button', 'Send');
  made.append(field, button);
  field.addEventListener('input', () => field.setCustomValidity(''));
  made.addEventListener('submit', (submitted) => {
    submitted.preventDefault();
    const data = parsed(field.value);
    if (!data) {
      field.setCustomValidity('This is no event: expected JSON with a type.');
      field.reportValidity();
      return;
    }
    const event = JSON.stringify(toSCXMLEvent(data, { origin: id }));
    receiver.send({ type: 'xstate.event', event, service: id });
  });
  return made;
}

function parsed(text: string): { readonly type: string } | undefined {
  try {
    const value = JSON.parse(text) as { readonly type?: unknown } | null;
    return typeof value?.type === 'string' ? (value as { readonly type: string }) : undefined;
  } catch {
    return undefined;
  }
}

/** By the machine that was received: it says which states the value stands for. */
function mark({ machine, states, section }: Shown, state: AnyState): void {
  const active = new Set(machine.resolveState(state).configuration.map(({ id }) => id));
  for (const [id, item] of states) {
    if (active.has(id)) item.setAttribute('aria-current', 'true');
    else item.removeAttribute('aria-current');
  }
  section.title = JSON.stringify(state.context);
}

function element(name: string, text = ''): HTMLElement {
  const made = document.createElement(name);
  made.textContent = text;
  return made;
}
