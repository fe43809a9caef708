/**
 * What a compiled program's library is set up by: the file that the program gives VixDiskLib_InitEx. It is VDDK's, with lines
 * `name=value`; the names that begin with `qemu-cbt.` are ours, all others are VDDK's own and mean nothing here.
 */
import { readFile } from 'node:fs/promises';
import { isAbsolute } from 'node:path';
import { VixFailure } from '../../../facade/vixdisklib/errors.js';
import {
  VIX_E_FILE_NOT_FOUND,
  VIX_E_INVALID_ARG,
  type VixDiskLibSettings,
} from '../../../facade/vixdisklib/index.js';

export interface ClientSettings {
  /** The host file; that of the environment or of the machine where it is not said. */
  host: string | undefined;
  library: VixDiskLibSettings;
}

/** Longest file that is read. */
const MAX_BYTES = 1 << 20;

export async function readSettings(file: string | null): Promise<ClientSettings> {
  if (file === null || file === '') return { host: undefined, library: {} };
  const text = await readFile(file, 'utf8').catch((cause: NodeJS.ErrnoException) => {
    throw new VixFailure(VIX_E_FILE_NOT_FOUND, `configFile ${file} could not be read: ${cause.message}`, {
      cause,
    });
  });
  if (text.length > MAX_BYTES)
    throw new VixFailure(
      VIX_E_INVALID_ARG,
      `configFile ${file} has ${text.length} characters; ${MAX_BYTES} is the limit`,
    );
  const datastores: Record<string, string> = Object.create(null);
  const formats: Record<string, string> = Object.create(null);
  let host: string | undefined;
  for (const [index, line] of text.split('\n').entries()) {
    const [, name = '', rest, value = ''] =
      /^\s*qemu-cbt\.([a-z]+)(?:\.([^=]*?))?\s*=\s*(.*?)\s*$/.exec(line) ?? [];
    const path = /^"(.*)"$/.exec(value)?.[1] ?? value;
    const wrong = (expected: string) =>
      new VixFailure(VIX_E_INVALID_ARG, `${file}:${index + 1}: ${line.trim()}: ${expected}`);
    if (name === '') {
      if (/^\s*qemu-cbt\./.test(line)) throw wrong('a line is qemu-cbt.name=value');
      continue;
    }
    if (!isAbsolute(path)) throw wrong('the value must be an absolute path');
    if (name === 'host' && rest === undefined) host = path;
    else if (name === 'datastore' && rest) datastores[rest] = path;
    else if (name === 'format' && rest) formats[path] = rest;
    // The library itself reads it: by then we run already.
    else if (name !== 'command' || rest !== undefined)
      throw wrong('there are host, command, datastore.<name> and format.<format>');
  }
  return { host, library: { datastores: { ...datastores }, formats: { ...formats } } };
}
