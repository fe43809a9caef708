/** Which machine this is, for what is written where other machines may read it. */
import { readFile } from 'node:fs/promises';
import { hostname } from 'node:os';

export interface Machine {
  host: string;
  /** Of the running kernel: the same in all its containers, another after every start. */
  bootId: string;
  /** Of the installation; absent in many containers, and the same in machines that were cloned. */
  machineId?: string | undefined;
}

export async function thisMachine(): Promise<Machine> {
  const bootId = (await readFile('/proc/sys/kernel/random/boot_id', 'utf8')).trim();
  const machineId = (await readFile('/etc/machine-id', 'utf8').catch(() => '')).trim();
  return { host: hostname(), bootId, ...(machineId === '' ? {} : { machineId }) };
}

/** Whether this is the machine that we are on, in this run or an earlier one; false also where that is in doubt. */
export async function isThisMachine({ host, bootId, machineId }: Machine): Promise<boolean> {
  const here = await thisMachine();
  return (
    bootId === here.bootId || (machineId !== undefined && machineId === here.machineId && host === here.host)
  );
}
