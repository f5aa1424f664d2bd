/** The drawing alone, for its tests: `show` puts one in the page, `events` is what it was asked for. */
import { createRoot } from 'react-dom/client';
import '../../design/tokens.css';
import '../../design/base.css';
import './page.css';
import { StatechartView, type StatechartHandle, type StatechartViewProps } from '../statechart-view.js';

export interface ChartPage {
  /** @param key another one begins anew */
  show(key: string, props: StatechartViewProps): void;
  exportSvg(): string | undefined;
  readonly events: string[];
}

declare global {
  interface Window {
    chartPage: ChartPage;
  }
}

const root = createRoot(document.getElementById('root')!);
const events: string[] = [];
let handle: StatechartHandle | null = null;

window.chartPage = {
  events,
  exportSvg: () => handle?.exportSvg(),
  show(key, props) {
    root.render(
      <div className="panel chart-page">
        <StatechartView
          key={key}
          ref={(made: StatechartHandle | null) => {
            handle = made;
          }}
          onState={(state: number) => events.push(`state ${state}`)}
          onEvent={(type: string) => events.push(`event ${type}`)}
          {...props}
        />
      </div>,
    );
  },
};
