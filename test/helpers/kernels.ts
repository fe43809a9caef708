/**
 * The kernels that one suite holds alike: the script twin, and the native addon with each of its inner loops. The addon
 * picks its loops when it is loaded, so each gets a copy of the file to load. An addon that is not built, or is not the
 * one asked for, fails the suites; nothing is skipped but AVX2 on a processor without it.
 */
import { copyFileSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { BitmapKernel } from '../../lib/core/bitmapKernel.js';
import { describeKernel, loadKernel } from '../../lib/kernel/load.js';
import { createScriptKernel } from '../../lib/kernel/scriptKernel.js';

export interface NamedKernel {
  label: string;
  kernel: BitmapKernel;
}

type Loops = 'avx2' | 'portable';

export const scriptKernel = createScriptKernel();

const loops: Loops[] = / avx2 /.test(readFileSync('/proc/cpuinfo', 'utf8'))
  ? ['avx2', 'portable']
  : ['portable'];

export const nativeKernels: readonly NamedKernel[] = await loadNative();

export const kernels: readonly NamedKernel[] = [{ label: 'script', kernel: scriptKernel }, ...nativeKernels];

async function loadNative(): Promise<NamedKernel[]> {
  await loadKernel({ kernel: 'native' });
  const path = /^native addon (.*)$/.exec(describeKernel())?.[1];
  if (path === undefined) throw new Error(`no path of the addon in "${describeKernel()}"`);
  const folder = mkdtempSync(join(tmpdir(), 'cbt-'));
  const { QEMU_CBT_ADDON_PATH, QEMU_CBT_SIMD } = process.env;
  try {
    const loaded: NamedKernel[] = [];
    for (const simd of loops) {
      const copy = join(folder, `${simd}.node`);
      copyFileSync(path, copy);
      setEnvironment({ QEMU_CBT_ADDON_PATH: copy, QEMU_CBT_SIMD: simd });
      const kernel = await loadKernel({ kernel: 'native' });
      if (kernel.path !== simd) throw new Error(`asked the addon for ${simd}, it runs ${kernel.path}`);
      loaded.push({ label: `native-${simd}`, kernel });
    }
    return loaded;
  } finally {
    setEnvironment({ QEMU_CBT_ADDON_PATH, QEMU_CBT_SIMD });
    rmSync(folder, { recursive: true, force: true });
  }
}

function setEnvironment(variables: Record<string, string | undefined>): void {
  for (const [name, value] of Object.entries(variables)) {
    if (value === undefined) delete process.env[name];
    else process.env[name] = value;
  }
}
