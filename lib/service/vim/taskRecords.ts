/**
 * What is remembered of tasks on disk: a file for each, written before its reference is given out and again when it has ended. Whoever
 * began one learns how it went from the next service too, when this one was killed.
 */
import { createHash } from 'node:crypto';
import { mkdir, readdir, readFile, realpath, unlink } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { CbtError } from '../../core/errors.js';
import { MethodFault, SystemError } from '../../facade/vsphere/index.js';
import { isMissing, onFile } from '../../linux/fileFault.js';
import { writeWholeFile } from '../../linux/wholeFile.js';
import { FAULT_CLASSES } from './faults/faultNames.js';
import type { WireTaskInfo } from './taskInfo.js';

const NAME = /^task-[0-9a-f-]{36}$/;
const END = '.json';
/** A record is some hundred bytes; one that is far longer is none of ours. */
const MOST_CHARACTERS = 1 << 20;

const referenceSchema = z.object({ type: z.string(), value: z.string() });
const faultSchema = z.object({
  type: z.string(),
  message: z.string(),
  faultMessage: z.array(z.object({ key: z.string(), message: z.string() })),
  properties: z.record(z.string(), z.unknown()),
});
const recordSchema = z.object({
  version: z.literal(1),
  key: z.string().regex(NAME),
  name: z.string(),
  descriptionId: z.string(),
  entity: referenceSchema,
  entityName: z.string(),
  state: z.enum(['queued', 'running', 'success', 'error']),
  cancelled: z.boolean(),
  userName: z.string(),
  queueTime: z.iso.datetime(),
  startTime: z.iso.datetime().optional(),
  completeTime: z.iso.datetime().optional(),
  eventChainId: z.number().int(),
  error: faultSchema.optional(),
  result: referenceSchema.optional(),
});
type TaskRecord = z.infer<typeof recordSchema>;

/** Where tasks are remembered. */
export interface TaskStore {
  /**
   * What is remembered of those that ended at this time or later, in milliseconds since 1970, or that had not ended; the oldest first.
   * `onFailure` is told what could not be read or removed, or not be remembered as it is told now.
   */
  read(since: number, most: number, onFailure: (error: Error) => void): Promise<WireTaskInfo[]>;
  write(info: WireTaskInfo): Promise<void>;
  remove(key: string): Promise<void>;
}

/** Nowhere: tasks end with the service. */
export const NO_STORE: TaskStore = {
  read: () => Promise.resolve([]),
  write: () => Promise.resolve(),
  remove: () => Promise.resolve(),
};

/** A folder that one service at a time has to itself. */
export class TaskFolder implements TaskStore {
  private constructor(readonly path: string) {}

  /** The folder of the tasks of a host file; made where it is not there. */
  static async of(stateFolder: string, hostFile: string): Promise<TaskFolder> {
    const name = createHash('sha256')
      .update(await realpath(hostFile))
      .digest('hex')
      .slice(0, 16);
    const path = join(stateFolder, 'service', `tasks-${name}`);
    await onFile(path, 'making', () => mkdir(path, { recursive: true, mode: 0o700 }));
    return new TaskFolder(path);
  }

  /** Those that had not ended did so with the service that ran them: they are told as failed. What is older, too much or unreadable goes. */
  async read(since: number, most: number, onFailure: (error: Error) => void): Promise<WireTaskInfo[]> {
    const brokenNow = new Set<WireTaskInfo>();
    const found: WireTaskInfo[] = [];
    for (const file of await onFile(this.path, 'reading', () => readdir(this.path))) {
      const record = await this.#record(file).catch((error: Error) => {
        onFailure(error);
        return undefined;
      });
      if (record === undefined) continue;
      if (record === null) {
        await this.#unlink(file).catch(onFailure);
        continue;
      }
      const info = record.completeTime === undefined ? broken(infoOf(record)) : infoOf(record);
      if (record.completeTime === undefined) brokenNow.add(info);
      found.push(info);
    }
    found.sort((a, b) => (a.queueTime < b.queueTime ? -1 : 1));
    const recent = found.filter(({ completeTime = '' }) => Date.parse(completeTime) >= since);
    const kept = recent.slice(Math.max(0, recent.length - most));
    const keys = new Set(kept.map(({ key }) => key));
    for (const { key } of found) if (!keys.has(key)) await this.remove(key).catch(onFailure);
    for (const info of kept) if (brokenNow.has(info)) await this.write(info).catch(onFailure);
    return kept;
  }

  async write(info: WireTaskInfo): Promise<void> {
    const text = JSON.stringify(recordOf(info));
    await writeWholeFile(join(this.path, info.key + END), (file) => file.writeFile(text), {
      links: 'refuse',
      mode: 0o600,
    });
  }

  async remove(key: string): Promise<void> {
    await this.#unlink(key + END);
  }

  async #unlink(file: string): Promise<void> {
    const path = join(this.path, file);
    await onFile(path, 'removing', () =>
      unlink(path).catch((error: unknown) => {
        if (!isMissing(error)) throw error;
      }),
    );
  }

  /** Null for what is no record: a file that was never finished, or is damaged. */
  async #record(file: string): Promise<TaskRecord | null> {
    if (!file.endsWith(END)) return null;
    const path = join(this.path, file);
    const text = await onFile(path, 'reading', () => readFile(path, 'utf8'));
    try {
      const record = text.length > MOST_CHARACTERS ? null : recordSchema.parse(JSON.parse(text));
      return record !== null && record.key + END === file ? record : null;
    } catch {
      return null;
    }
  }
}

function recordOf({ task: _, entity, error, result, reason, ...info }: WireTaskInfo): TaskRecord {
  const { type, value } = entity;
  return recordSchema.parse({
    ...info,
    version: 1,
    entity: { type, value },
    userName: reason.userName,
    ...(error !== undefined && { error: faultRecord(error) }),
    ...(isReference(result) && { result: { type: result.type, value: result.value } }),
  });
}

function isReference(value: unknown): value is z.infer<typeof referenceSchema> {
  return referenceSchema.safeParse(value).success;
}

/** What a fault is in JSON; objects in it are their references. */
function faultRecord(fault: MethodFault): TaskRecord['error'] {
  const plain = JSON.parse(JSON.stringify(fault)) as Record<string, unknown>;
  const { _type, faultCause: _cause, faultMessage: _message, msg, ...properties } = plain;
  const faultMessage = fault.faultMessage.map(({ key, message }) => ({ key, message }));
  return { type: String(_type), message: String(msg), faultMessage, properties };
}

function infoOf({ version: _, userName, error, ...record }: TaskRecord): WireTaskInfo {
  const info = { ...record, _type: 'TaskInfo', cancelable: true, task: { type: 'Task', value: record.key } };
  const Fault = FAULT_CLASSES.get(error?.type ?? '') ?? MethodFault;
  return {
    ...info,
    reason: { _type: 'TaskReasonUser', userName },
    ...(error !== undefined && {
      error: new Fault(error.message, { ...error.properties, faultMessage: error.faultMessage }),
    }),
  } as WireTaskInfo;
}

/** A task that no process works on any more. */
function broken(info: WireTaskInfo): WireTaskInfo {
  const reason = `the service that ran ${info.name} ended before it did: look at ${info.entityName} for what was done of it`;
  const cause = new CbtError('ERR_CBT_CONNECTION_LOST', reason, { details: { task: info.key } });
  const error = new SystemError(reason, { reason }, cause);
  return { ...info, state: 'error', error, completeTime: new Date().toISOString() };
}
