/** V8's code beside the bundle: taken only where this very Node made it of this very text. */
import { execFileSync } from 'node:child_process';
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { join, resolve } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { makeTemporaryFolder, type TemporaryFolder } from '../../helpers/temporaryFolder.js';

const BIN = resolve(import.meta.dirname, '../../../bin');
const KEY_BYTES = 32;

let folder: TemporaryFolder;
let bundle: string;
let code: string;

beforeEach(async () => {
  folder = await makeTemporaryFolder();
  for (const at of ['bin', 'dist/command']) mkdirSync(join(folder.path, at), { recursive: true });
  for (const name of ['qemu-cbt.js', 'compiledCode.js'])
    copyFileSync(join(BIN, name), join(folder.path, 'bin', name));
  bundle = join(folder.path, 'dist/command/qemu-cbt.cjs');
  code = `${bundle}.v8`;
});
afterEach(() => folder.remove());

/** A bundle that says one word; bundles of words of one length have one length. */
function bundleThatSays(word: string): void {
  writeFileSync(bundle, `exports.main = async () => { console.log(${JSON.stringify(word)}); return 0; };\n`);
}

function ask(command = 'pits'): string {
  const program = join(folder.path, 'bin/qemu-cbt.js');
  return execFileSync(process.execPath, [program, command], { encoding: 'utf8' }).trim();
}

describe('V8’s code beside the bundle', () => {
  it('is kept when a question was answered, and only then', () => {
    bundleThatSays('one');
    expect(ask('enable')).toBe('one');
    expect(existsSync(code)).toBe(false);
    expect(ask()).toBe('one');
    const kept = readFileSync(code);
    expect(ask()).toBe('one');
    expect(readFileSync(code)).toEqual(kept);
  });

  it('of another bundle of the same length is not run', () => {
    bundleThatSays('one');
    ask();
    const kept = readFileSync(code);
    bundleThatSays('two');
    expect(ask()).toBe('two');
    // The key alone makes the difference: V8 itself takes this code for that text.
    expect(readFileSync(code).subarray(0, KEY_BYTES)).not.toEqual(kept.subarray(0, KEY_BYTES));
  });

  it('that another Node made is not run, and made anew', () => {
    bundleThatSays('one');
    ask();
    const kept = readFileSync(code);
    bundleThatSays('two');
    ask();
    // What V8 takes for code of this bundle, under the key of somebody else.
    const others = Buffer.concat([Buffer.alloc(KEY_BYTES, 7), kept.subarray(KEY_BYTES)]);
    writeFileSync(code, others);
    expect(ask()).toBe('two');
    expect(readFileSync(code).subarray(0, KEY_BYTES)).not.toEqual(others.subarray(0, KEY_BYTES));
  });

  it('does without where it is cut short or its place cannot be written', () => {
    bundleThatSays('one');
    ask();
    for (const length of [0, KEY_BYTES - 1, KEY_BYTES, KEY_BYTES + 1]) {
      const kept = readFileSync(code);
      writeFileSync(code, kept.subarray(0, length));
      expect(ask()).toBe('one');
    }
    rmSync(code);
    mkdirSync(join(code, 'not a file'), { recursive: true });
    expect(ask()).toBe('one');
    expect(readdirSync(join(folder.path, 'dist/command')).sort()).toEqual([
      'qemu-cbt.cjs',
      'qemu-cbt.cjs.v8',
    ]);
  });
});
