/** The same, with what is known of it: its findings are accepted, each with a reason. */
import type { ExploreOptions } from '../../src/explore/explore-options.js';

export { default } from './lost-protocol.js';

export const exploration: ExploreOptions = {
  ignore: [
    { finding: 'unreachable', where: 'lost', because: 'kept for the next version' },
    { finding: 'noDeadline', where: 'asking', because: 'people may think as long as they like' },
  ],
};
