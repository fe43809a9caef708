/** Where the files of a native addon are looked for, and what whoever installed the package can do where none loads. */

/** Folder of the addons, in place of the package's own: for a bundle, which has left the package behind. */
const FOLDER = 'QEMU_CBT_ADDONS';

/**
 * In the order in which they are tried: built here, then what the package brought. What the environment names is the only one: the file that
 * `variable` has, or the folder of all addons. `root` is that of the package, and ends with a slash.
 */
export function addonPlaces(root: string, file: string, variable: string): string[] {
  const { [variable]: one, [FOLDER]: folder } = process.env;
  if (one) return [one];
  if (folder) return [`${folder}/${file}`];
  const { platform, arch } = process;
  return [
    `${root}build/Release/${file}`,
    `${root}build/Debug/${file}`,
    `${root}prebuilds/${platform}-${arch}/${file}`,
  ];
}

/** What a user's own project can run; `needs`: what the building needs. */
export function howToBuild(needs: string): string {
  return (
    `run \`npm rebuild qemu-cbt\` (${needs}; npm 12 wants \`npm approve-scripts qemu-cbt\` first; \`npm run build:native\` in its repository). ` +
    `A bundle has to leave qemu-cbt external, or name the folder of the addons in ${FOLDER}`
  );
}
