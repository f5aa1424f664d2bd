/** Charts as data and as drawings: `wirechart/inspect`. */
export { drawChart, type DrawingFormat, type DrawOptions } from './drawing/draw-chart.js';
export { DrawingError, type DrawingErrorCode } from './drawing/drawing-error.js';
export {
  readChart,
  type Chart,
  type ChartAction,
  type ChartInitial,
  type ChartInvoke,
  type ChartState,
  type ChartTransition,
} from './drawing/chart.js';
export type { ChartGuard } from './chart-names.js';
export { createVisualizer, type Visualized, type Visualizer } from './visualizer/visualizer.js';
export { VisualizerError, type VisualizerErrorCode } from './visualizer/visualizer-error.js';
export type { VisualizerOptions } from './visualizer/visualizer-options.js';
