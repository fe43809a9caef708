/**
 * A program of a test with what it needs of the library, as one file for plain Node: a process of it starts in half the time that two
 * hundred modules take. Its sessions have no guard, which would clear up behind a process that is made to be killed.
 */
import { dirname, join, relative, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { rolldown } from 'rolldown';
import { makeTemporaryFolder } from './temporaryFolder.js';

const root = resolve(import.meta.dirname, '../..');

export interface BuiltProgram {
  /** The file. */
  path: string;
  /** The environment that it finds this machine's addons by. */
  env: NodeJS.ProcessEnv;
  remove(): Promise<void>;
}

/** `script` is the program's file, which imports the library's sources. */
export async function buildProgram(script: string): Promise<BuiltProgram> {
  const folder = await makeTemporaryFolder();
  const path = join(folder.path, 'program.mjs');
  const bundle = await rolldown({
    input: script,
    platform: 'node',
    resolve: { extensionAlias: { '.js': ['.ts', '.js'] } },
    plugins: [
      {
        // What a module looks for beside itself, the guard first of all, is not beside it in this folder.
        name: 'addresses',
        transform: {
          filter: { code: /import\.meta\.(url|dirname)/ },
          handler(code, id) {
            const place = join(folder.path, 'root', relative(root, id));
            return code
              .replaceAll('import.meta.url', JSON.stringify(pathToFileURL(place).href))
              .replaceAll('import.meta.dirname', JSON.stringify(dirname(place)));
          },
        },
      },
    ],
    transform: { target: 'node20' },
  });
  await bundle.write({ file: path, format: 'esm', codeSplitting: false });
  await bundle.close();
  const addon = (name: string): string => join(root, 'build', 'Release', `${name}.node`);
  const env = {
    ...process.env,
    QEMU_CBT_ADDON_PATH: addon('bitmap'),
    QEMU_CBT_NBD_ADDON_PATH: addon('nbd'),
  };
  return { path, env, remove: folder.remove };
}
