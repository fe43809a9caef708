/** Structures of C as values of messages: their fields in order, in both directions. */
import type {
  VixDiskLibBlockList,
  VixDiskLibConnectParams,
  VixDiskLibInfo,
} from '../../../facade/vixdisklib/index.js';
import type { CallArguments } from '../callArguments.js';
import type { Value } from '../frames.js';

/** Who logs in is not among them: it is not used here, and does not leave the program. */
export function readParams(args: CallArguments): VixDiskLibConnectParams | null {
  if (!args.flag('connectParams')) return null;
  return {
    vmxSpec: args.text('vmxSpec'),
    serverName: args.text('serverName'),
    thumbPrint: args.text('thumbPrint'),
    port: args.small('port'),
    nfcHostPort: args.small('nfcHostPort'),
    specType: args.small('specType') as NonNullable<VixDiskLibConnectParams['specType']>,
  };
}

export function paramsAsValues(params: VixDiskLibConnectParams): Value[] {
  return [
    textValue(params.vmxSpec),
    textValue(params.serverName),
    textValue(params.thumbPrint),
    BigInt(params.port ?? 0),
    BigInt(params.nfcHostPort ?? 0),
  ];
}

export function infoAsValues(info: VixDiskLibInfo): Value[] {
  const { biosGeo, physGeo } = info;
  return [
    ...[biosGeo.cylinders, biosGeo.heads, biosGeo.sectors].map(BigInt),
    ...[physGeo.cylinders, physGeo.heads, physGeo.sectors].map(BigInt),
    BigInt(info.capacity),
    BigInt(info.adapterType),
    BigInt(info.numLinks),
    textValue(info.parentFileNameHint),
    textValue(info.uuid),
    BigInt(info.logicalSectorSize),
    BigInt(info.physicalSectorSize),
  ];
}

/** Offset and length of each block, u64 each. */
export function blocksAsBytes({ blocks }: VixDiskLibBlockList): Uint8Array {
  const numbers = new BigUint64Array(2 * blocks.length);
  blocks.forEach(({ offset, length }, index) => {
    numbers[2 * index] = BigInt(offset);
    numbers[2 * index + 1] = BigInt(length);
  });
  return new Uint8Array(numbers.buffer);
}

function textValue(text: string | null | undefined): Value {
  return text == null ? null : Buffer.from(text);
}
