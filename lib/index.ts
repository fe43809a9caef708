/** The library: a disk, its points in time, and what changed between them. */

export type { AreaKinds } from './core/areaKinds.js';
export { changeId } from './core/changeId.js';
export type { BatchOptions, ChangedRange, ChangeMapFacts, ChangeMapSelection } from './core/changeMap.js';
export type { DiffOptions, DiffPiece } from './core/diff.js';
export { Diff } from './core/diff.js';
export type {
  DiskData,
  DiskDataCallOptions,
  DiskDataInfo,
  DiskDataReadOptions,
  DiskDataStreamOptions,
  DiskDataWriteOptions,
  DiskPiece,
  LentPiece,
  OpenDataOptions,
} from './core/diskData.js';
export type {
  CauseJson,
  CbtErrorCode,
  CbtErrorDetails,
  CbtErrorJson,
  CbtErrorOf,
  CbtErrorOptions,
  CbtReason,
  CbtRecovery,
  DiskFailure,
  Problem,
} from './core/errors.js';
export { CbtError } from './core/errors.js';
export type { BitmapName, ChangeId, DiskName, Epoch, PointId, PointName } from './core/ids.js';
export type { MapContent, OwnMapFacts } from './core/ownMap.js';
export type { Instant } from './core/pointInTime.js';
export { pointId } from './core/pointInTime.js';
export type { OnProgress, ProgressEvent, ProgressPhase } from './core/progress.js';
export type {
  AlignOptions,
  BitsOptions,
  ClipOptions,
  RangeAlgebra,
  RangesOptions,
} from './core/rangeAlgebra.js';
export type { RangePage, RangePager, Window } from './core/rangePage.js';
export { MAX_DISK_BYTES } from './core/rangePage.js';
export type { EndSessionOptions, Session, SessionDisk, SessionFacts, SessionMode } from './core/session.js';
export type {
  ChangesOptions,
  ForeignInfo,
  PitInfo,
  PitList,
  PitsOptions,
  TrackingState,
} from './core/trackedDisk.js';
export { TrackedDisk } from './core/trackedDisk.js';
export type {
  BeginOutcome,
  DiskDone,
  DiskFailed,
  DiskOutcome,
  FullDisk,
  IncrementalDisk,
  RefusedDisk,
  TrackingOutcome,
  UntoldDisk,
} from './core/tracking.js';
export type {
  BeginVmOptions,
  CallOptions,
  DisksOptions,
  QuiesceOptions,
  ScratchOptions,
  StartVmOptions,
  Vm,
  VmDiskInfo,
  VmFacts,
} from './core/vm.js';
export type { DataTarget, ExportMap, NbdExport, NbdTls, QemuNbdImage } from './host/data.js';
export { openData, openExportMap } from './host/data.js';
export type { Holds } from './host/holds.js';
export type { HostFile } from './host/hostFile.js';
export type { HostVm, VmEntry } from './host/hostVm.js';
export { findImageLeftovers } from './host/imageLeftovers.js';
export type { DiskPlace, InventoryOptions } from './host/inventory.js';
export { Inventory } from './host/inventory.js';
export type { KeepVmOptions, VmKeeper } from './host/keepVm.js';
export { keepVm } from './host/keepVm.js';
export type { VmState, VmStateEvent } from './host/keptVm.js';
export type { Leftover, LeftoverMending } from './host/leftover.js';
export type { OpenDiskOptions } from './host/open.js';
export { openDisk } from './host/open.js';
export type { OpenVmOptions } from './host/openVm.js';
export { openVm } from './host/openVm.js';
export type { FoundSession, PooledVm, PoolLimits, PoolOptions, Recovered } from './host/pool.js';
export { createPool, VmPool } from './host/pool.js';
export { ChangeMap, Ranges } from './host/ranges.js';
export type { ConnectVmOptions } from './host/vm.js';
export { connectVm } from './host/vm.js';
export type { LeftoverOptions } from './host/vmLeftovers.js';
export { findVmLeftovers } from './host/vmLeftovers.js';
export type { Logger, LogLine } from './watch/logger.js';
export type {
  BackupMessage,
  QmpMessage,
  SessionMessage,
  StreamMessage,
  WatchChannel,
  WatchMessage,
  WatchMessages,
} from './watch/messages.js';
