/**
 * Archives in the format that the Linux kernel unpacks as its first file system ("newc", described in the kernel's
 * Documentation/driver-api/early-userspace/buffer-format.rst). Made here, since it needs neither root nor a tool.
 */
export interface ArchiveEntry {
  /** Without a leading slash; its folder comes before it. */
  path: string;
  /** File contents, or null for a folder. */
  content: Uint8Array | null;
  executable?: boolean;
}

const FOLDER = 0o040755;
const FILE = 0o100644;
const PROGRAM = 0o100755;

/** An archive of the entries and of the folders they are in. */
export function makeArchive(entries: readonly ArchiveEntry[]): Buffer {
  const parts: Buffer[] = [];
  let inode = 0;
  const add = (path: string, mode: number, content: Uint8Array): void => {
    inode += 1;
    parts.push(padded(Buffer.concat([header(inode, mode, content.length, path), Buffer.from(`${path}\0`)])));
    parts.push(padded(content));
  };
  for (const folder of foldersOf(entries)) add(folder, FOLDER, new Uint8Array());
  for (const { path, content, executable } of entries) {
    if (content !== null) add(path, executable ? PROGRAM : FILE, content);
  }
  add('TRAILER!!!', 0, new Uint8Array());
  return Buffer.concat(parts);
}

/** Thirteen numbers of eight hexadecimal digits. */
function header(inode: number, mode: number, size: number, path: string): Buffer {
  const links = mode === FOLDER ? 2 : 1;
  const fields = [inode, mode, 0, 0, links, 0, size, 0, 0, 0, 0, path.length + 1, 0];
  return Buffer.from(`070701${fields.map((field) => field.toString(16).padStart(8, '0')).join('')}`);
}

function padded(bytes: Uint8Array): Buffer {
  return Buffer.concat([bytes, Buffer.alloc(-bytes.length & 3)]);
}

/** All folders, parents first. */
function foldersOf(entries: readonly ArchiveEntry[]): string[] {
  const folders = new Set<string>();
  for (const { path, content } of entries) {
    const names = path.split('/');
    const depth = content === null ? names.length : names.length - 1;
    for (let n = 1; n <= depth; n += 1) folders.add(names.slice(0, n).join('/'));
  }
  return [...folders];
}
