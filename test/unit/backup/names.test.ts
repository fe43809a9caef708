/** Names in a backup folder: what is ours, and nothing else. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  isKey,
  layerName,
  MAX_RUN,
  makeKey,
  manifestName,
  parseLayerName,
  parseManifestName,
  sumsName,
} from '../../../lib/backup/names.js';

describe('names', () => {
  test('are read back as they were made, for any disk and run', () => {
    fc.assert(
      fc.property(
        fc.string({ unit: 'binary', maxLength: 80 }),
        fc.integer({ min: 1, max: MAX_RUN }),
        (disk, run) => {
          const key = makeKey(disk, new Set(['disk']));
          expect(isKey(key)).toBe(true);
          expect(key).not.toBe('disk');
          expect(parseLayerName(layerName(key, run))).toEqual({ key, run });
          expect(parseLayerName(sumsName(key, run))).toEqual({ key, run });
          expect(parseManifestName(manifestName(run))).toBe(run);
        },
      ),
    );
  });

  test('of two disks are never the same', () => {
    const taken = new Set<string>();
    for (let i = 0; i < 20; i += 1) taken.add(makeKey('/vms/web/disk.qcow2', taken));
    expect(taken.size).toBe(20);
    expect([...taken].slice(0, 2)).toEqual(['disk', 'disk_2']);
  });

  test.each([
    'run-00001.json',
    'run-0000001.json',
    'run-000000.json',
    'run-000001.json.part',
    '../run-000001.json',
    'run-1000000000.json',
  ])('%s is no manifest', (name) => {
    expect(parseManifestName(name)).toBeNull();
  });

  test.each([
    'a-b-000001.qcow2',
    'a-000001.raw',
    'a-1.qcow2',
    '.a-000001.sums',
    'a/b-000001.sums',
    '-000001.sums',
  ])('%s is no layer', (name) => {
    expect(parseLayerName(name)).toBeNull();
  });
});
