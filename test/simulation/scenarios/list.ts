/** All scenarios, in the order in which they are played. */
import type { Scenario } from '../../../src/testing/simulate.js';
import { CHAT_SCENARIOS } from './chat.js';
import { CLIENT_SCENARIOS } from './client.js';
import { ECHO_SCENARIOS } from './echo.js';
import { ERRAND_SCENARIOS } from './errands.js';
import { MEDIA_SCENARIOS } from './media-control.js';
import { PATH_SCENARIOS } from './paths.js';
import { SERVER_SCENARIOS } from './server.js';
import { SWEEPER_SCENARIOS } from './sweeper.js';

export const SCENARIOS: readonly Scenario[] = [
  ...ECHO_SCENARIOS,
  ...CHAT_SCENARIOS,
  ...MEDIA_SCENARIOS,
  ...ERRAND_SCENARIOS,
  ...PATH_SCENARIOS,
  ...SERVER_SCENARIOS,
  ...CLIENT_SCENARIOS,
  ...SWEEPER_SCENARIOS,
];
