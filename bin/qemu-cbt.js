#!/usr/bin/env node
'use strict';
// Loads the bundle that scripts/bundle-command.mjs makes, with the code that V8 made of it before. CommonJS, because Node
// starts it sooner than ES modules.
const { dirname, join } = require('node:path');
const { createRequire } = require('node:module');
const { compile, keepCode } = require('./compiledCode.js');

const filename = join(__dirname, '..', 'dist', 'command', 'qemu-cbt.cjs');
const compiled = compile(filename);
const module_ = { exports: {} };
compiled.script.runInThisContext()(
  module_.exports,
  createRequire(filename),
  module_,
  filename,
  dirname(filename),
);
module_.exports.main(process.argv.slice(2)).then((exitCode) => {
  process.exitCode = exitCode;
  // By then V8 has compiled what a question runs; scripts ask many of them.
  if (exitCode === 0 && ['changes', 'pits'].includes(process.argv[2])) keepCode(compiled);
});
