/** `wirechart/time`: the clocks, for servers and for tests. */
export { clockFrom, type Clock } from './clock.js';
export { RealTime, type RealTimeOptions } from './real-time.js';
export { TimeError } from './time-error.js';
export { VirtualTime, type PendingAction, type VirtualTimeOptions } from './virtual-time.js';
