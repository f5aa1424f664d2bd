/** What an exploration may be told, checked once. */
import type { EventObject } from 'xstate';
import { parseSessionOptions, refuseUnknownOptions, type SessionOptions } from '../session/options.js';
import type { AnyProtocol } from '../session/protocol.js';
import { checkInteger, checkObject, checkOneOf, invalid, refuseUnknown } from '../socket/check.js';
import { FINDING_KINDS, type AcceptedFinding } from './findings.js';
import { serializeByDefault, type Serialize } from './place.js';
import { checkScript, type Script } from './script.js';

/** Events that a simulated handler answers with, one per path; a function makes one from the command. */
export type SimulatedAnswers = readonly (EventObject | ((command: any) => EventObject))[];

export interface ExploreThresholds {
  /** Shares that have to be covered, 0 to 1. Default 1: all. */
  readonly states?: number;
  readonly transitions?: number;
  readonly timeouts?: number;
}

export interface ExploreOptions {
  /** All chance comes from it: an integer of at least 0. Default 1. */
  readonly seed?: number;
  /** Places of the model that are looked at, at most; 1 or more. Default 2 000. */
  readonly placesMax?: number;
  /** Steps of one path, at most; 1 or more. Default 60. */
  readonly depthMax?: number;
  /** Paths that are carried out, at most; 1 or more. Default 500. */
  readonly pathsMax?: number;
  /** Random walks of the model for what shortest paths have missed, 0 or more. Default 200. */
  readonly walks?: number;
  /** Peers at one time, 1 or 2. Default 2 for a protocol with shared actors or one that sets keys, else 1. */
  readonly peersMax?: number;
  /** What makes two snapshots of a chart the same place. Default: state, truth values and short texts of the context. */
  readonly serialize?: Serialize;
  /** Paths written by hand, carried out besides those that are found. */
  readonly scripts?: readonly Script[];
  /** By command: answers instead of the protocol's own handler. Its deadline and its declared failure are explored all the same. */
  readonly handlers?: Readonly<Record<string, SimulatedAnswers>>;
  /** Default: 1 each. */
  readonly thresholds?: ExploreThresholds;
  readonly ignore?: readonly AcceptedFinding[];
  /** Options of the sessions, over the protocol's own. */
  readonly options?: SessionOptions;
}

export type ParsedExploreOptions = Required<Omit<ExploreOptions, 'thresholds' | 'peersMax'>> & {
  readonly thresholds: Required<ExploreThresholds>;
  readonly peersMax: number | undefined;
};

const NAMES = [
  'seed', 'placesMax', 'depthMax', 'pathsMax', 'walks', 'peersMax', 'serialize', 'scripts', 'handlers', 'thresholds', 'ignore', 'options',
]; // prettier-ignore

/** @throws {SocketError} OPTION_INVALID with the option at fault and what was expected. */
export function parseExploreOptions(protocol: AnyProtocol, user: ExploreOptions): ParsedExploreOptions {
  const path = 'exploreProtocol';
  refuseUnknown(path, checkObject(path, user), NAMES);
  const { seed = 1, placesMax = 2_000, depthMax = 60, pathsMax = 500, walks = 200, peersMax } = user;
  const {
    serialize = serializeByDefault,
    scripts = [],
    handlers = {},
    thresholds = {},
    ignore = [],
    options = {},
  } = user;
  checkInteger(`${path}.seed`, seed, { min: 0, max: Number.MAX_SAFE_INTEGER });
  checkInteger(`${path}.placesMax`, placesMax, { min: 1, max: 1_000_000 });
  checkInteger(`${path}.depthMax`, depthMax, { min: 1, max: 10_000 });
  checkInteger(`${path}.pathsMax`, pathsMax, { min: 1, max: 100_000 });
  checkInteger(`${path}.walks`, walks, { min: 0, max: 1_000_000 });
  if (peersMax !== undefined) checkOneOf(`${path}.peersMax`, peersMax, [1, 2]);
  if (typeof serialize !== 'function') throw invalid(`${path}.serialize`, 'a function', serialize);
  for (const [index, script] of scripts.entries()) checkScript(`${path}.scripts[${index}]`, script);
  for (const [type, answers] of Object.entries(handlers))
    checkAnswers(`${path}.handlers.${type}`, protocol, type, answers);
  refuseUnknownOptions(`${path}.options`, options, []);
  parseSessionOptions(options, `${path}.options`);
  for (const [index, accepted] of ignore.entries()) checkAccepted(`${path}.ignore[${index}]`, accepted);
  const { states = 1, transitions = 1, timeouts = 1, ...unknown } = thresholds;
  refuseUnknown(`${path}.thresholds`, unknown, ['states', 'transitions', 'timeouts']);
  for (const [name, share] of Object.entries({ states, transitions, timeouts })) {
    if (!(share >= 0 && share <= 1)) throw invalid(`${path}.thresholds.${name}`, 'a number from 0 to 1', share);
  }
  return {
    seed, placesMax, depthMax, pathsMax, walks, peersMax, serialize, scripts, handlers, ignore, options,
    thresholds: { states, transitions, timeouts },
  }; // prettier-ignore
}

function checkAnswers(path: string, protocol: AnyProtocol, type: string, answers: SimulatedAnswers): void {
  if (!Object.hasOwn(protocol.handlers ?? {}, type))
    throw invalid(
      path,
      `one of the protocol's handlers (${Object.keys(protocol.handlers ?? {}).join(', ') || 'it has none'})`,
      type,
    );
  if (!Array.isArray(answers) || answers.length === 0) throw invalid(path, 'an array of one answer or more', answers);
}

function checkAccepted(path: string, accepted: AcceptedFinding): void {
  refuseUnknown(path, checkObject(path, accepted), ['finding', 'where', 'because']);
  checkOneOf(`${path}.finding`, accepted.finding, FINDING_KINDS);
  if (typeof accepted.where !== 'string') throw invalid(`${path}.where`, 'the place of a finding', accepted.where);
  if (typeof accepted.because !== 'string' || accepted.because.trim() === '')
    throw invalid(`${path}.because`, 'a reason in words', accepted.because);
}
