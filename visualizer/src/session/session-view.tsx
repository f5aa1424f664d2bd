/** One session: where it is on both charts, its waits and timers, its context, and what went over its wire. */
import { useState } from 'react';
import type { EndedSession } from '../../../src/inspect/feed.js';
import type { RecordingFile, Source } from '../../../src/inspect/visualizer/messages.js';
import { hrefOf } from '../app/route.js';
import { useHello, useMessages, useSubscription } from '../connection/use-link.js';
import { bytesText, durationText } from '../design/text.js';
import { placeLines, placeText } from './places.js';
import { SessionActions } from './session-actions.js';
import './session.css';
import { lastNumber, pointAt, type Story } from './story.js';
import { StoryPanels, useTransportSteps } from './story-panels.js';
import { useLiveSession, type LiveSession } from './use-live-session.js';
import { useNow } from './use-now.js';
import { QueuesPart, RecordedWaitsPart, TcpPart, TimersPart, WaitsPart } from './vitals-panel.js';

const NO_PAYLOADS = (
  <>
    Bytes are counted and not kept. A server that is started with <code className="step-flag">--payloads</code> shows
    them here, with nothing masked.
  </>
);

export function SessionView({ source, id }: { source: Source; id: string }) {
  const session = useLiveSession(source, id);
  const hello = useHello();
  const recordings = useRecordings(source, id);
  const [marked, setMarked] = useState<number>();
  const [isAll, setAll] = useTransportSteps();
  const [eventChosen, setEventChosen] = useState<{ readonly type: string }>();
  const { story, vitals, status } = session;
  if (status === 'unknown') return <UnknownSession source={source} id={id} />;
  if (status === 'waiting') return <div className="nothing">Looking for session {id}…</div>;
  const hasEnded = status === 'ended';
  // What a story of limited length has let go of cannot be looked at any more.
  const kept = marked === undefined ? undefined : Math.max(marked, story.entries[0]?.number ?? 0);
  return (
    <div className="view session">
      <SessionHeader source={source} id={id} session={session}>
        <SessionActions
          source={source.name}
          id={id}
          hasEnded={hasEnded}
          isRecording={!hasEnded && recordings.live !== undefined}
          can={vitals?.can ?? []}
          eventChosen={eventChosen}
        />
      </SessionHeader>
      {hasEnded && <Ending ended={session.ended} story={story} file={recordings.kept ?? recordings.live} />}
      <StoryPanels
        story={story}
        marked={kept}
        onMark={setMarked}
        above={<Above session={session} marked={kept} />}
        below={vitals && <TcpPart vitals={vitals} samples={session.samples} hasEnded={hasEnded} />}
        payloadsHint={hello?.payloads ? 'They were counted before anybody looked.' : NO_PAYLOADS}
        serverName={source.kind}
        empty={`Nothing has happened since you look. What ${source.kind === 'client' ? 'it' : 'the peer'} does next shows here.`}
        isReplay={false}
        now={vitals}
        possible={hasEnded || !hello?.control ? undefined : vitals?.can}
        onEvent={(type) => setEventChosen({ type })}
        isAll={isAll}
        onAll={setAll}
      />
    </div>
  );
}

/** Of a moment in the past only what the story says is known. */
function Above({ session: { vitals, story, status }, marked }: { session: LiveSession; marked: number | undefined }) {
  if (!vitals) return null;
  const hasEnded = status === 'ended';
  if (marked !== undefined) {
    return (
      <>
        <RecordedWaitsPart count={waitsAt(story, marked)} max={vitals.waits.max} />
        <p className="vitals-part faint">
          {marked === lastNumber(story) ? 'The last step.' : 'A moment of the past.'}{' '}
          {hasEnded
            ? 'Queues and connection are the last that was known.'
            : 'Timers, queues and connection are those of now.'}
        </p>
        {!hasEnded && <TimersPart vitals={vitals} />}
        <QueuesPart vitals={vitals} />
      </>
    );
  }
  return (
    <>
      <WaitsPart
        vitals={vitals}
        hasEnded={hasEnded}
        lastCount={hasEnded ? waitsAt(story, lastNumber(story)) : undefined}
      />
      {!hasEnded && <TimersPart vitals={vitals} />}
      <QueuesPart vitals={vitals} />
    </>
  );
}

function waitsAt(story: Story, number: number): number | undefined {
  const count = pointAt(story, number).session.context?.['waitTimeoutCount'];
  return typeof count === 'number' ? count : undefined;
}

interface SessionHeaderProps {
  readonly source: Source;
  readonly id: string;
  readonly session: LiveSession;
  readonly children: React.ReactNode;
}

function SessionHeader({ source, id, session, children }: SessionHeaderProps) {
  const { row, vitals, story, status, ended } = session;
  const now = useNow(vitals?.atMs ?? 0, 500);
  const hasEnded = status === 'ended';
  const place = vitals?.session ?? row?.session ?? [];
  const until = hasEnded ? (ended?.endedAtMs ?? now) : now;
  return (
    <header className="session-header">
      <nav aria-label="Where this is">
        <a href={hrefOf(['sessions'], { source: source.name })}>Sessions</a> <span className="faint">/</span>
      </nav>
      <h1 className="session-name">
        <span title={id}>{id}</span>
        {row?.key && (
          <span className="session-key" title={row.key}>
            {row.key}
          </span>
        )}
      </h1>
      <span className="mono muted session-peer" title="The peer">
        {row?.peer}
      </span>
      <span
        className={`badge ${hasEnded ? '' : 'accent'} session-state`}
        title={placeLines(story.charts.session, place)}
      >
        {hasEnded ? 'ended' : placeText(story.charts.session, place)}
      </span>
      <span className="muted session-age" title="Age">
        {row && durationText(Math.max(0, until - row.startedAtMs))}
      </span>
      {children}
    </header>
  );
}

interface EndingProps {
  readonly ended: EndedSession | undefined;
  readonly story: Story;
  readonly file: RecordingFile | undefined;
}

/** What became of it, and the recording that the server may have kept. */
function Ending({ ended, story, file }: EndingProps) {
  const reason = ended?.reason ?? story.end?.reason;
  const closedBy = ended?.closedBy ?? story.end?.closedBy;
  return (
    <p className="session-ending" role="status">
      <b>It has ended{reason ? `: ${reason}` : ''}.</b>{' '}
      {ended
        ? `${ended.option === 'force' ? 'Forced' : 'Graceful'}, closed by ${closedBy?.toUpperCase()}, after ${durationText(ended.endedAtMs - ended.startedAtMs)}; ${bytesText(ended.bytesReceived)} in, ${bytesText(ended.bytesSent)} out.`
        : 'How is not known any more.'}{' '}
      {file && <a href={hrefOf(['recordings', file.name])}>Replay its recording</a>}
    </p>
  );
}

/** Of this session: the one that grows, and one that is there. */
function useRecordings(
  source: Source,
  id: string,
): { live: RecordingFile | undefined; kept: RecordingFile | undefined } {
  const [files, setFiles] = useState<readonly RecordingFile[]>([]);
  useSubscription({ type: 'subscribe', topic: 'recordings' });
  useMessages('recordings', (message) => setFiles(message.files));
  const own = files.filter(({ protocol, session }) => protocol === source.protocol && session === id);
  return { live: own.find(({ isLive }) => isLive), kept: own.find(({ isLive }) => !isLive) };
}

function UnknownSession({ source, id }: { source: Source; id: string }) {
  return (
    <div className="nothing">
      <h1>There is no session {id}</h1>
      <p>It has ended some time ago, or there has never been one of this id.</p>
      <p>
        <a href={hrefOf(['sessions'], { source: source.name })}>To all sessions</a>
      </p>
    </div>
  );
}
