/**
 * The types that programs lean on which read what a backup says, checked by `tsc`: a verdict tells what there is beside it, and a reason is one
 * of the core's, so that a switch over either is complete or does not compile. Nothing here runs.
 */
import { expectTypeOf } from 'vitest';
import type { DiskPlan, DiskResult, EstimateOutcome, SourceDisk } from '../../lib/backup/index.js';
import type { CbtError, CbtReason } from '../../lib/core/errors.js';

declare const plan: DiskPlan;
expectTypeOf(plan.reason).toEqualTypeOf<CbtReason | null>();
expectTypeOf(plan.verdict).toEqualTypeOf<'incremental' | 'full'>();
if (plan.verdict === 'incremental') expectTypeOf(plan.reason).toEqualTypeOf<null>();
expectTypeOf<SourceDisk['lost']>().toEqualTypeOf<{ reason: CbtReason | null; message: string } | null>();

declare const result: DiskResult;
expectTypeOf(result.error).toEqualTypeOf<CbtError | undefined>();
// @ts-expect-error one that failed has no verdict
void result.verdict;
if (result.error === undefined) {
  expectTypeOf(result.verdict).toEqualTypeOf<'incremental' | 'full'>();
  expectTypeOf(result.reason).toEqualTypeOf<CbtReason | null>();
}

declare const estimate: EstimateOutcome;
if (estimate.error === undefined) expectTypeOf(estimate.reason).toEqualTypeOf<CbtReason | null>();
else expectTypeOf(estimate.error).toEqualTypeOf<CbtError>();

/** A reason that is new does not compile here before somebody has said what it means. */
export function inWords(reason: CbtReason): string {
  switch (reason) {
    case 'CRASHED':
    case 'MISSING':
    case 'UNKNOWN_PIT':
    case 'OTHER_EPOCH':
    case 'NOT_RECORDING':
    case 'OVERLAY':
    case 'GRANULARITY':
    case 'SIZE':
    case 'VOLATILE':
    case 'FORMAT':
    case 'FOREIGN':
      return 'full';
    case 'BUSY':
      return 'later';
  }
}
