/**
 * The types that callers of the core lean on, checked by `tsc`: closed unions that a switch can exhaust, options that take
 * `undefined` as "not told", and results that cannot be changed. Nothing here runs.
 */
import { expectTypeOf } from 'vitest';
import type { ForeignBitmap, Segment } from '../../lib/core/chain.js';
import type { BitmapAction, PitPlan } from '../../lib/core/chainPlan.js';
import type { ChangedRange, ChangeMap } from '../../lib/core/changeMap.js';
import type { ChangePlan } from '../../lib/core/changeQuery.js';
import type { BitmapInfo, DiskSource, DiskState } from '../../lib/core/diskSource.js';
import type { Problem } from '../../lib/core/errors.js';
import {
  CbtError,
  type CbtErrorCode,
  type CbtErrorDetails,
  type CbtReason,
  trackingLost,
} from '../../lib/core/errors.js';
import type { DiskName, Epoch, PointName } from '../../lib/core/ids.js';
import { type Point, parsePoint } from '../../lib/core/point.js';
import type { Instant } from '../../lib/core/pointInTime.js';
import type { RangePage, RangePager, Ranges } from '../../lib/core/rangePage.js';
import type {
  ChangesOptions,
  PitInfo,
  PitList,
  TrackedDisk,
  TrackingState,
} from '../../lib/core/trackedDisk.js';
import type { BeginOutcome, DiskOutcome, TrackedState, TrackingOutcome } from '../../lib/core/tracking.js';

// Every code and reason, no more and no less: a table over them does not compile until a new one is mapped.
expectTypeOf<CbtErrorCode>().toEqualTypeOf<
  | 'ERR_CBT_INVALID_ARGUMENT'
  | 'ERR_CBT_CLOSED'
  | 'ERR_CBT_UNKNOWN_PIT'
  | 'ERR_CBT_TRACKING_LOST'
  | 'ERR_CBT_MAP_MISMATCH'
  | 'ERR_CBT_UNSUPPORTED'
  | 'ERR_CBT_BACKEND_UNAVAILABLE'
  | 'ERR_CBT_CONNECTION_LOST'
  | 'ERR_CBT_TIMEOUT'
  | 'ERR_CBT_BACKEND_PROTOCOL'
  | 'ERR_CBT_CORRUPT_IMAGE'
  | 'ERR_CBT_NOT_DONE'
  | 'ERR_CBT_ABORTED'
  | 'ERR_CBT_INTERNAL'
>();
expectTypeOf<CbtReason>().toEqualTypeOf<
  | 'CRASHED'
  | 'MISSING'
  | 'UNKNOWN_PIT'
  | 'OTHER_EPOCH'
  | 'NOT_RECORDING'
  | 'OVERLAY'
  | 'GRANULARITY'
  | 'SIZE'
  | 'VOLATILE'
  | 'FORMAT'
  | 'BUSY'
  | 'FOREIGN'
>();

const error = new CbtError('ERR_CBT_INTERNAL', 'x');
expectTypeOf(error).toExtend<Error>();
expectTypeOf(error.name).toEqualTypeOf<'CbtError'>();
expectTypeOf(error.code).toEqualTypeOf<CbtErrorCode>();
expectTypeOf(error.reason).toEqualTypeOf<CbtReason | undefined>();
expectTypeOf(error.disk).toEqualTypeOf<DiskName | undefined>();
expectTypeOf(error.details).toEqualTypeOf<CbtErrorDetails>();
expectTypeOf(error.recovery).toEqualTypeOf<'full' | 'retry' | 'reconnect' | 'fix' | 'report' | 'none'>();
declare const caught: unknown;
if (CbtError.is(caught, 'ERR_CBT_TRACKING_LOST')) expectTypeOf(caught.reason).toEqualTypeOf<CbtReason>();
if (CbtError.is(caught)) {
  expectTypeOf(caught.reason).toEqualTypeOf<CbtReason | undefined>();
  if (caught.code === 'ERR_CBT_TRACKING_LOST') expectTypeOf(caught.reason).toEqualTypeOf<CbtReason>();
}
// @ts-expect-error a code that is not in the list
CbtError.is(caught, 'ERR_CBT_OTHER');
// @ts-expect-error a code that is not in the list
new CbtError('ERR_CBT_OTHER', 'x');
// @ts-expect-error a reason that is not in the list
trackingLost('LOST', 'x');
// @ts-expect-error details are plain values, so that an error always becomes JSON
new CbtError('ERR_CBT_INTERNAL', 'x', { details: { at: new Date() } });
// @ts-expect-error an error is not changed after it was made
error.code = 'ERR_CBT_TIMEOUT';

// Points: what a text may mean, told apart by `kind`.
expectTypeOf(parsePoint).parameters.toEqualTypeOf<[argument: string, given: string | Instant]>();
expectTypeOf<Point['kind']>().toEqualTypeOf<'allocated' | 'pit' | 'changeId' | 'instant' | 'name'>();
expectTypeOf<Extract<Point, { kind: 'pit' }>['pit']>().toEqualTypeOf<string>();
expectTypeOf<Extract<Point, { kind: 'changeId' }>['sequence']>().toEqualTypeOf<number>();

// Questions and answers.
declare const disk: TrackedDisk;
expectTypeOf(disk.changes).parameter(0).toEqualTypeOf<ChangesOptions>();
expectTypeOf(disk.changes).returns.resolves.toEqualTypeOf<ChangeMap>();
expectTypeOf(disk.allocated).returns.resolves.toEqualTypeOf<ChangeMap>();
expectTypeOf(disk.pits).returns.resolves.toEqualTypeOf<PitList>();
expectTypeOf(disk).toExtend<AsyncDisposable>();
expectTypeOf<ChangesOptions['from']>().toEqualTypeOf<PointName | Instant>();
expectTypeOf<ChangesOptions['to']>().toEqualTypeOf<PointName | Instant | undefined>();
expectTypeOf<ChangesOptions['start']>().toEqualTypeOf<number | undefined>();
expectTypeOf<ChangesOptions['max']>().toEqualTypeOf<number | undefined>();
expectTypeOf<ChangesOptions['signal']>().toEqualTypeOf<AbortSignal | undefined>();
void disk.changes({ from: '*', to: undefined, start: undefined, max: undefined, signal: undefined });
// @ts-expect-error the earlier point must be told
void disk.changes({ to: 'a' });
// @ts-expect-error offsets in the core are numbers
void disk.changes({ from: 'a', start: 5n });
// @ts-expect-error a word that no option has
void disk.changes({ from: 'a', limit: 5 });

declare const map: ChangeMap;
expectTypeOf(map).toExtend<AsyncIterable<ChangedRange>>();
expectTypeOf<ChangedRange>().toEqualTypeOf<{ offset: number; length: number }>();
expectTypeOf<Ranges>().toEqualTypeOf<Float64Array>();
expectTypeOf(map.ranges).returns.resolves.toEqualTypeOf<Ranges>();
expectTypeOf(map.page).returns.resolves.toEqualTypeOf<RangePage>();
expectTypeOf(map.batches).returns.toExtend<AsyncIterable<Ranges>>();
expectTypeOf(map.bitBatches).returns.toExtend<AsyncIterable<Uint8Array>>();
expectTypeOf(map.changedBytes).returns.resolves.toEqualTypeOf<number>();
expectTypeOf(map.to).toEqualTypeOf<PointName | null>();
// @ts-expect-error a map is an answer, and stays as given
map.sizeBytes = 0;
// @ts-expect-error so do its warnings
map.warnings.push('x');

expectTypeOf<TrackingState>().toEqualTypeOf<'untracked' | 'recording' | 'overlay' | 'lost'>();
expectTypeOf<PitList['epoch']>().toEqualTypeOf<Epoch | null>();
expectTypeOf<PitList['problems']>().toEqualTypeOf<Problem[]>();
expectTypeOf<Problem['reason']>().toEqualTypeOf<CbtReason>();
// A sum that could not be read is null, never zero.
expectTypeOf<PitInfo['changedBytes']>().toEqualTypeOf<number | null>();
expectTypeOf<ForeignBitmap['pit']>().toEqualTypeOf<string | null>();

// Plans.
expectTypeOf<BitmapAction['kind']>().toEqualTypeOf<'add' | 'disable' | 'merge' | 'remove'>();
expectTypeOf<PitPlan['recording']>().toBeNullable();
expectTypeOf<ChangePlan['to']>().toEqualTypeOf<PointName | null>();
expectTypeOf<Segment['info']>().toEqualTypeOf<BitmapInfo>();
declare const plan: PitPlan;
// @ts-expect-error the order of a plan is its safety
plan.actions.reverse();

// Several disks: an outcome tells its error per disk, and a verdict what there is beside it.
expectTypeOf<TrackingOutcome['disks'][number]>().toEqualTypeOf<DiskOutcome>();
expectTypeOf<DiskOutcome['error']>().toEqualTypeOf<CbtError | undefined>();
expectTypeOf<BeginOutcome['verdict']>().toEqualTypeOf<'incremental' | 'full' | 'unknown' | 'failed'>();
expectTypeOf<BeginOutcome['reason']>().toEqualTypeOf<CbtReason | undefined>();
declare const begun: BeginOutcome;
switch (begun.verdict) {
  case 'incremental':
    expectTypeOf(begun.base).toEqualTypeOf<PointName>();
    break;
  case 'full':
    expectTypeOf(begun.message).toEqualTypeOf<string>();
    break;
  case 'unknown':
    expectTypeOf(begun.sizeBytes).toEqualTypeOf<number>();
    break;
  default:
    expectTypeOf(begun.error).toEqualTypeOf<CbtError>();
}
if (begun.error === undefined) expectTypeOf(begun.sizeBytes).toEqualTypeOf<number>();
declare const tracked: TrackedState;
// @ts-expect-error a disk that could not be read has no state
tracked.state;
if ('state' in tracked) expectTypeOf(tracked.state).toEqualTypeOf<DiskState>();

// The port of backends.
declare const source: DiskSource;
expectTypeOf(source.state).returns.resolves.toEqualTypeOf<DiskState>();
expectTypeOf(source.bitmapRanges).returns.resolves.toEqualTypeOf<RangePager>();
expectTypeOf(source.allocatedRanges).returns.resolves.toEqualTypeOf<RangePager>();
