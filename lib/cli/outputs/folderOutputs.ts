/** What the commands about backup folders print with `--json`; `list` has a schema of its own, which its types are made from. */
import { z } from 'zod';
import {
  base,
  bytes,
  count,
  disk,
  failed,
  message,
  orFailed,
  pit,
  range,
  reason,
  run,
  text,
  verdict,
} from './words.js';

const copiedDisk = orFailed({
  disk,
  series: text.optional().describe('The disk through time, whatever it is called.'),
  image: text.nullable().optional(),
  key: text.describe('Its name in the folder’s files.'),
  sizeBytes: bytes,
  epoch: text.nullable(),
  changeId: text.nullable(),
  sequence: count.nullable().optional(),
  verdict,
  reason: reason.optional(),
  message: text.optional(),
  base: base.optional(),
  file: text,
  fileBytes: bytes.optional(),
  sums: z.strictObject({ file: text, sha256: text, bytes }),
  changedBytes: bytes.describe('What the change map told.'),
  storedBytes: bytes.describe('What was stored of it.'),
  zeroBytes: bytes.describe('What of it were zeros, which take no room.'),
});

const backedUp = {
  run: run.nullable().describe('Null where every disk failed: then nothing was kept.'),
  pit: text.nullable(),
  disks: z.array(copiedDisk),
  warnings: z.array(text),
  seconds: z.number().nonnegative(),
};

export const backupOutput = z.union([
  z.strictObject(backedUp),
  z
    .strictObject({
      vms: z.array(
        z.union([
          z.strictObject({ vm: text, to: text, ...backedUp }),
          z.strictObject({ vm: text, to: text, error: failed }),
        ]),
      ),
    })
    .describe('With --all.'),
]);

export const estimateOutput = z.strictObject({
  to: text,
  disks: z.array(
    orFailed({
      disk,
      sizeBytes: bytes,
      verdict,
      reason,
      message,
      base: base.nullable(),
      changedBytes: bytes,
    }),
  ),
});

const problems = z.array(z.strictObject({ run: count, disk: text.nullable(), file: text, error: failed }));

export const verifyOutput = z.union([
  z.strictObject({
    sound: z.boolean(),
    runs: count,
    layers: count,
    checkedBytes: bytes,
    problems: problems.describe('Run 0: of the folder itself.'),
    notes: z.array(z.strictObject({ run, disk, file: text, message: text })),
  }),
  z
    .strictObject({
      sound: z.boolean(),
      disks: z.array(
        z.strictObject({
          disk,
          run: run.optional(),
          pit: pit.optional(),
          comparedBytes: bytes.optional(),
          mappedBytes: bytes.optional(),
          differences: z.array(range).optional(),
          differentBytes: bytes.optional(),
          error: failed.optional(),
        }),
      ),
    })
    .describe('Of a map against a disk (--depth map).'),
]);

const forgotten = z.array(z.strictObject({ disk, pit }).loose());

export const pruneOutput = z.strictObject({
  kept: z.array(run),
  layers: z.array(
    z.strictObject({
      run,
      pit,
      disk,
      action: z.enum(['removed', 'merged', 'kept']),
      because: text.optional(),
      into: run.optional(),
    }),
  ),
  forgotten: forgotten.describe('Points in time that were forgotten on the disks.'),
  waiting: forgotten.describe('Those that still wait for it.'),
  warnings: z.array(text),
  dryRun: z.boolean(),
});

export const copyOutput = z.strictObject({
  from: text,
  to: text,
  copied: z.array(z.strictObject({ run, pit, disks: z.array(disk) })).describe('Oldest first.'),
  runs: z.array(run).describe('All that are there now.'),
  copiedBytes: bytes,
  problems: problems.describe('What is damaged, and was left out.'),
  warnings: z.array(text),
});

const restored = { disk, run, pit, sizeBytes: bytes, writtenBytes: bytes };
const missing = z.array(z.strictObject({ disk, code: text, reason, message: text }));

export const restoreOutput = z.union([
  z.strictObject({ ...restored, to: text }),
  z
    .strictObject({
      run,
      pit,
      disks: z.array(
        z.union([
          z.strictObject({ disk, file: text, sizeBytes: bytes, writtenBytes: bytes }),
          z.strictObject({ disk, file: text, error: failed }),
        ]),
      ),
      missing: missing.describe('Disks of the VM that failed in that run.'),
      definition: text.optional(),
    })
    .describe('With --to-folder.'),
  z
    .strictObject({
      run,
      pit,
      disks: z.array(
        z.union([
          z.strictObject({
            disk,
            image: text,
            sizeBytes: bytes,
            by: z.enum(['changes', 'content']),
            base: run.nullable(),
            reason,
            message,
            points: z.enum(['kept', 'none', 'lost']),
            comparedBytes: bytes,
            writtenBytes: bytes,
            zeroedBytes: bytes,
          }),
          z.strictObject({ disk, image: text, error: failed }),
        ]),
      ),
    })
    .describe('With --onto.'),
  z
    .strictObject({
      run,
      pit,
      disks: z.array(z.strictObject({ disk, image: text, sizeBytes: bytes, backing: text })),
    })
    .describe('With --instant.'),
]);

const shown = {
  disk,
  key: text,
  sizeBytes: bytes,
  partitions: z.array(z.strictObject({ number: count, offset: bytes, length: bytes, kind: text.nullable() })),
};

export const serveNbdOutput = z.strictObject({
  run,
  pit,
  disks: z.array(z.strictObject({ ...shown, uri: text })),
});

export const mountOutput = z.strictObject({
  run,
  pit,
  disks: z.array(z.strictObject({ ...shown, file: text })),
});

export const bootTestOutput = z
  .strictObject({
    run,
    pit,
    disks: z.array(disk),
    alive: z.boolean(),
    message: text,
    afterMs: z.number(),
    screenshot: text.nullable(),
  })
  .loose();

export const reportOutput = z.strictObject({ folder: text, html: text, runs: z.array(run) });

const jobDisk = orFailed({ disk, verdict, reason, changedBytes: bytes, storedBytes: bytes });

export const runOutput = z.strictObject({
  jobs: z.array(
    z.strictObject({
      job: text,
      startedAt: text,
      finishedAt: text,
      exitCode: count,
      vms: z.array(
        z.strictObject({
          vm: text,
          to: text,
          startedAt: text,
          exitCode: count,
          seconds: z.number(),
          run: run.nullable(),
          disks: z.array(jobDisk),
          warnings: z.array(text),
          error: failed.nullable(),
        }),
      ),
      errors: z.array(failed).describe('What failed beside the VMs; or the signal that ended it.'),
    }),
  ),
});
