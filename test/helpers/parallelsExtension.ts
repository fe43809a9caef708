/** Images whose format extension is the test’s. */
import { BITMAP_MAGIC, bitmapData, type FeatureSpec, type HdsSpec } from './parallelsBuilder.js';

export const ID = '11112222-3333-4444-5555-666677778888';

export const END: FeatureSpec = { magic: 0n };

/** The smallest image there is: clusters of one sector, a disk of eight. */
export const TINY: HdsSpec = { clusterSectors: 1, diskSectors: 8 };

export const good = (l1: (number | bigint)[] = [0], granularitySectors = 1, id = ID): Buffer =>
  bitmapData({ id, granularitySectors }, 8n, l1);

export const feature = (data: Buffer, more: Partial<FeatureSpec> = {}): FeatureSpec => ({
  magic: BITMAP_MAGIC,
  data,
  ...more,
});
