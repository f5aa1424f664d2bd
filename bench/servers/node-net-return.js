/** Bare echo that sends the whole frames of its input back as they came, without a copy. */
import { serveBare } from './bare.js';

serveBare((bytes, ends) => bytes.subarray(0, ends[ends.length - 1]));
