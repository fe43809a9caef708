'use strict';
// V8's code for a script, kept beside it for the next start. V8 takes code of another Node with a V8 of nearly the same
// version, and of another script of the same length, and then looks things up wrongly or crashes. So the file starts with
// a digest of all that the code depends on; another digest means that there is no code. It is made on the machine where it
// is used, as Python makes its .pyc files, and never shipped.
const { createHash } = require('node:crypto');
const { readFileSync, renameSync, rmSync, writeFileSync } = require('node:fs');
const { wrap } = require('node:module');
const { Script } = require('node:vm');

const KEY_BYTES = 32;

/** The script, with its code where this very Node made it of this very text; and what is needed to keep its code. */
exports.compile = function compile(filename) {
  const source = readFileSync(filename);
  const key = createHash('sha256')
    .update(JSON.stringify([process.arch, process.versions, process.config]))
    .update(source)
    .digest();
  const kept = readKept(filename);
  const fits = kept !== null && kept.length > KEY_BYTES && key.equals(kept.subarray(0, KEY_BYTES));
  const script = new Script(wrap(source.toString()), {
    filename,
    ...(fits && { cachedData: kept.subarray(KEY_BYTES) }),
  });
  return { script, filename, key, isKept: fits && script.cachedDataRejected !== true };
};

/** Keeps what V8 has compiled by now, unless that is done; where the folder cannot be written, every start compiles anew. */
exports.keepCode = function keepCode({ script, filename, key, isKept }) {
  if (isKept) return;
  const temporary = `${fileOf(filename)}.${process.pid}.${Date.now()}`;
  try {
    writeFileSync(temporary, Buffer.concat([key, script.createCachedData()]), { flag: 'wx', mode: 0o644 });
    renameSync(temporary, fileOf(filename));
  } catch {
    rmSync(temporary, { force: true });
  }
};

function fileOf(filename) {
  return `${filename}.v8`;
}

function readKept(filename) {
  try {
    return readFileSync(fileOf(filename));
  } catch {
    return null;
  }
}
