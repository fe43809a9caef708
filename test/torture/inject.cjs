// Preloaded into a command that is to fail: counts everything it does to the outside (files, QMP, programs), and at the n-th of
// them does what CBT_FAULT says. With kind "count" it only counts, and says how many there were.
'use strict';
const fs = require('node:fs');
const promises = require('node:fs/promises');
const net = require('node:net');
const childProcess = require('node:child_process');

const { kind, at = 0, qemu, qmp, report } = JSON.parse(process.env.CBT_FAULT ?? '{"kind":"count"}');
const sockets = new Set();
let effects = 0;
let reached = false;

process.on('exit', () => {
  if (report) fs.writeFileSync(report, JSON.stringify({ effects, reached }));
});

/** Something is about to be done; may throw in its place. */
function effect(what) {
  effects += 1;
  if (effects < at) return;
  const first = !reached;
  reached = true;
  if (kind === 'full' && what === 'space') throw failure('ENOSPC', 'no space left on device');
  if (!first) return;
  if (report && kind !== 'count') fs.writeFileSync(report, JSON.stringify({ effects, reached }));
  if (kind === 'kill') process.kill(process.pid, 'SIGKILL');
  else if (kind === 'qemu') process.kill(qemu, 'SIGKILL');
  else if (kind === 'cut')
    for (const socket of sockets) socket.destroy(failure('ECONNRESET', 'connection reset'));
  else if (kind === 'helper') for (const child of helpers()) process.kill(child, 'SIGKILL');
  else if (kind === 'denied' && what !== 'program' && what !== 'qmp')
    throw failure('EACCES', 'permission denied');
}

/** What we have started, by whatever way: those that libnbd starts are children of this process too. */
function helpers() {
  return fs.readdirSync('/proc').flatMap((name) => {
    try {
      const stat = fs.readFileSync(`/proc/${Number(name)}/stat`, 'utf8');
      const [state, parent] = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
      return Number(parent) === process.pid && state !== 'Z' ? [Number(name)] : [];
    } catch {
      return [];
    }
  });
}

function failure(code, words) {
  return Object.assign(new Error(`${code}: ${words}`), { code, errno: -1, syscall: 'injected' });
}

function wrap(object, name, what, applies = () => true) {
  const real = object[name];
  if (typeof real !== 'function') return;
  object[name] = function wrapped(...args) {
    if (applies(args)) {
      try {
        effect(what);
      } catch (error) {
        return Promise.reject(error);
      }
    }
    return real.apply(this, args);
  };
}

const writes = ([, flags]) =>
  typeof flags === 'string' ? /[wa+]/.test(flags) : typeof flags === 'number' && (flags & 3) !== 0;
wrap(promises, 'open', 'space', writes);
for (const name of ['writeFile', 'mkdir', 'link', 'copyFile']) wrap(promises, name, 'space');
for (const name of ['rename', 'rm', 'unlink', 'rmdir', 'truncate', 'chmod', 'chown'])
  wrap(promises, name, 'file');
promises.open(__filename, 'r').then((handle) => {
  const handles = Object.getPrototypeOf(handle);
  for (const name of ['write', 'writev', 'writeFile']) wrap(handles, name, 'space');
  for (const name of ['sync', 'datasync', 'truncate']) wrap(handles, name, 'file');
  return handle.close();
});

const { connect, write } = net.Socket.prototype;
net.Socket.prototype.connect = function connected(...args) {
  const [first] = args;
  const options = Array.isArray(first) ? first[0] : first;
  const path = typeof options === 'object' && options !== null ? options.path : options;
  if (path === qmp) sockets.add(this);
  return connect.apply(this, args);
};
net.Socket.prototype.write = function written(...args) {
  if (sockets.has(this)) effect('qmp');
  return write.apply(this, args);
};

const { spawn } = childProcess;
childProcess.spawn = function spawned(...args) {
  effect('program');
  return spawn.apply(this, args);
};
