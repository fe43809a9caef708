/**
 * Finds the kernel that does the bulk work: the native addon where one loads, else its script twin. Why the addon did not
 * load is never lost: {@link describeKernel} tells, and asking for `native` fails with everything that was tried.
 *
 * Environment: QEMU_CBT_KERNEL (native, script or auto) decides where the caller leaves it open; QEMU_CBT_ADDON_PATH names
 * the one addon file to load, QEMU_CBT_ADDONS the folder that it is in; QEMU_CBT_SIMD (portable or avx2) forces the addon's inner loops.
 */
import { createRequire } from 'node:module';
import { resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { addonPlaces, howToBuild } from '../core/addonPlaces.js';
import type { BitmapKernel } from '../core/bitmapKernel.js';
import { CbtError, invalidArgument } from '../core/errors.js';
import { checkAddon, type NativeAddon } from './nativeAddon.js';
import { createNativeKernel } from './nativeKernel.js';

export type KernelChoice = 'native' | 'script' | 'auto';

export interface LoadKernelOptions {
  /** `auto` (the default) leaves the choice to QEMU_CBT_KERNEL, and if that is silent to what loads. */
  kernel?: KernelChoice | undefined;
}

/** An addon file that was tried, and why it was of no use. */
interface Failure {
  path: string;
  reason: string;
}

const ADDON = 'bitmap.node';
const HOW_TO_BUILD = howToBuild('it needs g++, make and cmake');

/** The package's root, two folders up from lib/kernel and from dist/kernel alike. */
const root = fileURLToPath(new URL('../../', import.meta.url));
const require = createRequire(import.meta.url);

let description = 'no kernel has been loaded';
let warned = false;

export async function loadKernel(options: LoadKernelOptions = {}): Promise<BitmapKernel> {
  const choice = chosen(options.kernel);
  if (choice === 'script') return scriptKernel('as asked for');
  const failures: Failure[] = [];
  for (const path of candidates()) {
    const addon = tryAddon(path, failures);
    if (addon === undefined) continue;
    description = `native addon ${path}`;
    return createNativeKernel(addon);
  }
  const tried = failures.map(({ path, reason }) => `${path}: ${reason}`).join('; ');
  const why = `the native addon did not load (${tried}); ${HOW_TO_BUILD}`;
  if (choice === 'auto') {
    warnOnce(why);
    return scriptKernel(why);
  }
  throw new CbtError('ERR_CBT_UNSUPPORTED', why, {
    details: Object.fromEntries(failures.map(({ path, reason }) => [path, reason])),
  });
}

/** Everything works without the addon, and many times slower: who runs it has to hear of it once. */
function warnOnce(why: string): void {
  if (warned) return;
  warned = true;
  process.emitWarning(`the script kernel does the bulk work, which is slow: ${why}`, {
    type: 'CbtWarning',
    code: 'QEMU_CBT_SCRIPT_KERNEL',
  });
}

/** Which kernel {@link loadKernel} gave last and where it comes from or why it is not the native one; for people. */
export function describeKernel(): string {
  return description;
}

function chosen(option: KernelChoice | undefined): KernelChoice {
  const asked = checkChoice('kernel', option ?? 'auto');
  if (asked !== 'auto') return asked;
  const fromEnvironment = process.env['QEMU_CBT_KERNEL'];
  return fromEnvironment ? checkChoice('QEMU_CBT_KERNEL', fromEnvironment) : 'auto';
}

function checkChoice(argument: string, value: string): KernelChoice {
  if (value === 'native' || value === 'script' || value === 'auto') return value;
  throw invalidArgument(argument, value, 'native, script or auto');
}

async function scriptKernel(why: string): Promise<BitmapKernel> {
  const { createScriptKernel } = await import('./scriptKernel.js');
  description = `script kernel, ${why}`;
  return createScriptKernel();
}

function candidates(): string[] {
  return addonPlaces(root, ADDON, 'QEMU_CBT_ADDON_PATH').map((path) => resolve(path));
}

/** The addon that {@link loadKernel} would take by itself, null where it would take the script twin. */
export function findAddon(): NativeAddon | null {
  if (chosen('auto') === 'script') return null;
  for (const path of candidates()) {
    const addon = tryAddon(path, []);
    if (addon !== undefined) return addon;
  }
  return null;
}

function tryAddon(path: string, failures: Failure[]): NativeAddon | undefined {
  try {
    const loaded: unknown = require(path);
    checkAddon(loaded);
    return loaded;
  } catch (thrown) {
    const missing = (thrown as NodeJS.ErrnoException).code === 'MODULE_NOT_FOUND';
    const text = thrown instanceof Error ? thrown.message : String(thrown);
    failures.push({ path, reason: missing ? 'not there' : (text.split('\n')[0] ?? text) });
    return undefined;
  }
}
