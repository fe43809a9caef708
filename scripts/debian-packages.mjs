// Debian packages without installing them: downloaded by apt with sources and lists of its own, and unpacked.
import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';

function run(command, args, options = {}) {
  const { status, error } = spawnSync(command, args, { stdio: ['ignore', 'ignore', 'inherit'], ...options });
  if (status !== 0) throw new Error(`${command} ${args.join(' ')}: ${error?.message ?? `exit ${status}`}`);
}

/** Everything apt needs in a folder of its own: the system's sources and lists stay as they are. */
function download(work, suite, components, packages) {
  for (const folder of ['lists/partial', 'archives/partial', 'packages'])
    mkdirSync(join(work, folder), { recursive: true });
  const sources = join(work, 'sources.list');
  writeFileSync(
    sources,
    `deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] http://deb.debian.org/debian ${suite} ${components}\n`,
  );
  const own = [
    '-qq',
    '-o',
    `Dir::Etc::sourcelist=${sources}`,
    '-o',
    'Dir::Etc::sourceparts=-',
    '-o',
    `Dir::State::lists=${work}/lists`,
    '-o',
    `Dir::Cache=${work}`,
    '-o',
    'APT::Sandbox::User=root',
  ];
  run('apt-get', [...own, 'update']);
  run('apt-get', [...own, 'download', ...packages.map((name) => `${name}/${suite}`)], {
    cwd: join(work, 'packages'),
  });
  const files = join(work, 'files');
  for (const name of readdirSync(join(work, 'packages')))
    run('dpkg-deb', ['-x', join(work, 'packages', name), files]);
  return files;
}

/** Puts the packages' files into the folder `ready`, whole or not at all. */
export function unpackPackages(ready, { suite, components, packages }) {
  mkdirSync(dirname(ready), { recursive: true });
  const work = mkdtempSync(`${ready}-`);
  try {
    renameSync(download(work, suite, components, packages), ready);
  } catch (error) {
    // Another one may have been first.
    if (error.code !== 'ENOTEMPTY' && error.code !== 'EEXIST') throw error;
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
}
