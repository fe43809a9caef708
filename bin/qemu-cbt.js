#!/usr/bin/env node
'use strict';
// Loads the bundle that scripts/bundle-command.mjs makes, with the code that V8 has made of it before. A V8 of another
// version refuses that code and compiles the bundle itself. CommonJS, because Node starts it sooner than ES modules.
const { readFileSync } = require('node:fs');
const { createRequire, wrap } = require('node:module');
const { dirname, join } = require('node:path');
const { Script } = require('node:vm');

function load(filename) {
  const script = new Script(wrap(readFileSync(filename, 'utf8')), { filename, cachedData: codeOf(filename) });
  const module = { exports: {} };
  script.runInThisContext()(module.exports, createRequire(filename), module, filename, dirname(filename));
  return module.exports;
}

function codeOf(filename) {
  try {
    return readFileSync(`${filename}.v8`);
  } catch {
    return undefined;
  }
}

load(join(__dirname, '..', 'dist', 'command', 'qemu-cbt.cjs'))
  .main(process.argv.slice(2))
  .then((exitCode) => {
    process.exitCode = exitCode;
  });
