/**
 * Writes Parallels images and disk folders byte by byte from the format's text (docs/interop/parallels.rst, prl-xml.rst),
 * knowing nothing of the code under test. Every field can be overridden, so that each can be made wrong on its own.
 *
 *   | header | BAT | pad | data clusters | bitmap clusters | extension cluster |
 */
import { createHash } from 'node:crypto';
import {
  closeSync,
  ftruncateSync,
  mkdirSync,
  openSync,
  readFileSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { join } from 'node:path';

export const CLOSED = 0x312e3276;
export const OPEN_FOR_WRITE = 0x746f6e59;
export const EXTENSION_MAGIC = 0xab234cef23dcea87n;
export const BITMAP_MAGIC = 0x20385fae252cb34an;

export interface BitmapSpec {
  /** UUID text, in any case, with dashes. */
  id?: string;
  granularitySectors?: number;
  /** The disk's size unless told. */
  sizeSectors?: number | bigint;
  /** Dirty bits; clusters without one become entry 0, full ones stay stored. */
  bits?: readonly number[];
  /** Entries as they are, instead of `bits`. */
  l1?: readonly (number | bigint)[];
  l1Size?: number;
  dataSize?: number;
  flags?: bigint;
}

export interface FeatureSpec {
  magic: bigint;
  flags?: bigint;
  dataSize?: number;
  unused?: number;
  data?: Buffer;
}

export interface HdsSpec {
  magic?: string;
  version?: number;
  clusterSectors?: number;
  batEntries?: number;
  diskSectors?: number | bigint;
  inUse?: number;
  /** As written in the header; where the data starts follows it unless it is nonsense. */
  dataOff?: number;
  flags?: number;
  extOff?: number | bigint;
  /** Clusters of the disk that hold data, placed in this order. */
  allocated?: readonly number[];
  /** Raw BAT entries, over those of `allocated`. */
  bat?: ReadonlyMap<number, number>;
  bitmaps?: readonly BitmapSpec[];
  /** All features, instead of `bitmaps` and the end marker. */
  features?: readonly FeatureSpec[];
  extensionMagic?: bigint;
  /** 16 bytes instead of the MD5. */
  checksum?: Buffer;
  /** Bytes of each data cluster. */
  fill?: number;
  /** Length of the file, instead of up to the last cluster. */
  fileBytes?: number;
}

export interface BuiltHds {
  path: string;
  fileBytes: number;
  /** Byte offset of the extension cluster; 0 without one. */
  extensionOffset: number;
  /** Byte offset of every stored bitmap cluster. */
  bitmapClusters: number[];
}

export function uuidBytes(uuid: string): Buffer {
  return Buffer.from(uuid.replaceAll('-', ''), 'hex');
}

export function writeHds(path: string, spec: HdsSpec = {}): BuiltHds {
  const clusterSectors = spec.clusterSectors ?? 8;
  const clusterBytes = clusterSectors * 512;
  const diskSectors = BigInt(spec.diskSectors ?? 1024);
  const byClusters = (spec.magic ?? 'WithouFreSpacExt') !== 'WithoutFreeSpace';
  const batEntries = spec.batEntries ?? Math.ceil(Number(diskSectors) / clusterSectors);
  const realEntries = Math.max(batEntries, 0);
  const batEnd = Math.ceil((64 + 4 * Math.min(realEntries, 2 ** 22)) / 512);
  const dataStart = Math.ceil(batEnd / clusterSectors) * clusterSectors;
  const dataOff = spec.dataOff ?? dataStart;
  const fd = openSync(path, 'w');
  try {
    // With data_off 0 the data area follows the BAT at once.
    let nextSector = spec.dataOff === undefined ? dataStart : spec.dataOff === 0 ? batEnd : spec.dataOff;
    const claim = (): number => {
      const sector = nextSector;
      nextSector += clusterSectors;
      return sector;
    };
    for (const cluster of spec.allocated ?? []) {
      const sector = claim();
      writeSync(fd, u32(byClusters ? sector / clusterSectors : sector), 0, 4, 64 + 4 * cluster);
      writeSync(fd, Buffer.alloc(clusterBytes, spec.fill ?? 0xd5), 0, clusterBytes, sector * 512);
    }
    for (const [cluster, entry] of spec.bat ?? []) writeSync(fd, u32(entry), 0, 4, 64 + 4 * cluster);

    const bitmapClusters: number[] = [];
    const features =
      spec.features ??
      (spec.bitmaps === undefined
        ? undefined
        : [
            ...spec.bitmaps.map((bitmap) => bitmapFeature(bitmap, diskSectors, clusterBytes, storeCluster)),
            { magic: 0n },
          ]);
    function storeCluster(bytes: Buffer): bigint {
      const sector = claim();
      bitmapClusters.push(sector * 512);
      writeSync(fd, bytes, 0, bytes.length, sector * 512);
      return BigInt(sector);
    }
    let extensionOffset = 0;
    if (features !== undefined) {
      extensionOffset = claim() * 512;
      writeSync(fd, extension(features, clusterBytes, spec), 0, clusterBytes, extensionOffset);
    }
    const extOff = BigInt(spec.extOff ?? extensionOffset / 512);
    const header = Buffer.alloc(64);
    header.write(spec.magic ?? 'WithouFreSpacExt', 0, 16, 'latin1');
    header.writeUInt32LE(spec.version ?? 2, 16);
    header.writeUInt32LE(16, 20);
    header.writeUInt32LE(clusterSectors, 28);
    header.writeUInt32LE(batEntries, 32);
    header.writeBigUInt64LE(diskSectors, 36);
    header.writeUInt32LE(spec.inUse ?? CLOSED, 44);
    header.writeUInt32LE(dataOff, 48);
    header.writeUInt32LE(spec.flags ?? 0, 52);
    header.writeBigUInt64LE(BigInt.asUintN(64, extOff), 56);
    writeSync(fd, header, 0, 64, 0);
    const fileBytes = spec.fileBytes ?? nextSector * 512;
    ftruncateSync(fd, fileBytes);
    return { path, fileBytes, extensionOffset, bitmapClusters };
  } finally {
    closeSync(fd);
  }
}

/** To see that a file is as it was. */
export function hashOf(path: string): string {
  return createHash('sha256').update(readFileSync(path)).digest('hex');
}

/** The whole extension cluster: seal, features back to back, zeros. Features past its end are cut off. */
export function extension(
  features: readonly FeatureSpec[],
  clusterBytes: number,
  seal: Pick<HdsSpec, 'extensionMagic' | 'checksum'> = {},
): Buffer {
  const cluster = Buffer.alloc(clusterBytes);
  let at = 24;
  for (const { magic, flags = 0n, data = Buffer.alloc(0), dataSize = data.length, unused = 0 } of features) {
    const head = Buffer.alloc(24);
    head.writeBigUInt64LE(magic, 0);
    head.writeBigUInt64LE(flags, 8);
    head.writeUInt32LE(dataSize, 16);
    head.writeUInt32LE(unused, 20);
    head.copy(cluster, at);
    data.copy(cluster, at + 24);
    at += 24 + Math.ceil(dataSize / 8) * 8;
    if (at >= clusterBytes) break;
  }
  cluster.writeBigUInt64LE(seal.extensionMagic ?? EXTENSION_MAGIC, 0);
  (seal.checksum ?? createHash('md5').update(cluster.subarray(24)).digest()).copy(cluster, 8);
  return cluster;
}

export function bitmapData(spec: BitmapSpec, sizeSectors: bigint, l1: readonly (number | bigint)[]): Buffer {
  const data = Buffer.alloc(32 + 8 * l1.length);
  data.writeBigUInt64LE(BigInt(spec.sizeSectors ?? sizeSectors), 0);
  uuidBytes(spec.id ?? '00112233-4455-6677-8899-aabbccddeeff').copy(data, 8);
  data.writeUInt32LE(spec.granularitySectors ?? 128, 24);
  data.writeUInt32LE(spec.l1Size ?? l1.length, 28);
  for (const [i, entry] of l1.entries()) data.writeBigUInt64LE(BigInt(entry), 32 + 8 * i);
  return data;
}

function bitmapFeature(
  spec: BitmapSpec,
  diskSectors: bigint,
  clusterBytes: number,
  store: (bytes: Buffer) => bigint,
): FeatureSpec {
  const data = bitmapData(spec, diskSectors, spec.l1 ?? storeBits(spec, diskSectors, clusterBytes, store));
  const { dataSize, flags } = spec;
  return {
    magic: BITMAP_MAGIC,
    data,
    ...(dataSize === undefined ? {} : { dataSize }),
    ...(flags === undefined ? {} : { flags }),
  };
}

function storeBits(
  { bits = [], granularitySectors = 128 }: BitmapSpec,
  diskSectors: bigint,
  clusterBytes: number,
  store: (bytes: Buffer) => bigint,
): bigint[] {
  const total = Math.ceil(Number(diskSectors) / granularitySectors);
  const perCluster = clusterBytes * 8;
  const l1: bigint[] = [];
  for (let first = 0; first < total; first += perCluster) {
    const inside = bits.filter((bit) => bit >= first && bit < first + perCluster);
    if (inside.length === 0) {
      l1.push(0n);
      continue;
    }
    const cluster = Buffer.alloc(clusterBytes);
    for (const bit of inside) cluster[(bit - first) >> 3]! |= 1 << ((bit - first) & 7);
    l1.push(store(cluster));
  }
  return l1;
}

export interface ImageSpec {
  guid: string;
  file: string;
  type?: string;
  parent?: string;
}

export interface DescriptorSpec {
  root?: string;
  version?: string | null;
  diskSectors?: number | string;
  padding?: number | string | null;
  start?: number | string;
  end?: number | string;
  clusterSectors?: number | string;
  blocksizeName?: string;
  images?: readonly ImageSpec[];
  topGuid?: string | null;
  /** Left out with `null`. */
  snapshots?: null;
  /** Text put before the root element. */
  prolog?: string;
  /** Text put inside StorageData before Storage. */
  storageExtra?: string;
}

export const NULL_GUID = '{00000000-0000-0000-0000-000000000000}';
export const TOP_GUID = '{5fbaabe3-6958-40ff-92a7-860e329aab41}';

export function descriptorText(spec: DescriptorSpec = {}): string {
  const size = spec.diskSectors ?? 1024;
  const images = spec.images ?? [{ guid: TOP_GUID, file: 'root.hds' }];
  const root = spec.root ?? 'Parallels_disk_image';
  const version = spec.version === null ? '' : ` Version="${spec.version ?? '1.0'}"`;
  const padding = spec.padding === null ? '' : `<Padding>${spec.padding ?? 0}</Padding>`;
  const block = spec.blocksizeName ?? 'Blocksize';
  const shots = images.map(
    ({ guid, parent = NULL_GUID }) => `<Shot><GUID>${guid}</GUID><ParentGUID>${parent}</ParentGUID></Shot>`,
  );
  const top = spec.topGuid == null ? '' : `<TopGUID>${spec.topGuid}</TopGUID>`;
  return `${spec.prolog ?? '<?xml version="1.0"?>'}
<${root}${version}>
  <Disk_Parameters><Disk_size>${size}</Disk_size><Cylinders>1</Cylinders><Heads>16</Heads><Sectors>32</Sectors>${padding}</Disk_Parameters>
  <StorageData>${spec.storageExtra ?? ''}<Storage><Start>${spec.start ?? 0}</Start><End>${spec.end ?? size}</End>
    <${block}>${spec.clusterSectors ?? 8}</${block}>
    ${images.map(({ guid, file, type = 'Compressed' }) => `<Image><GUID>${guid}</GUID><Type>${type}</Type><File>${file}</File></Image>`).join('\n')}
  </Storage></StorageData>
  ${spec.snapshots === null ? '' : `<Snapshots>${top}${shots.join('')}</Snapshots>`}
</${root}>
`;
}

/** Makes the folder with its descriptor; the images are the caller's to write. */
export function writeHdd(folder: string, spec: DescriptorSpec = {}): string {
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, 'DiskDescriptor.xml'), descriptorText(spec));
  return folder;
}

function u32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32LE(value);
  return bytes;
}
