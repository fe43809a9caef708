/** Every reason for which a question of what changed is not answered. */
import { describe, expect, test } from 'vitest';
import type { DiskState } from '../../../lib/core/diskSource.js';
import type { CbtErrorCode, CbtReason } from '../../../lib/core/errors.js';
import { plan } from '../../helpers/planned.js';
import { refusal } from '../../helpers/refusal.js';
import {
  changeIdOf,
  diskOf,
  EPOCH,
  flatDisk,
  layer,
  OLD_EPOCH,
  pit,
  segment,
  wholeChain,
} from '../../helpers/states.js';

describe('refusals', () => {
  const volatile = { volatile: true, format: 'raw', label: 'sda' };
  const problem = { reason: 'FORMAT', message: 'qcow2 version 2 holds no bitmaps' } as const;
  const gone = changeIdOf(1, { epoch: OLD_EPOCH });

  test.each<[string, DiskState, string, string | undefined, CbtErrorCode, CbtReason, string[]]>([
    [
      'CRASHED: a segment is inconsistent',
      flatDisk([segment(1), segment(2, { inconsistent: true, recording: true })]),
      pit(1),
      undefined,
      'ERR_CBT_TRACKING_LOST',
      'CRASHED',
      ['segment 2', pit(2), 'disk.qcow2', 'full backup'],
    ],
    [
      'MISSING: a segment in between is gone',
      flatDisk([segment(1), segment(4, { recording: true })]),
      pit(1),
      undefined,
      'ERR_CBT_TRACKING_LOST',
      'MISSING',
      ['no segment for sequence 2..3 before segment 4'],
    ],
    [
      'MISSING: gone after the later point, too',
      flatDisk([segment(1), segment(2), segment(4, { recording: true })]),
      pit(1),
      pit(2),
      'ERR_CBT_TRACKING_LOST',
      'MISSING',
      ['3..3'],
    ],
    [
      'MISSING: a merge left half-way',
      flatDisk([segment(1), segment(1, { last: 2 }), segment(2), segment(3, { recording: true })]),
      segment(1).name,
      undefined,
      'ERR_CBT_TRACKING_LOST',
      'MISSING',
      ['segment 1-2', 'overlaps segment 1 '],
    ],
    [
      'MISSING: the tile asked from lies in an older one',
      flatDisk([segment(1, { last: 3 }), segment(2), segment(3), segment(4, { recording: true })]),
      pit(2),
      undefined,
      'ERR_CBT_TRACKING_LOST',
      'MISSING',
      ['overlaps'],
    ],
    [
      'MISSING: a merged tile beside its first part, each named exactly',
      flatDisk([segment(1), segment(1, { last: 2 }), segment(3, { recording: true })]),
      segment(1, { last: 2 }).name,
      segment(1).name,
      'ERR_CBT_TRACKING_LOST',
      'MISSING',
      ['overlaps'],
    ],
    [
      'MISSING: two segments of one point in time',
      flatDisk([segment(1), segment(2, { pit: pit(1), recording: true })]),
      pit(1),
      undefined,
      'ERR_CBT_TRACKING_LOST',
      'MISSING',
      ['segment 1', 'segment 2'],
    ],
    [
      'MISSING: one name twice',
      flatDisk([segment(1), segment(1), segment(2, { recording: true })]),
      segment(1).name,
      undefined,
      'ERR_CBT_TRACKING_LOST',
      'MISSING',
      ['two segments'],
    ],
    [
      'MISSING: a later name twice',
      flatDisk([segment(1), segment(2), segment(2), segment(3, { recording: true })]),
      pit(1),
      undefined,
      'ERR_CBT_TRACKING_LOST',
      'MISSING',
      ['overlaps'],
    ],
    [
      'UNKNOWN_PIT',
      flatDisk(wholeChain(2)),
      pit(77),
      undefined,
      'ERR_CBT_UNKNOWN_PIT',
      'UNKNOWN_PIT',
      [pit(77), 'full backup'],
    ],
    [
      'UNKNOWN_PIT: on a disk without bitmaps',
      flatDisk([]),
      pit(1),
      undefined,
      'ERR_CBT_UNKNOWN_PIT',
      'UNKNOWN_PIT',
      [pit(1)],
    ],
    [
      'UNKNOWN_PIT: a sequence that was merged away',
      flatDisk([segment(1, { last: 2 }), segment(3, { recording: true })]),
      changeIdOf(2),
      undefined,
      'ERR_CBT_UNKNOWN_PIT',
      'UNKNOWN_PIT',
      [`sequence 2 of epoch ${EPOCH}`],
    ],
    [
      'UNKNOWN_PIT: the same place in another copy of the image',
      flatDisk(wholeChain(2)),
      changeIdOf(2, { uuid: pit(9) }),
      undefined,
      'ERR_CBT_UNKNOWN_PIT',
      'UNKNOWN_PIT',
      [`sequence 2 of epoch ${EPOCH}`, pit(2), 'a copy, or an older file put back'],
    ],
    [
      'UNKNOWN_PIT: the same, as the later point',
      flatDisk(wholeChain(2)),
      pit(1),
      changeIdOf(2, { uuid: pit(9) }),
      'ERR_CBT_UNKNOWN_PIT',
      'UNKNOWN_PIT',
      ['a copy, or an older file put back'],
    ],
    [
      'UNKNOWN_PIT: a place that the other copy alone came to',
      flatDisk(wholeChain(2)),
      changeIdOf(3),
      undefined,
      'ERR_CBT_UNKNOWN_PIT',
      'UNKNOWN_PIT',
      [`sequence 3 of epoch ${EPOCH}`],
    ],
    [
      "UNKNOWN_PIT: a number like VMware's own, in an epoch of ours",
      flatDisk(wholeChain(2)),
      `${changeIdOf(2).split('/')[0]}/2`,
      undefined,
      'ERR_CBT_UNKNOWN_PIT',
      'UNKNOWN_PIT',
      ['below 2^32'],
    ],
    [
      'MISSING: one PIT in two epochs',
      diskOf(layer([segment(1, { epoch: OLD_EPOCH, recording: true })]), layer(wholeChain(1))),
      pit(1),
      undefined,
      'ERR_CBT_TRACKING_LOST',
      'MISSING',
      ['two segments'],
    ],
    [
      'UNKNOWN_PIT: the later point',
      flatDisk(wholeChain(2)),
      pit(1),
      pit(3),
      'ERR_CBT_UNKNOWN_PIT',
      'UNKNOWN_PIT',
      [pit(3)],
    ],
    [
      'OTHER_EPOCH: a changeId of a history that ended',
      flatDisk(wholeChain(1)),
      gone,
      undefined,
      'ERR_CBT_TRACKING_LOST',
      'OTHER_EPOCH',
      [OLD_EPOCH, EPOCH],
    ],
    [
      'OTHER_EPOCH: a changeId on an untracked disk',
      flatDisk([]),
      gone,
      undefined,
      'ERR_CBT_TRACKING_LOST',
      'OTHER_EPOCH',
      [OLD_EPOCH, 'not tracked'],
    ],
    [
      'OTHER_EPOCH: two points of two epochs',
      flatDisk([segment(1, { epoch: OLD_EPOCH, pit: pit(9) }), segment(1, { recording: true })]),
      pit(9),
      pit(1),
      'ERR_CBT_TRACKING_LOST',
      'OTHER_EPOCH',
      [OLD_EPOCH, EPOCH],
    ],
    [
      'NOT_RECORDING: the newest segment is off',
      flatDisk([segment(1), segment(2)]),
      pit(1),
      undefined,
      'ERR_CBT_TRACKING_LOST',
      'NOT_RECORDING',
      ['segment 2', 'newest'],
    ],
    [
      'VOLATILE: a restart took them',
      flatDisk([], volatile),
      pit(1),
      undefined,
      'ERR_CBT_TRACKING_LOST',
      'VOLATILE',
      ['sda', 'raw', 'restart'],
    ],
    [
      'VOLATILE: by changeId',
      flatDisk([], volatile),
      gone,
      undefined,
      'ERR_CBT_TRACKING_LOST',
      'VOLATILE',
      ['restart'],
    ],
    [
      'FORMAT: no bitmap of the layer can be read',
      flatDisk([], { problem }),
      pit(1),
      undefined,
      'ERR_CBT_TRACKING_LOST',
      'FORMAT',
      ['version 2'],
    ],
    [
      'FORMAT: what is listed of such a layer is not believed either',
      flatDisk(wholeChain(2), { problem }),
      pit(1),
      pit(2),
      'ERR_CBT_TRACKING_LOST',
      'FORMAT',
      ['version 2'],
    ],
    [
      'FORMAT: one bitmap cannot be read',
      flatDisk([
        segment(1, { problem: { reason: 'FORMAT', message: 'type 9 is not 1' } }),
        segment(2, { recording: true }),
      ]),
      pit(1),
      undefined,
      'ERR_CBT_TRACKING_LOST',
      'FORMAT',
      ['type 9 is not 1'],
    ],
  ])('%s', (_, state, from, to, code, reason, parts) => {
    const error = refusal(() => plan(state, from, to));
    expect({ code: error.code, reason: error.reason, disk: error.disk }).toEqual({
      code,
      reason,
      disk: 'vda',
    });
    for (const part of parts) expect(error.message).toContain(part);
    expect(error.recovery).toBe('full');
  });

  test('a bitmap that is held for a moment is no reason for a full backup', () => {
    const held = { reason: 'BUSY', message: 'bitmap x is held by an export' } as const;
    const error = refusal(() => plan(flatDisk([segment(1, { recording: true, problem: held })]), pit(1)));
    expect(error).toMatchObject({ code: 'ERR_CBT_BACKEND_UNAVAILABLE', reason: 'BUSY', disk: 'vda' });
    expect(error.message).not.toContain('full backup');
    expect(error.recovery).toBe('retry');
  });

  test('points the wrong way round are the mistake of the caller', () => {
    const error = refusal(() => plan(flatDisk(wholeChain(3)), pit(3), pit(1)));
    expect(error.code).toBe('ERR_CBT_INVALID_ARGUMENT');
    expect(error.message).toContain('wrong way round');
    expect(error.reason).toBeUndefined();
  });

  test('* is no point in time', () => {
    expect(refusal(() => plan(flatDisk(wholeChain(1)), '*')).code).toBe('ERR_CBT_INVALID_ARGUMENT');
    expect(refusal(() => plan(flatDisk(wholeChain(1)), pit(1), '*')).code).toBe('ERR_CBT_INVALID_ARGUMENT');
  });

  test('a disk without layers is refused, not crashed upon', () => {
    expect(refusal(() => plan(diskOf(), pit(1))).reason).toBe('MISSING');
  });
});
