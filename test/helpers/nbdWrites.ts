/**
 * Guest writes on an NBD export from this process: what qemu-io would do, without a program for each. One connection a call, as
 * qemu-io has; whatever is not a plain write is left to qemu-io.
 */
import { NbdConnection } from '../../lib/backend/nbd/nbdConnection.js';

interface Write {
  byte: number;
  offset: number;
  length: number;
}

/** `write [-P byte] offset length`; 0xcd is what qemu-io writes unless told. */
const WRITE = /^write(?: -P (\d+|0x[\da-f]+))? (\d+)([kKMGT]?) (\d+)([kKMGT]?)$/;
const UNITS: Readonly<Record<string, number>> = {
  '': 1,
  k: 2 ** 10,
  K: 2 ** 10,
  M: 2 ** 20,
  G: 2 ** 30,
  T: 2 ** 40,
};
const LARGEST_BYTES = 2 ** 25;

function parse(command: string): Write | null {
  const [found, byte = '0xcd', offset, offsetUnit = '', length, lengthUnit = ''] = WRITE.exec(command) ?? [];
  if (found === undefined) return null;
  const write = {
    byte: Number(byte),
    offset: Number(offset) * UNITS[offsetUnit]!,
    length: Number(length) * UNITS[lengthUnit]!,
  };
  // qemu-io says what is wrong with the others.
  return write.byte <= 255 && write.length > 0 && write.length <= LARGEST_BYTES ? write : null;
}

/** False, and nothing is written, where the commands are not all plain writes. The last thing is a flush, as qemu-io ends. */
export async function wroteByNbd(
  socketPath: string,
  exportName: string,
  commands: readonly string[],
): Promise<boolean> {
  const writes = commands.filter((command) => command !== 'flush').map(parse);
  if (writes.length === 0 || writes.includes(null)) return false;
  const data = await NbdConnection.open(
    { kind: 'unix', path: socketPath, exportName },
    // A guest waits for its disk as long as it takes.
    { requestTimeoutMs: 0 },
  );
  try {
    for (const write of writes)
      if (write !== null) await data.write(write.offset, Buffer.alloc(write.length, write.byte));
    await data.flush();
  } finally {
    await data.close();
  }
  return true;
}
