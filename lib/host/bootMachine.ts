/**
 * A machine that is started only to see whether it comes up: no network, nothing that outlives it, and it ends with us. Signs of life are the guest
 * agent’s answer, or a screen that goes on moving; what moves a few times and then stands is firmware that found nothing to boot.
 */

import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { access, constants, readFile, rm } from 'node:fs/promises';
import type net from 'node:net';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { GuestAgent } from '../backend/qemu/guest/guestAgent.js';
import { QmpClient } from '../backend/qemu/qmp/qmpClient.js';
import { CbtError, throwIfAborted } from '../core/errors.js';
import { makeMarkedFolder } from '../linux/markedFolder.js';
import { findProgram } from '../linux/program.js';
import { RunningProgram } from '../linux/runningProgram.js';

export interface BootOptions {
  /** Images of its disks, qcow2, in the order that they are booted from; they are written to. */
  images: readonly string[];
  /** Bytes. */
  memoryBytes: number;
  /** Bus of the disks: what the guest has drivers for. */
  bus: 'virtio' | 'sata';
  /** File of UEFI firmware; BIOS unless given. */
  firmware?: string | undefined;
  /** Milliseconds until it has to show that it lives. */
  waitMs: number;
  signal?: AbortSignal | undefined;
  /** Told what is seen, for whoever waits: how often the screen changed. */
  onLook?: ((changes: number) => void) | undefined;
}

/** How it went. */
export interface BootResult {
  alive: boolean;
  /** Which sign of life there was; null where there was none. */
  by: 'agent' | 'screen' | null;
  /** What was seen, in words. */
  message: string;
  /** The last screen, a PNG; null where none could be taken. */
  screen: Buffer | null;
  afterMs: number;
}

const PROGRAM = {
  name: 'qemu-system-x86_64',
  variable: 'QEMU',
  packages: 'qemu-system-x86 (Debian, Ubuntu) or qemu-kvm (Fedora, RHEL)',
};
const START_MS = 30_000;
const LOOK_EVERY_MS = 500;
const AGENT_MS = 400;
/** So many different screens no firmware shows that gives up. */
const MOVES = 12;

/** What runs in there is not ours: a way out of QEMU finds no program to start and no rights to gain. None where QEMU was built without. */
function sandboxOf(program: string): string[] {
  const { status } = spawnSync(program, ['-sandbox', 'off', '-version'], { stdio: 'ignore' });
  return status === 0
    ? ['-sandbox', 'on,obsolete=deny,elevateprivileges=deny,spawn=deny,resourcecontrol=deny']
    : [];
}

/** Throws where the machine cannot be started; whether it came up is the result. */
export async function bootMachine(options: BootOptions): Promise<BootResult> {
  const { signal, waitMs } = options;
  throwIfAborted(signal);
  const program = findProgram(PROGRAM);
  const folder = await makeMarkedFolder('boot');
  try {
    const args = [...sandboxOf(program), ...(await argumentsOf(options, folder))];
    const machine = RunningProgram.start(program, args);
    try {
      return await watch(machine, folder, options, performance.now() + waitMs);
    } finally {
      // Its disks are thrown away.
      machine.kill('SIGKILL');
      await machine.exit;
    }
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

async function argumentsOf(
  { images, memoryBytes, bus, firmware }: BootOptions,
  folder: string,
): Promise<string[]> {
  const kvm = await access('/dev/kvm', constants.R_OK | constants.W_OK).then(
    () => true,
    () => false,
  );
  const disks = images.flatMap((filename, index) => {
    const id = `disk${index}`;
    const node = {
      driver: 'qcow2',
      'node-name': id,
      discard: 'unmap',
      file: { driver: 'file', filename, cache: { 'no-flush': true } },
    };
    const device = bus === 'virtio' ? 'virtio-blk-pci' : `ide-hd,bus=ide.${index}`;
    return ['-blockdev', JSON.stringify(node), '-device', `${device},drive=${id},bootindex=${index + 1}`];
  });
  return [
    [
      '-name',
      'boot-test',
      '-machine',
      'q35',
      '-accel',
      kvm ? 'kvm' : 'tcg',
      // Where KVM itself runs in a VM, that one register may not be had.
      '-cpu',
      'max,-arch-capabilities',
    ],
    [
      '-m',
      `${Math.floor(memoryBytes / 2 ** 20)}M`,
      '-smp',
      '2',
      '-no-user-config',
      '-nodefaults',
      '-no-reboot',
    ],
    // No card at all: what comes up must not meet the machine that it is a copy of.
    ['-nic', 'none', '-display', 'none', '-vga', 'std'],
    ...(firmware === undefined
      ? []
      : [['-drive', `if=pflash,unit=0,format=raw,readonly=on,file=${firmware.replaceAll(',', ',,')}`]]),
    ['-chardev', 'socket,id=qmp,fd=3', '-mon', 'chardev=qmp,mode=control'],
    ['-chardev', `socket,id=agent,path=${join(folder, 'agent')},server=on,wait=off`],
    ['-device', 'virtio-serial-pci', '-device', 'virtserialport,chardev=agent,name=org.qemu.guest_agent.0'],
    disks,
  ].flat();
}

async function watch(
  machine: RunningProgram,
  folder: string,
  { signal, onLook }: BootOptions,
  until: number,
): Promise<BootResult> {
  const begun = performance.now();
  const socket = machine.child.stdio[3] as net.Socket | undefined;
  if (socket === undefined) throw didNotStart(machine);
  const client = await QmpClient.connect(socket, { timeoutMs: START_MS, signal, name: PROGRAM.name }).catch(
    async (error: unknown) => {
      throwIfAborted(signal);
      machine.kill('SIGKILL');
      await machine.exit;
      throw didNotStart(machine, error);
    },
  );
  const seen = new Set<string>();
  let screen: Buffer | null = null;
  const result = (by: BootResult['by'], message: string): BootResult => ({
    alive: by !== null,
    by,
    message,
    screen,
    afterMs: Math.round(performance.now() - begun),
  });
  try {
    for (;;) {
      throwIfAborted(signal);
      if (!client.open)
        return result(
          null,
          `the machine ended by itself after ${seen.size} screens: ${machine.stderr.trim() || 'it said nothing'}`,
        );
      const taken: Buffer | null = await look(client, join(folder, 'screen.png'));
      if (taken !== null) {
        screen = taken;
        seen.add(createHash('sha256').update(taken).digest('hex'));
        onLook?.(seen.size - 1);
      }
      if (await answers(join(folder, 'agent'), signal)) return result('agent', 'the guest agent answers');
      if (seen.size > MOVES) return result('screen', `the screen changed ${seen.size - 1} times`);
      if (performance.now() >= until)
        return result(null, `no guest agent answered, and the screen changed ${seen.size - 1} times only`);
      await delay(LOOK_EVERY_MS, undefined, { signal }).catch(() => undefined);
    }
  } finally {
    await client.close();
  }
}

/** Null where there is no screen to be had at the moment. */
async function look(client: QmpClient, file: string): Promise<Buffer | null> {
  try {
    await client.execute('screendump', { filename: file, format: 'png' });
    return await readFile(file);
  } catch (error) {
    if (error instanceof CbtError && error.code === 'ERR_CBT_INTERNAL') throw error;
    return null;
  }
}

async function answers(path: string, signal: AbortSignal | undefined): Promise<boolean> {
  try {
    await using agent = await GuestAgent.connect(path, { timeoutMs: AGENT_MS, signal });
    return agent.open;
  } catch (error) {
    throwIfAborted(signal);
    if (error instanceof CbtError && error.code !== 'ERR_CBT_INTERNAL') return false;
    throw error;
  }
}

function didNotStart(machine: RunningProgram, cause?: unknown): CbtError {
  const said = machine.stderr.trim() || 'it said nothing';
  return new CbtError('ERR_CBT_BACKEND_UNAVAILABLE', `${PROGRAM.name} did not start: ${said}`, { cause });
}
