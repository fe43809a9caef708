/** Which kernel loads, from where, and what is said when it is not the one that was hoped for. */
import { copyFileSync, cpSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, relative, resolve } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import { CbtError } from '../../../lib/core/errors.js';
import { describeKernel, loadKernel } from '../../../lib/kernel/load.js';

const root = resolve(import.meta.dirname, '../../..');
const addon = join(root, 'build/Release/bitmap.node');
let folder: string;

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'cbt-load-'));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

beforeEach(() => {
  vi.stubEnv('QEMU_CBT_KERNEL', undefined);
  vi.stubEnv('QEMU_CBT_ADDON_PATH', undefined);
  vi.stubEnv('QEMU_CBT_ADDONS', undefined);
  vi.stubEnv('QEMU_CBT_SIMD', undefined);
});
afterEach(() => {
  vi.unstubAllEnvs();
});

/** A file of a name that no module cache has seen. */
let made = 0;
function fresh(content?: string): string {
  made += 1;
  const path = join(folder, `addon${made}.node`);
  if (content === undefined) copyFileSync(addon, path);
  else writeFileSync(path, content);
  return path;
}

async function failure(work: Promise<unknown>): Promise<CbtError> {
  const thrown = await work.then(
    () => undefined,
    (error: unknown) => error,
  );
  expect(thrown).toBeInstanceOf(CbtError);
  return thrown as CbtError;
}

describe('the choice', () => {
  it('is the native addon of the build where nothing is said', async () => {
    const kernel = await loadKernel();
    expect(kernel.name).toBe('native');
    expect(['avx2', 'portable']).toContain(kernel.path);
    expect(describeKernel()).toBe(`native addon ${addon}`);
  });

  it('is the script twin where it is asked for', async () => {
    const kernel = await loadKernel({ kernel: 'script' });
    expect([kernel.name, kernel.path]).toEqual(['script', 'script']);
    expect(describeKernel()).toBe('script kernel, as asked for');
  });

  it.each(['native', 'script'] as const)('is %s where the environment says so', async (choice) => {
    vi.stubEnv('QEMU_CBT_KERNEL', choice);
    expect((await loadKernel()).name).toBe(choice);
    expect((await loadKernel({ kernel: 'auto' })).name).toBe(choice);
  });

  it('is the one the program insists on, whatever the environment says', async () => {
    vi.stubEnv('QEMU_CBT_KERNEL', 'script');
    expect((await loadKernel({ kernel: 'native' })).name).toBe('native');
    vi.stubEnv('QEMU_CBT_KERNEL', 'native');
    expect((await loadKernel({ kernel: 'script' })).name).toBe('script');
  });

  it('refuses words it does not know', async () => {
    const option = await failure(loadKernel({ kernel: 'fast' as never }));
    expect(option.code).toBe('ERR_CBT_INVALID_ARGUMENT');
    expect(option.message).toBe('kernel is "fast", expected native, script or auto');
    vi.stubEnv('QEMU_CBT_KERNEL', 'Native');
    const environment = await failure(loadKernel());
    expect(environment.details['argument']).toBe('QEMU_CBT_KERNEL');
  });
});

describe('an addon of its own', () => {
  it('is loaded from the path in the environment, relative to the working folder too', async () => {
    const path = fresh();
    vi.stubEnv('QEMU_CBT_ADDON_PATH', path);
    await loadKernel({ kernel: 'native' });
    expect(describeKernel()).toBe(`native addon ${path}`);
    vi.stubEnv('QEMU_CBT_ADDON_PATH', relative(process.cwd(), path));
    await loadKernel({ kernel: 'native' });
    expect(describeKernel()).toBe(`native addon ${path}`);
  });

  it('runs the inner loops that the environment forces', async () => {
    vi.stubEnv('QEMU_CBT_ADDON_PATH', fresh());
    vi.stubEnv('QEMU_CBT_SIMD', 'portable');
    const kernel = await loadKernel({ kernel: 'native' });
    expect(kernel.path).toBe('portable');
    const bits = { kind: 'memory' as const, bytes: Uint8Array.of(0b0110_0101) };
    const window = { startBytes: 0, endBytes: 4096, maxRanges: Number.POSITIVE_INFINITY };
    const page = await kernel.scanBitmaps([{ granularityBytes: 512, bits }], 512, window);
    expect([...page.ranges]).toEqual([0, 512, 1024, 512, 2560, 1024]);
  });

  it.each([
    { what: 'a file that is not there', content: null, simd: undefined, reason: /not there/ },
    {
      what: 'a file that is no library',
      content: 'no library',
      simd: undefined,
      reason: /too short|invalid ELF/,
    },
    {
      what: 'inner loops that do not exist',
      content: undefined,
      simd: 'sse9',
      reason: /QEMU_CBT_SIMD is "sse9"/,
    },
  ])('that does not load, $what, is told with its path and reason', async ({ content, simd, reason }) => {
    const at = content === null ? join(folder, 'absent.node') : fresh(content);
    vi.stubEnv('QEMU_CBT_SIMD', simd);
    vi.stubEnv('QEMU_CBT_ADDON_PATH', at);
    const error = await failure(loadKernel({ kernel: 'native' }));
    expect(error.code).toBe('ERR_CBT_UNSUPPORTED');
    expect(error.message).toContain(at);
    expect(error.message).toMatch(reason);
    expect(error.message).toContain('npm rebuild qemu-cbt');
    expect(error.details[at]).toMatch(reason);
    const kernel = await loadKernel();
    expect(kernel.name).toBe('script');
    expect(describeKernel()).toContain(at);
    expect(describeKernel()).toMatch(reason);
  });

  it('is looked for in the folder in the environment, which takes the place of the package’s own', async () => {
    copyFileSync(addon, join(folder, 'bitmap.node'));
    vi.stubEnv('QEMU_CBT_ADDONS', folder);
    await loadKernel({ kernel: 'native' });
    expect(describeKernel()).toBe(`native addon ${join(folder, 'bitmap.node')}`);
    vi.stubEnv('QEMU_CBT_ADDONS', join(folder, 'absent'));
    const error = await failure(loadKernel({ kernel: 'native' }));
    expect(error.details).toEqual({ [join(folder, 'absent', 'bitmap.node')]: 'not there' });
    expect(error.message).toContain('QEMU_CBT_ADDONS');
  });

  it('that was hoped for and is not there is warned of, once', async () => {
    vi.stubEnv('QEMU_CBT_ADDON_PATH', join(folder, 'absent.node'));
    const warnings: unknown[][] = [];
    const emit = vi.spyOn(process, 'emitWarning').mockImplementation((...told) => void warnings.push(told));
    vi.resetModules();
    const copy = await import('../../../lib/kernel/load.js');
    await copy.loadKernel({ kernel: 'script' });
    expect(warnings).toEqual([]);
    for (let times = 0; times < 3; times += 1) await copy.loadKernel();
    emit.mockRestore();
    expect(warnings).toEqual([
      [
        expect.stringContaining('absent.node: not there'),
        expect.objectContaining({ code: 'QEMU_CBT_SCRIPT_KERNEL' }),
      ],
    ]);
  });

  it('of another build is refused', async () => {
    const path = join(folder, 'other.cjs');
    writeFileSync(path, 'module.exports = { interface: 0, path: "avx2" };');
    vi.stubEnv('QEMU_CBT_ADDON_PATH', path);
    expect((await failure(loadKernel({ kernel: 'native' }))).message).toContain(
      'its interface is 0, expected 2',
    );
  });
});

describe('a package folder', () => {
  const prebuilt = `prebuilds/${process.platform}-${process.arch}/bitmap.node`;

  /** Loads from a copy of the package that holds just these addon files; answers what is said about it. */
  async function inPackage(name: string, files: Record<string, string | undefined>): Promise<string> {
    const home = join(folder, name);
    for (const layer of ['core', 'kernel']) {
      cpSync(join(root, 'lib', layer), join(home, 'lib', layer), { recursive: true });
    }
    for (const [file, content] of Object.entries(files)) {
      mkdirSync(dirname(join(home, file)), { recursive: true });
      if (content === undefined) copyFileSync(addon, join(home, file));
      else writeFileSync(join(home, file), content);
    }
    const copy: typeof import('../../../lib/kernel/load.js') = await import(join(home, 'lib/kernel/load.ts'));
    await copy.loadKernel();
    return copy.describeKernel().replaceAll(home, '.');
  }

  it('gives what was built here before what the package brought', async () => {
    const files = { [prebuilt]: undefined, 'build/Release/bitmap.node': undefined };
    expect(await inPackage('own', files)).toBe('native addon ./build/Release/bitmap.node');
  });

  it('gives its prebuilt addon where the own build is missing or does not load', async () => {
    expect(await inPackage('prebuilt', { [prebuilt]: undefined })).toBe(`native addon ./${prebuilt}`);
    const broken = { [prebuilt]: undefined, 'build/Release/bitmap.node': 'broken' };
    expect(await inPackage('broken', broken)).toBe(`native addon ./${prebuilt}`);
  });

  it('goes on to the next addon where one does not load', async () => {
    const files = { 'build/Release/bitmap.node': 'broken', 'build/Debug/bitmap.node': undefined };
    expect(await inPackage('debug', files)).toBe('native addon ./build/Debug/bitmap.node');
  });

  it('falls back to the script twin and names every path it tried', async () => {
    const said = await inPackage('none', {});
    expect(said).toMatch(/^script kernel, the native addon did not load \(/);
    for (const path of [prebuilt, 'build/Release/bitmap.node', 'build/Debug/bitmap.node']) {
      expect(said).toContain(`./${path}: not there`);
    }
  });
});
