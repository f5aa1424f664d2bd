/** What the signs of a drawing mean. */
import type { ReactNode } from 'react';

export function Legend({ isCounted }: { isCounted: boolean }) {
  return (
    <dl className="statechart-legend">
      <Sign what="where a state begins">
        <circle className="statechart-dot" cx={14} cy={5} r={3.5} />
        <path className="statechart-line" d="M14 8V14" />
      </Sign>
      <Sign what="leads on an event">
        <path className="statechart-line" d="M2 10H24" />
        <path className="statechart-tip" d="M28 10L21 7V13Z" />
      </Sign>
      <Sign what="leads after a time alone" className="statechart-arrow is-timed">
        <path className="statechart-line" d="M2 10H24" />
        <path className="statechart-tip" d="M28 10L21 7V13Z" />
      </Sign>
      <Sign what="leads from all states, or many: point at it">
        <rect className="statechart-mark" x={1} y={4} width={28} height={12} rx={6} />
        <text className="statechart-small" x={15} y={13} textAnchor="middle">
          any
        </text>
      </Sign>
      <Sign what="an end" className="statechart-state">
        <rect className="statechart-box" x={3} y={3} width={24} height={14} rx={4} />
        <rect className="statechart-ring" x={5.5} y={5.5} width={19} height={9} rx={2} />
      </Sign>
      <Sign what="side by side with others, at the same time" className="statechart-state is-region">
        <rect className="statechart-box" x={3} y={3} width={24} height={14} rx={4} />
      </Sign>
      {isCounted && (
        <Sign what="how many of all sessions are there">
          <rect className="statechart-track" x={2} y={8} width={26} height={4} rx={2} />
          <rect className="statechart-bar" x={2} y={8} width={12} height={4} rx={2} />
        </Sign>
      )}
    </dl>
  );
}

function Sign({
  what,
  className = 'statechart-arrow',
  children,
}: {
  what: string;
  className?: string;
  children: ReactNode;
}) {
  return (
    <div>
      <dt>
        <svg width={30} height={20} aria-hidden="true">
          <g className={className}>{children}</g>
        </svg>
      </dt>
      <dd>{what}</dd>
    </div>
  );
}
