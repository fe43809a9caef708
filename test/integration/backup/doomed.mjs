// A process that is made to be killed: waits for a line on stdin, then runs one backup, prune or restore onto an image at rest with
// the library, and says how it ended. Told so, it kills itself at its n-th change to
// the file system, before or after the change, or the n-th time that a restore tells how far it is.
import fs from 'node:fs/promises';
import { syncBuiltinESMExports } from 'node:module';
import { createInterface } from 'node:readline';
import { backup } from '../../../lib/backup/backup.js';
import { imagesSource } from '../../../lib/backup/imagesSource.js';
import { prune } from '../../../lib/backup/prune.js';
import { restoreOnto } from '../../../lib/backup/restoreOnto.js';

let left = Number.POSITIVE_INFINITY;
let after = false;
for (const name of ['rename', 'rm', 'link', 'open']) {
  const real = fs[name];
  fs[name] = async (...args) => {
    left -= 1;
    if (left <= 0 && !after) process.kill(process.pid, 'SIGKILL');
    const result = await real(...args);
    if (left <= 0) process.kill(process.pid, 'SIGKILL');
    return result;
  };
}
syncBuiltinESMExports();

process.stdout.write('ready\n');
for await (const line of createInterface({ input: process.stdin })) {
  const { op, image, to, at, told, changes, afterChange } = JSON.parse(line);
  left = changes ?? Number.POSITIVE_INFINITY;
  after = afterChange;
  if (op === 'backup') await backup(imagesSource([image]), { to });
  else if (op === 'onto') {
    let events = 0;
    const onProgress = () => {
      events += 1;
      if (events === told) process.kill(process.pid, 'SIGKILL');
    };
    await restoreOnto({ from: to, onto: [{ image }], at, onProgress });
  } else await prune({ from: to, rules: { last: 3 } });
  process.stdout.write('done\n');
  process.exit(0);
}
