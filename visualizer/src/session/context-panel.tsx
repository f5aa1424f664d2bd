/** What a chart's context holds at one moment, with what is different from another moment marked. */
import { useState, type ReactNode } from 'react';
import type { SessionChart } from '../../../src/inspect/feed.js';
import { PlainTree } from './plain-tree.js';
import type { Point, Story } from './story.js';

interface ContextPanelProps {
  readonly story: Story;
  readonly point: Point;
  readonly before: Point | undefined;
  /** What `before` is, as a person says it. */
  readonly beforeText: string;
  readonly children?: ReactNode;
}

export function ContextPanel({ story, point, before, beforeText, children }: ContextPanelProps) {
  const [chart, setChart] = useState<SessionChart>('protocol');
  const { context, isContextExact } = point[chart];
  const other = before?.[chart].context;
  const isMasked = Object.keys(story.header?.masked ?? {}).length > 0;
  return (
    <section className="vitals-part context" aria-label="Context">
      <header>
        <h2>Context</h2>
        <div className="session-choice" role="group" aria-label="Context of which chart">
          {(['protocol', 'session'] as const).map((one) => (
            <button key={one} className="quiet" aria-pressed={chart === one} onClick={() => setChart(one)}>
              {one === 'session' ? 'transport' : 'protocol'}
            </button>
          ))}
        </div>
      </header>
      {children}
      {context === undefined ? (
        <p className="muted">
          {story.hasContexts
            ? 'It is not known at this moment.'
            : 'This recording has it at checkpoints alone, and this is before the first.'}
        </p>
      ) : (
        <PlainTree
          key={chart}
          value={context}
          before={other === undefined ? undefined : { value: other }}
          label="Context"
        />
      )}
      <p className="faint context-note">
        {context !== undefined && other !== undefined && `Δ: other than ${beforeText}. `}
        {context !== undefined &&
          !isContextExact &&
          'As it was at the last checkpoint: this recording has no later ones. '}
        {isMasked && chart === 'protocol' && 'Secrets are masked.'}
      </p>
    </section>
  );
}
