/** What the commands about disks and VMs print with `--json`. */
import { z } from 'zod';
import { bytes, count, disk, failed, pit, reason, reasonCode, run, text } from './words.js';

const problem = z.strictObject({ reason: reasonCode, message: text });
const changeId = text.describe('Epoch and sequence number, as vSphere’s clients take them.');

export const pitsOutput = z.strictObject({
  disk,
  sizeBytes: bytes,
  epoch: text.nullable().describe('The disk’s history; null where it is not tracked.'),
  state: z.enum(['untracked', 'recording', 'overlay', 'lost']),
  pits: z
    .array(
      z.strictObject({
        pit,
        sequence: z.number().int().positive().describe('Place in the epoch.'),
        changeId,
        granularityBytes: bytes,
        recording: z.boolean().describe('Whether it is the newest, whose segment takes the writes.'),
        changedBytes: bytes
          .nullable()
          .describe('Changed up to the next point; null where that cannot be read.'),
        run: run.nullable().optional().describe('With --from: the run of the folder that took it.'),
        takenAt: text.nullable().optional().describe('With --from: when that was, ISO 8601, UTC.'),
      }),
    )
    .describe('Oldest first.'),
  foreign: z
    .array(
      z.strictObject({
        name: text,
        pit: text.nullable(),
        layer: text,
        granularityBytes: bytes,
        recording: z.boolean(),
        inconsistent: z.boolean(),
        checkpoint: z
          .strictObject({ takenAt: text.nullable(), parent: text.nullable().optional() })
          .optional()
          .describe('Of one of libvirt’s.'),
      }),
    )
    .describe('Bitmaps of other programs.'),
  problems: z.array(problem),
  notes: z.array(text),
});

const area = z.strictObject({
  start: bytes,
  length: bytes,
  zero: z.boolean().optional().describe('With --kinds: whether it reads as zeros.'),
});

export const changesOutput = z.union([
  z.strictObject({
    disk,
    sizeBytes: bytes,
    granularityBytes: bytes,
    from: text,
    to: text.nullable().describe('Null for the disk as it is now.'),
    areas: z.array(area).describe('In bytes, ascending, disjoint, merged.'),
    changedBytes: bytes,
  }),
  z
    .strictObject({
      disk,
      file: text,
      granularityBytes: bytes,
      bits: count,
      bytes: count,
      from: text,
      to: text.nullable(),
    })
    .describe('With --bits.'),
]);

export const trackingOutput = z
  .strictObject({
    session: text.optional().describe('Of `begin`: what `commit` and `rollback` are given.'),
    pit: text.nullable().describe('The point in time that this is about; null where there is none.'),
    disks: z.array(
      z.strictObject({
        disk,
        epoch: text.optional(),
        changeId: changeId.optional(),
        sizeBytes: bytes.optional(),
        verdict: z.enum(['incremental', 'full']).optional().describe('What a backup must copy.'),
        base: text.optional().describe('The point that an incremental backup starts from.'),
        reason: reason.optional(),
        export: text.optional().describe('NBD URI that its instant is read from.'),
        error: failed.optional(),
      }),
    ),
  })
  .meta({ id: 'tracking' });

const mark = z.enum(['ok', 'note', 'problem']);

export const doctorOutput = z.union([
  z.strictObject({
    kernel: z.strictObject({ path: text, detail: text }),
    disks: z
      .array(
        z.strictObject({
          disk: text.describe('What was looked at: a disk, a folder, what sessions left.'),
          findings: z.array(
            z.strictObject({
              level: mark,
              reason: reason.optional(),
              code: text.optional(),
              message: text,
              advice: text.optional(),
              fix: text.optional().describe('What --fix does about it.'),
            }),
          ),
        }),
      )
      .describe('With --fix: as they are afterwards.'),
    fixed: z.array(z.strictObject({ disk: text, what: text, error: text.optional() })).optional(),
  }),
  z
    .strictObject({
      facts: z.array(
        z.strictObject({
          what: text,
          level: mark,
          message: text,
          fix: text.nullable().describe('The command, or the step, that mends it.'),
          code: text.nullable(),
        }),
      ),
    })
    .describe('With --system.'),
]);

const vm = z.strictObject({
  name: text,
  id: text.nullable(),
  uuid: text.nullable(),
  state: text.describe('running, off, silent, missing or unserved.'),
  status: text.nullable().describe('QEMU’s run state.'),
  disks: z.array(
    z.strictObject({
      disk,
      sizeBytes: bytes.nullable(),
      file: text.nullable(),
      tracking: z.enum(['untracked', 'recording', 'overlay', 'lost']).nullable(),
      newest: z.strictObject({ pit, changeId }).nullable().describe('The newest point in time.'),
      why: text.optional().describe('Why it cannot be tracked.'),
      error: failed.optional(),
    }),
  ),
  misnamed: z.array(z.strictObject({ name: text, error: failed })).optional(),
  error: failed.optional(),
});

export const vmsOutput = z.strictObject({
  file: text.nullable().describe('The host file; null where there is none.'),
  vms: z.array(vm),
});

export const hostOutput = z.strictObject({
  file: text.nullable(),
  problems: z.array(z.strictObject({ line: count.optional(), column: count.optional(), message: text })),
  notes: z.array(text),
  vms: z.array(
    vm.extend({
      findings: z.array(
        z.strictObject({ level: text, message: text, code: text.optional(), reason: reason.optional() }),
      ),
    }),
  ),
});

export const userOutput = z.union([
  z
    .strictObject({ user: text, role: text, vms: z.array(text).nullable(), file: text })
    .describe('Of `user set`.'),
  z.strictObject({ user: text, file: text }).describe('Of `user remove`.'),
  z
    .strictObject({
      users: z.array(z.strictObject({ name: text, role: text, vms: z.array(text).nullable() })),
    })
    .describe('Of `user list`.'),
]);

export const serveOutput = z.union([
  z.strictObject({ url: text, thumbprint: text, sha256: text, vms: count, metrics: text.nullable() }),
  z
    .strictObject({
      url: text,
      thumbprint: text,
      user: text,
      password: text,
      vms: z.array(z.strictObject({ name: text, moref: text })),
    })
    .describe('With --demo.'),
]);
