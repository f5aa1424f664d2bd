/** The visualizer of `wirechart serve`: its flags, and what they mean together. */
import type { Command } from 'commander';
import { createVisualizer, type Visualized, type Visualizer } from '../inspect/visualizer/visualizer.js';
import { isLoopback } from '../inspect/visualizer/access.js';
import { VisualizerError } from '../inspect/visualizer/visualizer-error.js';
import { CliError } from './cli-error.js';
import { wholeNumber } from './whole-number.js';

export interface VisualizerFlags {
  /** `true`: without a port. */
  readonly visualizer?: number | true;
  readonly visualizerHost?: string;
  readonly allowControl?: boolean;
  readonly payloads?: boolean;
  readonly record?: string;
}

export function visualizerFlags(command: Command): Command {
  return command
    .option(
      '--visualizer [port]',
      'a web page that shows every session live; its address is line 2 (default port: any free one)',
      wholeNumber(0, 65_535),
    )
    .option('--visualizer-host <address>', 'with --visualizer: address to listen on (default 127.0.0.1 and ::1)')
    .option('--allow-control', 'with --visualizer: sessions may be closed, sent events and recorded from the page');
}

/**
 * @returns `undefined` when there is to be none
 * @throws {CliError} exit code 2 for flags that need others
 */
export function visualizerOf(what: Visualized, flags: VisualizerFlags): Visualizer | undefined {
  const { visualizer, visualizerHost, allowControl, payloads, record } = flags;
  if (visualizer === undefined) {
    if (visualizerHost !== undefined || allowControl)
      throw new CliError(2, `--${allowControl ? 'allow-control' : 'visualizer-host'} needs --visualizer`);
    return undefined;
  }
  return createVisualizer(what, {
    port: visualizer === true ? 0 : visualizer,
    ...(visualizerHost !== undefined && { host: visualizerHost }),
    ...(record !== undefined && { recordings: record }),
    control: allowControl === true,
    payloads: payloads === true,
    // Who names the address has thought about who reaches it.
    production: visualizerHost !== undefined,
  });
}

/** @param portFlag that says on which port @throws {CliError} exit code 1 when it cannot listen; 2 when it is not meant to run here */
export async function startVisualizer(visualizer: Visualizer, portFlag: '--visualizer' | '--port'): Promise<void> {
  try {
    await visualizer.start();
  } catch (error) {
    if (!(error instanceof VisualizerError)) throw error;
    if (error.code === 'PRODUCTION') {
      const flags = '--visualizer needs --visualizer-host as well, for example --visualizer-host 127.0.0.1';
      throw new CliError(2, `NODE_ENV is production, where ${flags}`);
    }
    throw new CliError(1, error.code === 'LISTEN_FAILED' ? `${portFlag}: ${error.message}` : error.message);
  }
}

/** What whoever lets other machines in should know; `undefined` when none is let in. */
export function warningFor({ visualizerHost, allowControl }: VisualizerFlags): string | undefined {
  if (visualizerHost === undefined || isLoopback(visualizerHost)) return undefined;
  const may = allowControl ? 'sees and may end' : 'sees';
  return `warning: the visualizer listens on ${visualizerHost}: whoever reaches it and has its address ${may} every session, and what is said goes over the network as it is`;
}
