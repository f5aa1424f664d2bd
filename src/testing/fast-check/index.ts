/** `wirechart/testing/fast-check`: messages for property tests. Needs the package `fast-check`. */
export { arbitraryOf } from './arbitraries.js';
export type { ArbitrariesByType } from './arbitraries.js';
