/**
 * Finds the kernel that does the bulk work: the native addon where one loads, else its script twin. Why the addon did not
 * load is never lost: {@link describeKernel} tells, and asking for `native` fails with everything that was tried.
 *
 * Environment: QEMU_CBT_KERNEL (native, script or auto) decides where the caller leaves it open; QEMU_CBT_ADDON_PATH names
 * the one addon file to load; QEMU_CBT_SIMD (portable or avx2) forces the addon's inner loops.
 */
import { createRequire } from 'node:module';
import { join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
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
const HOW_TO_BUILD = 'run `npm run build:native` (it needs g++, make and cmake)';

/** The package's root, two folders up from lib/kernel and from dist/kernel alike. */
const root = fileURLToPath(new URL('../../', import.meta.url));
const require = createRequire(import.meta.url);

let description = 'no kernel has been loaded';

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
  if (choice === 'auto') return scriptKernel(`the native addon did not load (${tried}); ${HOW_TO_BUILD}`);
  throw new CbtError('ERR_CBT_UNSUPPORTED', `the native addon did not load (${tried}); ${HOW_TO_BUILD}`, {
    details: Object.fromEntries(failures.map(({ path, reason }) => [path, reason])),
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

/** Addon files in the order in which they are tried: built here, then what the package brought. A path from the environment is the only one. */
function candidates(): string[] {
  const forced = process.env['QEMU_CBT_ADDON_PATH'];
  if (forced) return [resolve(forced)];
  return [
    join(root, 'build', 'Release', ADDON),
    join(root, 'build', 'Debug', ADDON),
    join(root, 'prebuilds', `${process.platform}-${process.arch}`, ADDON),
  ];
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
