// The command as one CommonJS file, dist/command/qemu-cbt.cjs, and beside it what V8 made of it, so that a start neither
// resolves and reads two hundred modules nor compiles them: that would take longer than most commands run.
import { execFileSync } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { rolldown } from 'rolldown';
import { makeImage, PIT } from '../bench/images.mjs';

const root = fileURLToPath(new URL('..', import.meta.url));
const lib = join(root, 'lib');
const target = join(root, 'dist', 'command');
const file = join(target, 'qemu-cbt.cjs');

/** Modules that look for files beside themselves keep the address that they have unbundled. */
const keepAddresses = {
  name: 'keep-addresses',
  transform: {
    filter: { code: 'import.meta.url' },
    handler(code, id) {
      const unbundled = `../${relative(lib, id).replace(/\.ts$/, '.js')}`;
      return code.replaceAll('import.meta.url', `new URL('${unbundled}', import.meta.url).href`);
    },
  },
};

async function writeBundle(input, file) {
  const bundle = await rolldown({
    input,
    platform: 'node',
    plugins: [keepAddresses],
    // What Node 20 does not know yet is rewritten.
    transform: { target: 'node20' },
  });
  // Names stay, for the stack of an error that is our bug.
  const minify = { compress: true, mangle: false, codegen: { removeWhitespace: true } };
  await bundle.write({ file, format: 'cjs', codeSplitting: false, minify });
  await bundle.close();
}

/** V8's code for what a question runs: the command keeps it when it has answered one. */
function writeCode() {
  const work = mkdtempSync(join(tmpdir(), 'qemu-cbt-bundle-'));
  try {
    const image = join(work, 'disk.qcow2');
    makeImage(image, 2 ** 30, new Uint8Array(2048).fill(0x55));
    const question = ['changes', image, '--from', PIT, '--json'];
    const command = join(root, 'bin', 'qemu-cbt.js');
    execFileSync(process.execPath, [command, ...question], { stdio: ['ignore', 'ignore', 'inherit'] });
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
}

// Removed first: code of an older bundle must never stand beside a newer one.
rmSync(target, { recursive: true, force: true });
mkdirSync(target, { recursive: true });
// What a page is made of is read as it is.
const page = join('cli', 'picture', 'timeline', 'page');
cpSync(join(lib, page), join(root, 'dist', page), { recursive: true });
await writeBundle(join(lib, 'cli', 'main.ts'), file);
// What a session's guard runs (lib/backend/qemu/session/guard.ts).
await writeBundle(join(lib, 'host/guard.ts'), join(target, 'guard.cjs'));
writeCode();
