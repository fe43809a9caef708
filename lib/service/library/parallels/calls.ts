/**
 * What each call of a compiled program's libprl_sdk is here: the facade's function of the same name. Nothing is done here but what only C
 * has: numbers for functions that are told of events, bytes in pieces, packed structures.
 */
import { PJOC_UNKNOWN } from '../../../facade/parallels/constants/generated/jobOperations.js';
import { PRL_ERR_UNIMPLEMENTED } from '../../../facade/parallels/constants/results.js';
import { PrlError } from '../../../facade/parallels/errors.js';
import * as prl from '../../../facade/parallels/index.js';
import { DiskMap } from '../../../facade/parallels/objects/diskMap.js';
import { Job } from '../../../facade/parallels/objects/job.js';
import { takeAnyTime } from '../../../facade/parallels/runtime.js';
import type { PRL_DISK_PARAMETERS } from '../../../facade/parallels/structs.js';
import { ref } from '../../../facade/ref.js';
import type { CallArguments } from '../callArguments.js';
import { type Answer, MAX_PIECE_BYTES, type SdkCall } from '../sdkClient.js';
import { SHAPES, STARTS } from './generated/shapes.js';
import { handleOf, numberIn, readParameters } from './parameters.js';
import { diskParameters } from './structures.js';

/** What a call may reach. */
export interface PrlCall extends SdkCall {
  /** The function that stands for one of the program's, by the number of its registration; always the same one. */
  handler: (registration: bigint) => prl.PRL_EVENT_HANDLER_PTR | null;
}

type Call = (call: PrlCall) => Promise<Answer> | Answer;
type SdkFunction = (...values: unknown[]) => number | Promise<number>;

const handle = (args: CallArguments) => handleOf(args.integer('handle'));

const registering =
  (work: typeof prl.PrlSrv_RegEventHandler): Call =>
  ({ args, handler }) => ({ code: work(handle(args), handler(args.integer('registration'))) });

const pieceOf = (args: CallArguments) => {
  const start = args.integer('offset');
  const bytes = args.small('size');
  if (bytes > MAX_PIECE_BYTES)
    throw new PrlError(
      prl.PRL_ERR_INVALID_ARG,
      `a piece has ${bytes} bytes; ${MAX_PIECE_BYTES} is the limit`,
    );
  return { start, bytes };
};

const BY_HAND: Readonly<Record<string, Call>> = {
  PrlHandle_RegEventHandler: registering(prl.PrlHandle_RegEventHandler),
  PrlHandle_UnregEventHandler: registering(prl.PrlHandle_UnregEventHandler),
  PrlSrv_RegEventHandler: registering(prl.PrlSrv_RegEventHandler),
  PrlSrv_UnregEventHandler: registering(prl.PrlSrv_UnregEventHandler),
  PrlVm_RegEventHandler: registering(prl.PrlVm_RegEventHandler),
  PrlVm_UnregEventHandler: registering(prl.PrlVm_UnregEventHandler),
  /** The text itself, which the library lends to the program. */
  PrlHandle_ToString: ({ args }) => {
    const of = handle(args);
    const xml = args.flag('xml') ? ref<string>() : null;
    args.end();
    const code = prl.PrlHandle_ToString(of, xml);
    return { code, values: [xml?.value === undefined ? null : Buffer.from(xml.value)] };
  },
  PrlDisk_Read: async ({ args, readBuffer }) => {
    const disk = handle(args);
    const { start, bytes } = pieceOf(args);
    const buffer = readBuffer(bytes);
    const code = await prl.PrlDisk_Read(disk, buffer, bytes, start);
    return code === prl.PRL_ERR_SUCCESS && bytes > 0 ? { code, values: [buffer] } : { code };
  },
  PrlDisk_Write: async ({ args }) => {
    const disk = handle(args);
    const { start, bytes } = pieceOf(args);
    return { code: await prl.PrlDisk_Write(disk, args.bytes('buffer'), bytes, start) };
  },
  /** How long the map is, and whether the buffer is as long: a buffer of no bytes stands for that of C, which gets them by pieces. */
  PrlDiskMap_Read: ({ args }) => {
    const map = handle(args);
    const there = args.flag('buffer');
    const box = args.flag('capacity') ? ref(args.small('capacity')) : null;
    if (box === null) args.small('capacity');
    args.end();
    const given = box?.value ?? 0;
    const asked = prl.PrlDiskMap_Read(map, null, box);
    if (asked !== prl.PRL_ERR_SUCCESS || !there) return { code: asked, values: [numberIn(box)] };
    const fits = given >= (box?.value ?? 0);
    return { code: fits ? asked : prl.PRL_ERR_BUFFER_OVERRUN, values: [numberIn(box)] };
  },
  PrlDiskMap_Bytes: ({ args }) => {
    const map = takeAnyTime('map', handle(args), DiskMap);
    const { start, bytes } = pieceOf(args);
    const piece = map.piece(Number(start), bytes);
    if (piece.length < bytes)
      throw new PrlError(prl.PRL_ERR_INVALID_ARG, `the map ends before byte ${Number(start) + bytes}`);
    return { code: prl.PRL_ERR_SUCCESS, values: bytes > 0 ? [piece] : [] };
  },
  PrlDisk_CreateDisk_Local: async ({ args }) => {
    const disk = args.flag('disk') ? ref<number>() : null;
    const name = args.text('name');
    const there = args.flag('parameters');
    const size = Number(args.integer('m_SizeInSectors'));
    const callback = args.flag('callback') || null;
    args.end();
    const code = await prl.PrlDisk_CreateDisk_Local(
      disk,
      name,
      there ? { m_SizeInSectors: size } : null,
      callback,
    );
    return { code, values: [numberIn(disk)] };
  },
  PrlDisk_GetDiskInfo: ({ args }) => {
    const disk = handle(args);
    const out = args.flag('parameters') ? ref<PRL_DISK_PARAMETERS>() : null;
    const told = args.optional('size');
    args.end();
    const size = told === null ? null : ref(told);
    const code = prl.PrlDisk_GetDiskInfo(disk, out, size);
    const bytes = out?.value === undefined ? null : diskParameters(out.value);
    return { code, values: [code === prl.PRL_ERR_SUCCESS ? numberIn(size) : null, bytes] };
  },
  /** A function of the SDK that is not here gives a job that says so. */
  unimplemented: ({ args }) => {
    const name = args.text('name');
    const work = async () => {
      throw new PrlError(PRL_ERR_UNIMPLEMENTED, `${name} is not implemented`);
    };
    return job(Job.start({ operation: PJOC_UNKNOWN }, work));
  },
};

const job = (started: number): Answer => ({ code: prl.PRL_ERR_SUCCESS, values: [BigInt(started)] });

const FUNCTIONS: ReadonlyMap<string, unknown> = new Map(Object.entries(prl));

/** Undefined where there is no such call. */
export function findCall(name: string): Call | undefined {
  if (Object.hasOwn(BY_HAND, name)) return BY_HAND[name];
  const shape = Object.hasOwn(SHAPES, name) ? SHAPES[name] : undefined;
  if (shape === undefined) return undefined;
  const work = FUNCTIONS.get(name) as SdkFunction;
  return async ({ args }) => {
    const { values, given } = readParameters(shape, args);
    const answer = await work(...values);
    return STARTS.has(name) ? job(answer) : { code: answer, values: given() };
  };
}
