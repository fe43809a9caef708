/** The library: a disk, its points in time, and what changed between them. */

export type { AreaKinds } from './core/areaKinds.js';
export type { Problem } from './core/chain.js';
export type { ChangedRange, ChangeMapFacts, ChangeMapSelection } from './core/changeMap.js';
export { ChangeMap } from './core/changeMap.js';
export type {
  DiskData,
  DiskDataCallOptions,
  DiskDataInfo,
  DiskDataReadOptions,
  DiskDataStreamOptions,
  DiskDataWriteOptions,
  DiskPiece,
} from './core/diskData.js';
export type { CbtErrorCode, CbtErrorDetails, CbtErrorOptions, CbtReason } from './core/errors.js';
export { CbtError } from './core/errors.js';
export type { Instant } from './core/pointInTime.js';
export type { RangePage, RangePager, Ranges, Window } from './core/rangePage.js';
export { MAX_DISK_BYTES } from './core/rangePage.js';
export type { EndSessionOptions, Session, SessionDisk, SessionFacts, SessionMode } from './core/session.js';
export type { ChangesOptions, ForeignInfo, PitInfo, PitList, TrackingState } from './core/trackedDisk.js';
export { TrackedDisk } from './core/trackedDisk.js';
export type { BeginOutcome, DiskOutcome, TrackingOutcome } from './core/tracking.js';
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
export type { DataTarget, NbdExport, NbdTls, OpenDataOptions, QemuNbdImage } from './data.js';
export { openData } from './data.js';
export { findImageLeftovers } from './imageLeftovers.js';
export type { BeginOptions, ImageOptions, ImageSession, StartOptions } from './imageTracking.js';
export { ImageTracking } from './imageTracking.js';
export type { Leftover, LeftoverMending, LeftoverOptions } from './leftovers.js';
export { findVmLeftovers } from './leftovers.js';
export type { OpenDiskOptions } from './open.js';
export { openDisk } from './open.js';
export type { ConnectOptions } from './vm.js';
export { connectVm } from './vm.js';
