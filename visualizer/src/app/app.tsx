/** The frame around every view: which source, which view, how the link is. */
import { useEffect, useState, type ReactNode } from 'react';
import type { Source } from '../../../src/inspect/visualizer/messages.js';
import type { Hello, LinkStatus } from '../connection/link.js';
import { useHello, useLink, useLinkStatus } from '../connection/use-link.js';
import { OverviewProvider } from '../connection/use-overview.js';
import { nextTheme } from '../design/theme.js';
import { LogView } from '../log/log-view.js';
import { MachinesView } from '../machines/machines-view.js';
import { OverviewView } from '../overview/overview-view.js';
import { RecordingsView } from '../recordings/recordings-view.js';
import { ReplayView } from '../recordings/replay-view.js';
import { SessionView } from '../session/session-view.js';
import { SessionsView } from '../sessions/sessions-view.js';
import { WallView } from '../wall/wall-view.js';
import './app.css';
import { FailureBoundary } from './failure.js';
import { Header } from './header.js';
import { Help } from './help.js';
import { useShortcuts } from './keys.js';
import { Navigation } from './navigation.js';
import { go, hrefOf, useRoute } from './route.js';
import { VIEWS } from './views.js';

export function App() {
  const hello = useHello();
  const status = useLinkStatus();
  if (hello && status !== 'outdated') return <Frame hello={hello} />;
  return (
    <main className="frame-alone">
      <h1>wirechart</h1>
      <NotConnected status={status} />
    </main>
  );
}

function Frame({ hello }: { hello: Hello }) {
  const link = useLink();
  const route = useRoute();
  const [isHelpOpen, setHelpOpen] = useState(false);
  const [path = ''] = route.path;
  const asked = route.query.get('source');
  const source = asked === null ? hello.sources[0] : hello.sources.find(({ name }) => name === asked);
  const hasCharts = Object.keys(hello.charts).length > 0;
  const views = VIEWS.filter(
    (view) => (hello.sources.length > 0 || !view.needsSource) && (hasCharts || !view.needsCharts),
  );
  // With one source there is nothing to keep.
  const kept = hello.sources.length > 1 ? source?.name : undefined;
  const chooseSource = (name: string) => go(hrefOf(pathsKept(route.path), { source: name }));

  useEffect(() => {
    if (hello.sources.length === 0 && path === '') go('/recordings', { replace: true });
  }, [hello, path]);
  const view = VIEWS.find((one) => one.path === path)?.name ?? 'Unknown page';
  const title = [route.path[1], view, source?.name].filter(Boolean).join(' \u00b7 ');
  useEffect(() => {
    document.title = `${title} \u00b7 wirechart`;
  }, [title]);
  useShortcuts({
    ...Object.fromEntries(
      views.map((view) => [`g ${view.key}`, () => go(hrefOf([view.path].filter(Boolean), { source: kept }))]),
    ),
    ...Object.fromEntries(
      hello.sources.slice(0, 9).map(({ name }, index) => [`${index + 1}`, () => chooseSource(name)]),
    ),
    '?': () => setHelpOpen(true),
    p: () => link.pause(!link.isPaused),
    t: nextTheme,
  });

  const frame = (
    <div className="frame">
      <a
        className="frame-skip button"
        href="#content"
        onClick={(event) => {
          event.preventDefault();
          event.nativeEvent.stopImmediatePropagation();
          document.getElementById('content')?.focus();
        }}
      >
        Skip to the view
      </a>
      <Header source={source} onSource={chooseSource} onHelp={() => setHelpOpen(true)} />
      <Navigation views={views} path={path} source={kept} />
      <main id="content" className="frame-content" tabIndex={-1}>
        <FailureBoundary key={path}>
          {source || !asked || isFreeOfSources(path) ? (
            <View path={route.path} source={source} />
          ) : (
            <Unknown title="Unknown source">
              There is no server or client <code>{asked}</code> here.
            </Unknown>
          )}
        </FailureBoundary>
      </main>
      <p className="visually-hidden" role="status">
        {title}
      </p>
      <LostLink />
      {isHelpOpen && <Help views={views} onClose={() => setHelpOpen(false)} />}
    </div>
  );
  return source ? <OverviewProvider source={source}>{frame}</OverviewProvider> : frame;
}

function View({ path, source }: { path: readonly string[]; source: Source | undefined }) {
  const [view = '', name, ...more] = path;
  if (more.length > 0) return <UnknownPage />;
  if (view === 'machines') return <MachinesView chartKey={name} source={source} />;
  if (view === 'recordings') return name === undefined ? <RecordingsView /> : <ReplayView key={name} name={name} />;
  if (!source) return <UnknownPage />;
  if (view === 'sessions')
    return name === undefined ? (
      <SessionsView key={source.name} source={source} />
    ) : (
      <SessionView key={`${source.name} ${name}`} source={source} id={name} />
    );
  if (name !== undefined) return <UnknownPage />;
  if (view === '') return <OverviewView key={source.name} source={source} />;
  if (view === 'wall') return <WallView key={source.name} source={source} />;
  if (view === 'log') return <LogView />;
  return <UnknownPage />;
}

/** One session is of its source alone: another source shows its list instead. */
function pathsKept(path: readonly string[]): readonly string[] {
  return path[0] === 'sessions' || path[0] === 'machines' ? path.slice(0, 1) : path;
}

function isFreeOfSources(path: string): boolean {
  return path === 'machines' || path === 'recordings' || path === 'log';
}

function UnknownPage() {
  return <Unknown title="Unknown page">There is nothing at this address.</Unknown>;
}

function Unknown({ title, children }: { title: string; children: ReactNode }) {
  return (
    <div className="nothing">
      <h1>{title}</h1>
      <p>{children}</p>
      <p>
        <a href="/">To the first view</a>
      </p>
    </div>
  );
}

/** What is shown stays when the link breaks; this says that it is old. */
function LostLink() {
  const status = useLinkStatus();
  if (status === 'live') return null;
  return (
    <div className="frame-lost" role="alert">
      <NotConnected status={status} />
    </div>
  );
}

function NotConnected({ status }: { status: LinkStatus }) {
  switch (status) {
    case 'outdated':
      return (
        <>
          <p>The server is of another version than this page.</p>
          <p>
            <button className="primary" onClick={() => location.reload()}>
              Load the page again
            </button>
          </p>
        </>
      );
    case 'refused':
      return <p>The server does not know this page any more. Open the address that it printed when it started.</p>;
    case 'reconnecting':
      return <p>The connection is lost: what you see is old. It is tried again each second.</p>;
    case 'connecting':
    case 'live':
      return <p className="muted">Connecting…</p>;
  }
}
