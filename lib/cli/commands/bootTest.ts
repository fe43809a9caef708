/** `qemu-cbt boot-test`: does what was backed up come up? */

import { bootTest } from '../../backup/bootTest.js';
import { runNamed } from '../../backup/reading.js';
import { onFile } from '../../linux/fileFault.js';
import { writeWholeFile } from '../../linux/wholeFile.js';
import { NOT_AS_WANTED } from '../exitCode.js';
import { type CliIo, tell, tellJson } from '../io.js';
import { parseAge, parseBytes } from '../options.js';
import { printable } from '../report.js';
import { warnUnheld } from '../unheld.js';

export interface BootTestFlags {
  pit?: string;
  disk?: string;
  wait: string;
  memory: string;
  bus: 'virtio' | 'sata';
  firmware?: string;
  scratch?: string;
  screenshot?: string;
  json?: boolean;
}

export async function bootTestCommand(io: CliIo, from: string, flags: BootTestFlags): Promise<number> {
  const { pit, disk, bus, firmware, scratch, screenshot, json = false } = flags;
  const waitMs = parseAge('--wait', flags.wait);
  const memoryBytes = parseBytes('--memory', flags.memory);
  const options = {
    from,
    at: runNamed(pit),
    disk,
    bus,
    firmware,
    scratch,
    waitMs,
    memoryBytes,
    signal: io.signal,
  };
  const { screen, ...result } = await bootTest({ ...options, onUnheld: warnUnheld(io) });
  if (screenshot !== undefined && screen !== null)
    await onFile(screenshot, 'writing', () => writeWholeFile(screenshot, (file) => file.writeFile(screen)));
  const { run, pit: of, alive, message, afterMs } = result;
  if (json) await tellJson(io, { ...result, screenshot: screen === null ? null : (screenshot ?? null) });
  else
    await tell(
      io,
      `run ${run}, point in time ${of}: ${alive ? 'passed' : 'FAILED'} after ${(afterMs / 1000).toFixed(1)} s: ${printable(message)}${screenshot === undefined || screen === null ? '' : `; its screen is in ${printable(screenshot)}`}\n`,
    );
  return alive ? 0 : NOT_AS_WANTED;
}
