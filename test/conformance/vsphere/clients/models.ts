/**
 * The loops by which real clients page through QueryChangedDiskAreas, as small models: what each assumes, right or wrong. Each gives
 * the areas it would copy, or throws as the client would fail. `query` is the call; a client that never ends is cut off.
 */
import type { DiskChangeInfo } from '../../../../lib/facade/vsphere/index.js';

export type Query = (startOffset: number) => Promise<DiskChangeInfo>;
export type Areas = [number, number][];
export type Client = (query: Query, capacity: number) => Promise<Areas>;

/** A client that comes on takes a page of the test's maps each time; they have ten at most. */
const MOST_TURNS = 30;
const take = (areas: Areas, { changedArea }: DiskChangeInfo): void => {
  for (const { start, length } of changedArea) areas.push([start, length]);
};

class NeverEnds extends Error {}

async function turns(once: () => Promise<boolean>): Promise<void> {
  for (let n = 0; n < MOST_TURNS; n += 1) if (!(await once())) return;
  throw new NeverEnds('the client asks for ever');
}

/** Bareos' plugin: the offset it asked for must come back, and the lengths must add up to the capacity. */
export const bareos: Client = async (query, capacity) => {
  const areas: Areas = [];
  let offset = 0;
  await turns(async () => {
    const info = await query(offset);
    if (info.startOffset !== offset) throw new Error('another offset came back');
    take(areas, info);
    offset += info.length;
    return offset < capacity;
  });
  if (offset !== capacity) throw new Error('the lengths do not add up to the capacity');
  return areas;
};

/** xen-orchestra: every length above 0; areas sorted, disjoint, positive and inside the disk. */
export const xenOrchestra: Client = async (query, capacity) => {
  const areas: Areas = [];
  let offset = 0;
  await turns(async () => {
    const info = await query(offset);
    if (info.length <= 0) throw new Error('an empty span');
    take(areas, info);
    offset = info.startOffset + info.length;
    return offset < capacity;
  });
  let end = 0;
  for (const [start, length] of areas) {
    if (start < end || length <= 0 || start + length > capacity) throw new Error('areas are not in order');
    end = start + length;
  }
  return areas;
};

/** CDI with a changeId: stops at an empty list, or at the capacity. */
export const cdiChangeId: Client = async (query, capacity) => {
  const areas: Areas = [];
  let offset = 0;
  await turns(async () => {
    const info = await query(offset);
    if (info.changedArea.length === 0) return false;
    take(areas, info);
    offset = info.startOffset + info.length;
    return offset < capacity;
  });
  return areas;
};

/** CDI with a snapshot: the variable of the last span is made anew in each turn, so it always asks from 0. */
export const cdiSnapshot: Client = async (query, capacity) => {
  const areas: Areas = [];
  await turns(async () => {
    const info = await query(0);
    take(areas, info);
    return info.startOffset + info.length < capacity;
  });
  return areas;
};

/** The v2v conversion script: adds start and length of every span to a running total. */
export const v2vConversion: Client = async (query, capacity) => {
  const areas: Areas = [];
  let total = 0;
  await turns(async () => {
    const info = await query(total);
    take(areas, info);
    total += info.startOffset + info.length;
    return total < capacity;
  });
  return areas;
};

/** The PowerCLI report: goes on at the end of the last area, stops at an empty list; may ask at the capacity. */
export const powerCli: Client = async (query) => {
  const areas: Areas = [];
  let offset = 0;
  await turns(async () => {
    const info = await query(offset);
    take(areas, info);
    const [start, length] = areas.at(-1) ?? [0, 0];
    offset = start + length;
    return info.changedArea.length > 0;
  });
  return areas;
};

/** govmomi's helper with its caller: knows by itself that nothing is to be asked at the capacity. */
export const govmomi: Client = async (query, capacity) => {
  const areas: Areas = [];
  let offset = 0;
  await turns(async () => {
    if (offset === capacity) return false;
    if (offset > capacity) throw new Error('an offset past the capacity');
    const info = await query(offset);
    take(areas, info);
    offset = info.startOffset + info.length;
    return true;
  });
  return areas;
};

/** migratekit before its repair: the sum of start and length is added to the offset, and only the capacity itself ends the loop. */
export const migratekit: Client = async (query, capacity) => {
  const areas: Areas = [];
  let offset = 0;
  await turns(async () => {
    const info = await query(offset);
    take(areas, info);
    offset += info.startOffset + info.length;
    return offset !== capacity;
  });
  return areas;
};
