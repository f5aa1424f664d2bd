/** Sessions that have ended a short time ago, the last one first. */
import { useState } from 'react';
import type { EndedSession } from '../../../src/inspect/feed.js';
import type { Source } from '../../../src/inspect/visualizer/messages.js';
import { hrefOf } from '../app/route.js';
import { useMessages, useSubscription } from '../connection/use-link.js';
import { bytesText, countText, durationText } from '../design/text.js';

/** More than anybody reads; the filter finds the others. */
const SHOWN = 200;
/** Reasons that are no cause for worry. */
const CALM = new Set(['peer closed', 'protocol done', 'protocol asked', 'draining', 'server stopped', 'wait timeout']);

export function EndedTable({ source, text }: { source: Source; text: string }) {
  const [ended, setEnded] = useState<readonly EndedSession[]>();
  useSubscription({ type: 'subscribe', topic: 'ended', source: source.name });
  useMessages('ended', (message) => {
    if (message.source === source.name) setEnded(message.sessions);
  });
  if (!ended) return <div className="nothing">Asking…</div>;
  const matching = ended
    .filter(({ id, key, peer, reason }) => [id, key ?? '', peer, reason].some((part) => part.includes(text)))
    .sort((a, b) => b.endedAtMs - a.endedAtMs);
  if (matching.length === 0) {
    return (
      <div className="nothing">
        {ended.length === 0
          ? 'No session has ended yet, or the sweeper has forgotten them all.'
          : 'None of these matches the filter.'}
      </div>
    );
  }
  return (
    <div className="ended">
      <table className="rows">
        <thead>
          <tr>
            <th scope="col">id</th>
            <th scope="col">peer</th>
            <th scope="col">reason</th>
            <th scope="col">how</th>
            <th scope="col" className="number">lived</th>
            <th scope="col" className="number">in</th>
            <th scope="col" className="number">out</th>
          </tr>
        </thead>
        <tbody>
          {matching.slice(0, SHOWN).map((one) => (
            <tr key={`${one.id} ${one.endedAtMs}`}>
              <td title={[one.id, one.key].filter(Boolean).join(' ')}>
                <a href={hrefOf(['sessions', one.id], { source: source.name })}>{one.id}</a>
                {one.key !== undefined && <span className="sessions-key">{one.key}</span>}
              </td>
              <td className="mono">{one.peer}</td>
              <td>
                <span className={`badge ${CALM.has(one.reason) ? '' : 'warn'}`}>{one.reason}</span>
              </td>
              <td className="muted">
                {one.option}, {one.closedBy.toUpperCase()}
              </td>
              <td className="number">{durationText(one.endedAtMs - one.startedAtMs)}</td>
              <td className="number">{bytesText(one.bytesReceived)}</td>
              <td className="number">{bytesText(one.bytesSent)}</td>
            </tr>
          ))}
        </tbody>
      </table>
      {matching.length > SHOWN && <p className="faint ended-more">and {countText(matching.length - SHOWN)} before them</p>}
    </div>
  ); // prettier-ignore
}
