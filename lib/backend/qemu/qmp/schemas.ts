/**
 * The shapes of what QEMU sends, as far as we use it. Members we do not know are kept (a newer QEMU has more); a member
 * we rely on that is missing or of another kind is refused, with its path, value and limit.
 */
import { z } from 'zod';

/** Bytes or counts that must be exact: up to 2^53 - 1 (8 PiB). Wider integers arrive as bigint and are refused. */
export const exactCount = z.custom<number>((value) => Number.isSafeInteger(value) && Number(value) >= 0, {
  error: ({ input }) => `is ${show(input)}, expected an integer from 0 to ${Number.MAX_SAFE_INTEGER}`,
});

const versionInfo = z.looseObject({
  qemu: z.looseObject({ major: exactCount, minor: exactCount, micro: exactCount }),
  package: z.string(),
});
export type QemuVersion = z.infer<typeof versionInfo>;

export const greeting = z.looseObject({
  QMP: z.looseObject({ version: versionInfo, capabilities: z.array(z.unknown()) }),
});

/** Something happened; `data` is absent for events without any. */
export const qmpEvent = z.looseObject({
  event: z.string(),
  data: z.record(z.string(), z.unknown()).optional(),
  timestamp: z.looseObject({ seconds: z.number(), microseconds: z.number() }),
});
export type QmpEvent = z.infer<typeof qmpEvent>;

export const errorReply = z.looseObject({ error: z.looseObject({ class: z.string(), desc: z.string() }) });

const dirtyBitmap = z.looseObject({
  /** Absent for the bitmaps that jobs and filters keep for themselves. */
  name: z.string().optional(),
  /** Set bits times granularity, bytes: can exceed the size of the disk. */
  count: exactCount,
  granularity: exactCount,
  recording: z.boolean(),
  busy: z.boolean(),
  persistent: z.boolean(),
  inconsistent: z.boolean().optional(),
});
export type DirtyBitmapInfo = z.infer<typeof dirtyBitmap>;

const imageInfo = z.looseObject({
  filename: z.string(),
  format: z.string(),
  'virtual-size': exactCount,
  'actual-size': exactCount.optional(),
  'cluster-size': exactCount.optional(),
  'format-specific': z.looseObject({ type: z.string(), data: z.looseObject({}) }).optional(),
  snapshots: z.array(z.looseObject({ name: z.string() })).optional(),
});

/** BlockDeviceInfo. */
const blockNode = z.looseObject({
  'node-name': z.string().min(1),
  drv: z.string(),
  /** For display: a plain path, a URI, or a `json:` pseudo name. */
  file: z.string(),
  ro: z.boolean(),
  /** Its content is encrypted on the way to the child; QEMU has the key. */
  encrypted: z.boolean().optional(),
  /** QEMU 10.0 and newer; false while a migration has handed the disk over. */
  active: z.boolean().optional(),
  image: imageInfo,
  /** Whatever somebody set: one odd field must not keep us from the rest. */
  write_threshold: z.number().optional(),
  'dirty-bitmaps': z.array(dirtyBitmap).optional(),
  /** QEMU 10.1 and newer. */
  children: z.array(z.looseObject({ child: z.string(), 'node-name': z.string().min(1) })).optional(),
});
export type BlockNodeInfo = z.infer<typeof blockNode>;

/** BlockInfo: one device, with or without a medium. */
const blockDevice = z.looseObject({
  /** Name of the block backend (`-drive id=`); empty with -blockdev. */
  device: z.string(),
  /** Id or QOM path of the guest device; absent when no guest device is attached. */
  qdev: z.string().optional(),
  removable: z.boolean(),
  tray_open: z.boolean().optional(),
  'io-status': z.string().optional(),
  inserted: z.looseObject({ 'node-name': z.string().min(1), ro: z.boolean() }).optional(),
});
export type BlockDevice = z.infer<typeof blockDevice>;

/** XDbgBlockGraph: exact edges between nodes, for debugging, but there since 4.0 and unchanged. */
const blockGraph = z.looseObject({
  nodes: z.array(z.looseObject({ id: exactCount, type: z.string(), name: z.string() })),
  edges: z.array(z.looseObject({ parent: exactCount, child: exactCount, name: z.string() })),
});

const jobInfo = z.looseObject({
  id: z.string(),
  type: z.string(),
  status: z.string(),
  'current-progress': z.number(),
  'total-progress': z.number(),
  error: z.string().optional(),
});
export type JobInfo = z.infer<typeof jobInfo>;

const blockJobInfo = z.looseObject({
  /** The job id; named `device` for history's sake. */
  device: z.string(),
  type: z.string(),
  status: z.string().optional(),
  busy: z.boolean(),
  paused: z.boolean(),
  ready: z.boolean(),
  'io-status': z.string(),
  error: z.string().optional(),
});

const exportInfo = z.looseObject({
  id: z.string(),
  type: z.string(),
  'node-name': z.string(),
  'shutting-down': z.boolean(),
});
export type BlockExportInfo = z.infer<typeof exportInfo>;

/** SchemaInfo; which other members there are depends on `meta-type`. */
const schemaEntry = z.looseObject({
  name: z.string(),
  'meta-type': z.string(),
  features: z.array(z.string()).optional(),
});

const nothing = z.looseObject({});

/** The reply of every command we use. */
export const qmpReplies = {
  'query-version': versionInfo,
  'query-qmp-schema': z.array(schemaEntry),
  'query-named-block-nodes': z.array(blockNode),
  'query-block': z.array(blockDevice),
  'x-debug-query-block-graph': blockGraph,
  'query-block-exports': z.array(exportInfo),
  'query-jobs': z.array(jobInfo),
  'query-block-jobs': z.array(blockJobInfo),
  'query-name': z.looseObject({ name: z.string().optional() }),
  'query-uuid': z.looseObject({ UUID: z.string() }),
  'query-chardev': z.array(z.looseObject({ label: z.string(), filename: z.string() })),
  'query-cpus-fast': z.array(z.looseObject({})),
  'query-memory-size-summary': z.looseObject({
    'base-memory': exactCount,
    'plugged-memory': exactCount.optional(),
  }),
  'query-status': z.looseObject({ running: z.boolean(), status: z.string() }),
  'x-debug-block-dirty-bitmap-sha256': z.looseObject({ sha256: z.string() }),
  'qom-list': z.array(z.looseObject({ name: z.string(), type: z.string() })),
  'qom-get': z.unknown(),
  transaction: nothing,
  'block-dirty-bitmap-add': nothing,
  'block-dirty-bitmap-remove': nothing,
  'block-dirty-bitmap-clear': nothing,
  'block-dirty-bitmap-enable': nothing,
  'block-dirty-bitmap-disable': nothing,
  'block-dirty-bitmap-merge': nothing,
  'blockdev-add': nothing,
  'blockdev-del': nothing,
  'blockdev-create': nothing,
  'blockdev-reopen': nothing,
  'blockdev-snapshot': nothing,
  'blockdev-backup': nothing,
  'block-commit': nothing,
  'block-set-write-threshold': nothing,
  block_resize: nothing,
  'block-export-add': nothing,
  'block-export-del': nothing,
  'nbd-server-start': nothing,
  'nbd-server-stop': nothing,
  'job-cancel': nothing,
  'job-complete': nothing,
  'job-dismiss': nothing,
  'object-add': nothing,
  'object-del': nothing,
  stop: nothing,
  cont: nothing,
  quit: nothing,
} as const satisfies Record<string, z.ZodType>;

export type QmpCommand = keyof typeof qmpReplies;
export type QmpReply<C extends QmpCommand> = z.infer<(typeof qmpReplies)[C]>;

/** The first few complaints of a failed check as one line: path, then what is wrong. */
export function describeIssues(error: z.ZodError): string {
  const shown = error.issues.slice(0, 3).map(({ path, message }) => {
    return path.length === 0 ? message : `${path.map(String).join('.')}: ${message}`;
  });
  const more = error.issues.length - shown.length;
  return more > 0 ? `${shown.join('; ')}; and ${more} more` : shown.join('; ');
}

function show(value: unknown): string {
  if (typeof value === 'string') return JSON.stringify(value.slice(0, 80));
  return typeof value === 'object' && value !== null ? 'an object' : String(value);
}
