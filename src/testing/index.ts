/** `wirechart/testing`: worlds, the virtual clock, marbles, and what else a protocol is tested with. Needs no test runner. */
export { TimeError } from '../time/time-error.js';
export { VirtualTime } from '../time/virtual-time.js';
export type { PendingAction, RunUntilOptions, VirtualTimeOptions } from '../time/virtual-time.js';
export { checkNothingLeft } from './left-behind.js';
export { matchesMarbles } from './marble-comparison.js';
export type { MarbleComparison } from './marble-comparison.js';
export { marblesLengthMs, parseMarbles, playMarbles, recordMarbles } from './marbles.js';
export type { MarbleEntry, MarbleObserver, MarbleRecord, MarbleValues } from './marbles.js';
export { playChart } from './play-chart.js';
export type { PlayChartOptions, PlayedChart } from './play-chart.js';
export { sessionStates } from './session-states.js';
export type { SessionStatesOptions } from './session-states.js';
export { simulatedHandler } from './simulated-handler.js';
export type { SimulatedHandler, SimulatedHandlerOptions } from './simulated-handler.js';
export { isInState, statePathOf } from './state-path.js';
export { WorldError } from './world-error.js';
export type { WorldErrorCode } from './world-error.js';
export { createWorld } from './world.js';
export type {
  World,
  WorldClientOptions,
  WorldOptions,
  WorldPeer,
  WorldPeerOptions,
  WorldServerOptions,
  WorldTcpServer,
} from './world.js';
export { simulate } from './simulate.js';
export type { Scenario, SimulateOptions, SimulationFailure, SimulationReport } from './simulate.js';
export { FAULT_KINDS } from './faults.js';
export type { DrawOptions, Fault, FaultKind, ScheduledFault } from './faults.js';
export { delayOf, due, play, playOn } from './play.js';
export type { Due, Played, Timer } from './play.js';
export { createSimulatedNetwork } from '../socket/simulated/network.js';
export type {
  Direction,
  LinkConditions,
  PartitionOptions,
  SimulatedLayerOptions,
  SimulatedNetwork,
  SimulatedNetworkOptions,
} from '../socket/simulated/network.js';
export type { PeerEvent, PeerOptions, PeerState, ScriptedPeer } from '../explore/peer.js';
export { attackPort } from '../explore/attack-port.js';
export type { AttackPortOptions, Latency, PortAttackResult, PortReport, ServerWatch } from '../explore/attack-port.js';
export { attackProtocol } from '../explore/attack-protocol.js';
export type { AttackProtocolOptions, AttackReport, AttackResult } from '../explore/attack-protocol.js';
export { crowd } from '../explore/attack.js';
export type { Attack, AttackContext, AttackEndings, CrowdOptions } from '../explore/attack.js';
export type { Attacker, AttackerEnding } from '../explore/attacker.js';
export type { HostileFrames } from '../explore/attack-frames.js';
export type { HealthyCounts } from '../explore/attack-healthy.js';
export type { HealthyLoad } from '../explore/attack-load.js';
export { attacks } from '../explore/attacks/attacks.js';
export { probeOf } from '../explore/probe.js';
export type { Probe, ProbeOptions } from '../explore/probe.js';
export { ExploreError } from '../explore/explore-error.js';
export type { ExploreErrorCode } from '../explore/explore-error.js';
export type { CoveredState, CoveredTimeout, CoveredTransition, Coverage } from '../explore/coverage.js';
export type { ExploreOptions, ExploreThresholds, SimulatedAnswers } from '../explore/explore-options.js';
export { exploreProtocol } from '../explore/explore-protocol.js';
export type { Exploration, ExplorationBounds, ExploredPath, ReachedBound } from '../explore/explore-protocol.js';
export { FINDING_KINDS } from '../explore/findings.js';
export type { AcceptedFinding, Finding, FindingKind } from '../explore/findings.js';
export { serializeByDefault } from '../explore/place.js';
export type { Serialize } from '../explore/place.js';
export { messagesOf } from '../explore/samples.js';
export type { MessagesByType, MessagesOptions } from '../explore/samples.js';
export type { Answers, Script, Sent, Step } from '../explore/script.js';
export { RecordingError } from '../inspect/recording-error.js';
export type { RecordingErrorCode } from '../inspect/recording-error.js';
export { readRecording } from '../inspect/recording-text.js';
export type {
  ChartName,
  ChartSnapshot,
  Checkpoint,
  RecordedBytes,
  RecordedTimer,
  Recording,
  RecordingEntry,
  RecordingHeader,
  Step as RecordedStep,
  StepOrigin,
} from '../inspect/recording.js';
export { replayRecording } from '../explore/replay.js';
export type { ReplayDifference, ReplayResult } from '../explore/replay.js';
