/** One server or client at a glance. */
import type { Source } from '../../../src/inspect/visualizer/messages.js';
import { ClosesPanel } from './closes-panel.js';
import { OwnerStrip } from './owner-strip.js';
import './overview.css';
import { PopulationPanel } from './population-panel.js';
import { RatesPanel } from './rates-panel.js';
import { StuckPanel } from './stuck-panel.js';

export function OverviewView({ source }: { source: Source }) {
  return (
    <div className="overview">
      <h1 className="visually-hidden">Overview of {source.name}</h1>
      <div className="overview-main">
        <OwnerStrip source={source} />
        <PopulationPanel source={source} />
      </div>
      <div className="overview-side">
        <RatesPanel source={source} />
        <StuckPanel source={source} />
        <ClosesPanel />
      </div>
    </div>
  );
}
