// One program of test/torture with what it needs of lib, as a file for plain Node: thousands of lives in one small process, which
// starts programs several times faster than a test runner's does.
import { dirname, join, relative } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { rolldown } from 'rolldown';

const root = fileURLToPath(new URL('../..', import.meta.url));
const lib = join(root, 'lib');

/** Modules find what lies beside them: those of lib where they are compiled to, the others where they are. */
const keepAddresses = {
  name: 'keep-addresses',
  transform: {
    filter: { code: /import\.meta\.(url|dirname)/ },
    handler(code, id) {
      const inLib = relative(lib, id);
      const place = inLib.startsWith('..') ? id : join(root, 'dist', inLib.replace(/\.ts$/, '.js'));
      return code
        .replaceAll('import.meta.url', JSON.stringify(pathToFileURL(place).href))
        .replaceAll('import.meta.dirname', JSON.stringify(dirname(place)));
    },
  },
};

/** Path of the program that was made. */
export async function bundle(name) {
  const file = join(root, 'tmp', 'torture', `${name}.mjs`);
  const made = await rolldown({
    input: join(root, 'test', 'torture', `${name}.ts`),
    platform: 'node',
    external: [/^vitest/],
    plugins: [keepAddresses],
    transform: { target: 'node20' },
  });
  await made.write({ file, format: 'esm', codeSplitting: false });
  await made.close();
  return file;
}
