/** The line at the top: which server or client, what it does now, how many sessions live, and how the link to it is. */
import type { Source } from '../../../src/inspect/visualizer/messages.js';
import { useHello, useIsPaused, useLink, useLinkStatus } from '../connection/use-link.js';
import { useOverview } from '../connection/use-overview.js';
import { Icon } from '../design/icons.js';
import { countText, durationText } from '../design/text.js';
import { nextTheme, useTheme } from '../design/theme.js';
import { innermostPath } from './place.js';

/** More than these are a list to choose from. */
const SEGMENTS_MAX = 6;
/** Of their names together: beyond that they leave no room for the rest on most screens. */
const SEGMENTS_CHARACTERS = 28;

const THEME_NAMES = { system: 'as the system', light: 'light', dark: 'dark' } as const;

/** By the outermost state of the server socket or client; every other is on its way. */
const MEANINGS: Readonly<Record<string, 'good' | 'warn' | 'off'>> = {
  accepting: 'good',
  connected: 'good',
  closed: 'off',
};

export function Header({
  source,
  onSource,
  onHelp,
}: {
  source: Source | undefined;
  onSource: (name: string) => void;
  onHelp: () => void;
}) {
  const hello = useHello()!;
  return (
    <header className="frame-header">
      <a
        className="frame-brand"
        href={source ? `/?source=${encodeURIComponent(source.name)}` : '/'}
        aria-label="wirechart"
      >
        <Mark />
        <span>wirechart</span>
      </a>
      {hello.sources.length > 1 && source && (
        <SourceSwitch source={source} sources={hello.sources} onSource={onSource} />
      )}
      {source ? <SourceFacts source={source} /> : <p className="frame-facts muted">recordings</p>}
      {source && <Rights control={hello.control} payloads={hello.payloads} />}
      {source && <SessionsCount source={source} />}
      <Tools hasTicks={source !== undefined} onHelp={onHelp} />
    </header>
  );
}

function SourceSwitch({
  source,
  sources,
  onSource,
}: {
  source: Source;
  sources: readonly Source[];
  onSource: (name: string) => void;
}) {
  const isShort = sources.length <= SEGMENTS_MAX;
  const isWide = sources.reduce((sum, { name }) => sum + name.length, 0) > SEGMENTS_CHARACTERS;
  return (
    <>
      {isShort && (
        <div className={`segments frame-sources${isWide ? ' is-wide' : ''}`} role="group" aria-label="Server or client">
          {sources.map(({ name, kind }, index) => (
            <button
              key={name}
              aria-pressed={name === source.name}
              title={`${kind} ${name} (${index + 1})`}
              onClick={() => onSource(name)}
            >
              {name}
            </button>
          ))}
        </div>
      )}
      <select
        className={`frame-source-list${isShort ? ' is-second' : ''}${isWide ? ' is-wide' : ''}`}
        aria-label="Server or client"
        value={source.name}
        onChange={(event) => onSource(event.target.value)}
      >
        {sources.map(({ name }) => (
          <option key={name} value={name}>
            {name}
          </option>
        ))}
      </select>
    </>
  );
}

function SourceFacts({ source }: { source: Source }) {
  const hello = useHello()!;
  const chart = hello.charts[source.charts.owner];
  const state = useOverview(({ places }) => innermostPath(chart, places.owner));
  const [outermost = ''] = state.split('.');
  const upSeconds = useOverview(({ atMs, startedAtMs }) =>
    startedAtMs === undefined ? undefined : Math.floor((atMs - startedAtMs) / 1_000),
  );
  const meaning = MEANINGS[outermost] ?? 'warn';
  // The switch beside it says the rest.
  const isNamed = hello.sources.length > 1 && source.name === source.protocol;
  return (
    <p className="frame-facts">
      <span className="frame-protocol" title={`${source.kind} of the protocol ${source.protocol}`}>
        {isNamed ? source.kind : source.protocol}
        {!isNamed && source.kind === 'client' && <span className="muted"> client</span>}
      </span>
      <span className="mono frame-address" title={source.address ?? undefined}>
        {source.address ?? 'no address yet'}
      </span>
      <span className="frame-state" data-meaning={meaning} role="status">
        {state || '\u2026'}
      </span>
      {upSeconds !== undefined && meaning !== 'off' && (
        <span className="muted frame-up" title="since the server or client was started">
          up {durationText(Math.max(upSeconds, 1) * 1_000).replace('.0', '')}
        </span>
      )}
    </p>
  );
}

function Rights({ control, payloads }: { control: boolean; payloads: boolean }) {
  return (
    <p className="frame-rights">
      {control ? (
        <span className="badge warn" title="Sessions can be closed, reset and sent events from here">
          control
        </span>
      ) : (
        <span className="badge" title="Nothing here changes a session; start it with --allow-control for that">
          read only
        </span>
      )}
      {payloads && (
        <span className="badge warn" title="Bytes are shown, and nothing is masked">
          payloads
        </span>
      )}
    </p>
  );
}

function SessionsCount({ source }: { source: Source }) {
  const sessions = useOverview((overview) => overview.sessions);
  return (
    <a className="frame-count" href={`/sessions?source=${encodeURIComponent(source.name)}`} title="Live sessions">
      <strong>{countText(sessions)}</strong> {sessions === 1 ? 'session' : 'sessions'}
    </a>
  );
}

function Tools({ hasTicks, onHelp }: { hasTicks: boolean; onHelp: () => void }) {
  const link = useLink();
  const isPaused = useIsPaused();
  const theme = useTheme();
  return (
    <div className="frame-tools">
      <LinkState hasTicks={hasTicks} />
      {hasTicks && (
        <button
          className="quiet frame-icon-button"
          aria-pressed={isPaused}
          aria-label={isPaused ? 'Go on' : 'Pause'}
          title={isPaused ? 'Go on (p)' : 'Pause: nothing moves until you go on (p)'}
          onClick={() => link.pause(!isPaused)}
        >
          <Icon name={isPaused ? 'play' : 'pause'} />
        </button>
      )}
      <button
        className="quiet frame-icon-button"
        aria-label={`Theme: ${THEME_NAMES[theme]}`}
        title={`Theme: ${THEME_NAMES[theme]} (t)`}
        onClick={nextTheme}
      >
        <Icon name={theme} />
      </button>
      <button className="quiet frame-icon-button" aria-label="Keys" title="Keys (?)" onClick={onHelp}>
        <Icon name="help" />
      </button>
    </div>
  );
}

function LinkState({ hasTicks }: { hasTicks: boolean }) {
  const status = useLinkStatus();
  const isPaused = useIsPaused();
  const { limits } = useHello()!;
  const [kind, text] = linkTexts(status, isPaused, hasTicks ? limits.ticks : 0);
  return (
    <p
      className="frame-link"
      data-kind={kind}
      role="status"
      title={hasTicks && status === 'live' ? `Brought up to date at most ${limits.ticks} times a second` : undefined}
    >
      {text}
    </p>
  );
}

function linkTexts(status: string, isPaused: boolean, ticks: number): readonly [kind: string, text: string] {
  if (status === 'live') return isPaused ? ['off', 'paused'] : ['good', ticks > 0 ? `live ${ticks} Hz` : 'connected'];
  if (status === 'refused') return ['bad', 'refused'];
  if (status === 'outdated') return ['bad', 'outdated'];
  return ['warn', 'reconnecting\u2026'];
}

function Mark() {
  return (
    <svg width="24" height="24" viewBox="0 0 32 32" aria-hidden="true">
      <rect className="frame-mark-back" x="1" y="1" width="30" height="30" rx="7" />
      <path
        className="frame-mark-line"
        d="M7 11h7v10h11M14 16h11"
        fill="none"
        strokeWidth="2.6"
        strokeLinejoin="round"
      />
      <circle className="frame-mark-dot" cx="7" cy="11" r="2.6" />
      <circle className="frame-mark-dot" cx="25" cy="21" r="2.6" />
      <circle className="frame-mark-dot" cx="25" cy="16" r="2.6" opacity="0.65" />
    </svg>
  );
}
