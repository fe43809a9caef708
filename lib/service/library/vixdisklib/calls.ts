/**
 * What each call of a compiled program is here: its values in order, the facade's function of the same name, and what goes back. The
 * functions decide; nothing here does but what only C has (lengths of buffers, numbers for handles).
 */
import { ref } from '../../../facade/ref.js';
import * as vix from '../../../facade/vixdisklib/index.js';
import type { CallArguments } from '../callArguments.js';
import type { Value } from '../frames.js';
import { type Answer, MAX_PIECE_BYTES, type SdkCall } from '../sdkClient.js';
import { blocksAsBytes, infoAsValues, paramsAsValues, readParams } from './cValues.js';
import type { ClientObjects } from './objects.js';

/** What a call may reach. */
export interface CallContext extends SdkCall {
  objects: ClientObjects;
}

type Call = (context: CallContext) => Promise<Answer> | Answer;

/** Bytes of the longest text that the library asks for. */
const MAX_TEXT_BYTES = 8 << 20;

/** Bytes that a call takes for what it answers. */
export function answerBytes(name: string, values: readonly Value[]): number {
  if (name === 'VixDiskLib_ReadMetadata' || name === 'VixDiskLib_GetMetadataKeys') return MAX_TEXT_BYTES;
  const [, , , count] = name === 'VixDiskLib_Read' ? values : [];
  return typeof count === 'bigint'
    ? Math.min(Number(count) * vix.VIXDISKLIB_SECTOR_SIZE, MAX_PIECE_BYTES)
    : 0;
}

const text = (value: string): Value => Buffer.from(value);

/** With a connection as its first value. */
const withConnection =
  (
    work: (connection: vix.VixDiskLibConnection | undefined, context: CallContext) => ReturnType<Call>,
  ): Call =>
  (context) =>
    work(context.objects.connection(context.args.integer('connection')), context);

/** With a disk handle as its first value. */
const withHandle =
  (work: (handle: vix.VixDiskLibHandle | undefined, context: CallContext) => ReturnType<Call>): Call =>
  (context) =>
    work(context.objects.handle(context.args.integer('diskHandle')), context);

const code = async (answer: vix.VixError | Promise<vix.VixError>): Promise<Answer> => ({
  code: await answer,
});

function pieceOf(args: CallArguments): { start: bigint; count: bigint } {
  return { start: args.integer('startSector'), count: args.integer('numSectors') };
}

function createParams(args: CallArguments): vix.VixDiskLibCreateParams {
  return {
    diskType: args.small('diskType') as vix.VixDiskLibDiskType,
    adapterType: args.small('adapterType') as vix.VixDiskLibAdapterType,
    hwVersion: args.small('hwVersion'),
    capacity: Number(args.integer('capacity')),
  };
}

export const CALLS: Readonly<Record<string, Call>> = {
  VixDiskLib_ConnectEx: async ({ args, objects }) => {
    const params = readParams(args);
    const readOnly = args.flag('readOnly');
    const snapshotRef = args.text('snapshotRef');
    const modes = args.text('transportModes');
    args.end();
    await objects.reach(params);
    const out = ref<vix.VixDiskLibConnection>();
    const answer = await vix.VixDiskLib_ConnectEx(params, readOnly, snapshotRef, modes, out);
    return out.value === undefined ? { code: answer } : { code: answer, values: [objects.add(out.value)] };
  },
  VixDiskLib_Disconnect: withConnection(async (connection, { objects }) => {
    const disks = [...(connection?.handles ?? [])];
    const answer = await vix.VixDiskLib_Disconnect(connection);
    objects.forget(connection, ...disks);
    return { code: answer };
  }),
  VixDiskLib_GetConnectParams: withConnection((connection) => {
    const out = ref<vix.VixDiskLibConnectParams>();
    const answer = vix.VixDiskLib_GetConnectParams(connection, out);
    return out.value === undefined ? { code: answer } : { code: answer, values: paramsAsValues(out.value) };
  }),
  VixDiskLib_PrepareForAccess: async ({ args, objects }) => {
    const params = readParams(args);
    const identity = args.text('identity');
    await objects.reach(params);
    return code(vix.VixDiskLib_PrepareForAccess(params, identity));
  },
  VixDiskLib_EndAccess: async ({ args, objects }) => {
    const params = readParams(args);
    const identity = args.text('identity');
    await objects.reach(params);
    return code(vix.VixDiskLib_EndAccess(params, identity));
  },
  VixDiskLib_Cleanup: async ({ args, objects }) => {
    const params = readParams(args);
    await objects.reach(params);
    const [cleaned, remaining] = [ref(0), ref(0)];
    const answer = await vix.VixDiskLib_Cleanup(params, cleaned, remaining);
    return { code: answer, values: [BigInt(cleaned.value), BigInt(remaining.value)] };
  },
  VixDiskLib_Open: withConnection(async (connection, { args, objects }) => {
    const out = ref<vix.VixDiskLibHandle>();
    const answer = await vix.VixDiskLib_Open(connection, args.text('path'), args.small('flags'), out);
    const handle = out.value;
    if (handle === undefined) return { code: answer };
    const transport = vix.VixDiskLib_GetTransportMode(handle) ?? '';
    const { server, data } = handle.disk;
    return {
      code: answer,
      values: [
        objects.add(handle),
        BigInt(handle.capacity),
        BigInt(data.info.readOnly),
        text(transport),
        server === null ? null : text(server),
      ],
    };
  }),
  VixDiskLib_Close: withHandle(async (handle, { objects }) => {
    const answer = await vix.VixDiskLib_Close(handle);
    objects.forget(handle);
    return { code: answer };
  }),
  VixDiskLib_GetInfo: withHandle((handle) => {
    const out = ref<vix.VixDiskLibInfo>();
    const answer = vix.VixDiskLib_GetInfo(handle, out);
    return out.value === undefined ? { code: answer } : { code: answer, values: infoAsValues(out.value) };
  }),
  VixDiskLib_Read: withHandle(async (handle, { args, readBuffer }) => {
    const { start, count } = pieceOf(args);
    const bytes = Number(count) * vix.VIXDISKLIB_SECTOR_SIZE;
    if (bytes > MAX_PIECE_BYTES) return { code: vix.VIX_E_INVALID_ARG };
    const buffer = readBuffer(bytes);
    const answer = await vix.VixDiskLib_Read(handle, start, count, buffer);
    return answer === vix.VIX_OK ? { code: answer, values: [buffer] } : { code: answer };
  }),
  VixDiskLib_Write: withHandle((handle, { args }) => {
    const { start, count } = pieceOf(args);
    return code(vix.VixDiskLib_Write(handle, start, count, args.bytes('writeBuffer')));
  }),
  VixDiskLib_Flush: withHandle((handle) => code(vix.VixDiskLib_Flush(handle))),
  VixDiskLib_QueryAllocatedBlocks: withHandle(async (handle, { args }) => {
    const { start, count } = pieceOf(args);
    const out = ref<vix.VixDiskLibBlockList>();
    const chunk = args.integer('chunkSize');
    const answer = await vix.VixDiskLib_QueryAllocatedBlocks(handle, start, count, chunk, out);
    return out.value === undefined ? { code: answer } : { code: answer, values: [blocksAsBytes(out.value)] };
  }),
  VixDiskLib_ReadMetadata: withHandle(async (handle, { args }) => {
    const [buffer, required] = [Buffer.alloc(MAX_TEXT_BYTES), ref<number>()];
    const key = args.text('key') ?? '';
    const answer = await vix.VixDiskLib_ReadMetadata(handle, key, buffer, buffer.length, required);
    return { code: answer, values: [buffer.subarray(0, required.value ?? 0)] };
  }),
  VixDiskLib_GetMetadataKeys: withHandle(async (handle) => {
    const [buffer, required] = [Buffer.alloc(MAX_TEXT_BYTES), ref<number>()];
    const answer = await vix.VixDiskLib_GetMetadataKeys(handle, buffer, buffer.length, required);
    return { code: answer, values: [buffer.subarray(0, required.value ?? 0)] };
  }),
  VixDiskLib_WriteMetadata: withHandle((handle, { args }) =>
    code(vix.VixDiskLib_WriteMetadata(handle, args.text('key') ?? '', args.text('val') ?? '')),
  ),
  VixDiskLib_Create: withConnection(async (connection, { args, progress }) => {
    const path = args.text('path');
    return code(vix.VixDiskLib_Create(connection, path, createParams(args), progress));
  }),
  VixDiskLib_CreateChild: withHandle((handle, { args, progress }) => {
    const [path, diskType] = [args.text('childPath'), args.small('diskType') as vix.VixDiskLibDiskType];
    return code(vix.VixDiskLib_CreateChild(handle, path, diskType, progress));
  }),
  VixDiskLib_Clone: withConnection(async (target, { args, objects, progress }) => {
    const to = args.text('dstPath');
    const source = objects.connection(args.integer('srcConnection'));
    const from = args.text('srcPath');
    const params = createParams(args);
    const overwrite = args.flag('overWrite');
    return code(vix.VixDiskLib_Clone(target, to, source, from, params, progress, null, overwrite));
  }),
  VixDiskLib_Grow: withConnection((connection, { args, progress }) => {
    const [path, capacity, geometry] = [
      args.text('path'),
      args.integer('capacity'),
      args.flag('updateGeometry'),
    ];
    return code(vix.VixDiskLib_Grow(connection, path, capacity, geometry, progress));
  }),
  VixDiskLib_CheckRepair: withConnection((connection, { args }) =>
    code(vix.VixDiskLib_CheckRepair(connection, args.text('filename'), args.flag('repair'))),
  ),
  VixDiskLib_Unlink: withConnection((connection, { args }) =>
    code(vix.VixDiskLib_Unlink(connection, args.text('path'))),
  ),
  VixDiskLib_Rename: ({ args }) =>
    code(vix.VixDiskLib_Rename(args.text('srcFileName'), args.text('dstFileName'))),
  VixDiskLib_SpaceNeededForClone: withHandle(async (handle, { args }) => {
    const out = ref<number>();
    const diskType = args.small('diskType') as vix.VixDiskLibDiskType;
    const answer = await vix.VixDiskLib_SpaceNeededForClone(handle, diskType, out);
    return out.value === undefined ? { code: answer } : { code: answer, values: [BigInt(out.value)] };
  }),
  VixDiskLib_Attach: () => code(vix.VixDiskLib_Attach()),
  VixDiskLib_IsAttachPossible: () => code(vix.VixDiskLib_IsAttachPossible()),
  VixDiskLib_Shrink: () => code(vix.VixDiskLib_Shrink()),
  VixDiskLib_Defragment: () => code(vix.VixDiskLib_Defragment()),
  VixDiskLib_GetErrorText: ({ args }) => ({
    code: vix.VIX_OK,
    values: [text(vix.VixDiskLib_GetErrorText(args.integer('err')))],
  }),
};
