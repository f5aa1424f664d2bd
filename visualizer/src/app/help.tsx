/** All shortcuts on one sheet. */
import { useEffect, useRef } from 'react';
import type { ViewEntry } from './views.js';

const GROUPS: readonly { readonly title: string; readonly keys: readonly (readonly [keys: string, what: string])[] }[] =
  [
    {
      title: 'Everywhere',
      keys: [
        ['1 … 9', 'that server or client'],
        ['p', 'pause, and go on'],
        ['t', 'theme: system, light, dark'],
        ['?', 'this sheet'],
      ],
    },
    {
      title: 'In a chart',
      keys: [
        ['Tab', 'from state to state'],
        ['Enter', 'what the state leads to'],
        ['+ −', 'closer, and further away'],
        ['0', 'all of it'],
      ],
    },
    {
      title: 'On the wall',
      keys: [
        ['← → ↑ ↓', 'from cell to cell'],
        ['Home End', 'the oldest, and the newest'],
        ['Enter', 'opens the session'],
      ],
    },
  ];

export function Help({ views, onClose }: { views: readonly ViewEntry[]; onClose: () => void }) {
  const dialog = useRef<HTMLDialogElement>(null);
  useEffect(() => dialog.current!.showModal(), []);
  const goTo = { title: 'Go to', keys: views.map(({ key, name }) => [`g ${key}`, name] as const) };
  return (
    <dialog
      ref={dialog}
      className="help"
      aria-labelledby="help-title"
      onClose={onClose}
      onClick={(event) => event.target === dialog.current && dialog.current.close()}
    >
      <div className="help-sheet">
        <header>
          <h2 id="help-title">Keys</h2>
          <button onClick={() => dialog.current!.close()}>Close</button>
        </header>
        <div className="help-groups">
          {[goTo, ...GROUPS].map(({ title, keys }) => (
            <section key={title}>
              <h3>{title}</h3>
              <dl>
                {keys.map(([key, what]) => (
                  <div key={key}>
                    <dt>
                      {key
                        .split(' ')
                        .map((one) => (one === '…' ? <span key={one}> … </span> : <kbd key={one}>{one}</kbd>))}
                    </dt>
                    <dd>{what}</dd>
                  </div>
                ))}
              </dl>
            </section>
          ))}
        </div>
      </div>
    </dialog>
  );
}
