/**
 * Names in a backup folder. A run has a number; its manifest is `run-000012.json`, a disk's layer `vda-000012.qcow2` with its
 * checksums in `vda-000012.sums`. What is being written ends in `.part`. Only names made here are ever read or removed, so
 * that no manifest can point outside the folder and no file of somebody else's is touched.
 */
export const PART = '.part';

/** Highest run number: nine digits. */
export const MAX_RUN = 999_999_999;

const KEY = /^[A-Za-z0-9_][A-Za-z0-9._]{0,63}$/;
const MANIFEST = /^run-(\d{6,9})\.json$/;
const LAYER = /^([A-Za-z0-9_][A-Za-z0-9._]{0,63})-(\d{6,9})\.(qcow2|sums)$/;

export function runText(run: number): string {
  return String(run).padStart(6, '0');
}

export function manifestName(run: number): string {
  return `run-${runText(run)}.json`;
}

/** A disk's qcow2 file of a run. */
export function layerName(key: string, run: number): string {
  return `${key}-${runText(run)}.qcow2`;
}

/** The checksums of that file's content. */
export function sumsName(key: string, run: number): string {
  return `${key}-${runText(run)}.sums`;
}

/** The run of a manifest's name; null for any other name. */
export function parseManifestName(name: string): number | null {
  const run = Number(MANIFEST.exec(name)?.[1] ?? 0);
  return run > 0 && manifestName(run) === name ? run : null;
}

/** The run a layer or its checksums belong to; null for any other name. */
export function parseLayerName(name: string): { key: string; run: number } | null {
  const match = LAYER.exec(name);
  const key = match?.[1];
  const run = Number(match?.[2] ?? 0);
  if (key === undefined || run === 0 || runText(run) !== match?.[2]) return null;
  return { key, run };
}

export function isKey(text: string): boolean {
  return KEY.test(text);
}

/** A short name for files, from a disk's name or path; another than those taken. */
export function makeKey(disk: string, taken: ReadonlySet<string>): string {
  const last = disk.split('/').findLast((part) => part !== '') ?? '';
  const plain = last
    .replace(/\.(qcow2|qcow|img|raw|hds|hdd)$/i, '')
    .replace(/[^A-Za-z0-9_.]+/g, '_')
    .replace(/^\.+/, '')
    .slice(0, 48);
  const stem = plain === '' || plain === 'run' ? 'disk' : plain;
  for (let n = 1; ; n += 1) {
    const key = n === 1 ? stem : `${stem}_${n}`;
    if (!taken.has(key)) return key;
  }
}
