/**
 * Ids of the library by kind, checked by `tsc`: what it gave as one does not compile as another, a plain text compiles as each, and each
 * is a text for those who keep it. Nothing here runs.
 */
import { expectTypeOf } from 'vitest';
import {
  type BitmapName,
  type ChangeId,
  changeId,
  type DiskName,
  type Epoch,
  type Instant,
  type PointId,
  type PointName,
  pointId,
  type Session,
  type TrackedDisk,
  type Vm,
} from '../../lib/index.js';

declare const vm: Vm;
declare const session: Session;
declare const disk: TrackedDisk;
declare const epoch: Epoch;

// What is given tells its kind.
expectTypeOf(session.pit).toEqualTypeOf<PointId>();
expectTypeOf(session.disks[0]!.disk).toEqualTypeOf<DiskName>();
const list = await disk.pits();
expectTypeOf(list.epoch).toEqualTypeOf<Epoch | null>();
expectTypeOf(list.pits[0]!.pit).toEqualTypeOf<PointId>();
expectTypeOf(list.pits[0]!.changeId).toEqualTypeOf<ChangeId>();
expectTypeOf(list.foreign[0]!.name).toEqualTypeOf<BitmapName>();
expectTypeOf(pointId('a')).toEqualTypeOf<PointId>();
expectTypeOf(changeId('a')).toEqualTypeOf<ChangeId>();
const point = list.pits[0]!;
const instant: Instant = { epoch, sequence: point.sequence, pit: point.pit };

// Whatever names a point asks for changes; a session's own point takes it up again.
void disk.changes({ from: point.pit, to: session.pit });
void disk.changes({ from: point.changeId, to: instant });
void disk.changes({ from: list.foreign[0]!.name });
void vm.resume(session.pit);
void vm.begin({ base: point.changeId, pit: session.pit, disks: [session.disks[0]!.disk] });

// @ts-expect-error a history is no point in it
void disk.changes({ from: epoch });
// @ts-expect-error nor is a disk
void disk.changes({ from: session.disks[0]!.disk });
// @ts-expect-error a session goes by its PIT, which a changeId has a part of
void vm.resume(point.changeId);
// @ts-expect-error a new point is a UUID, and no name of an old bitmap
void vm.begin({ pit: list.foreign[0]!.name });
// @ts-expect-error disks, and not points on them
void vm.disks({ disks: [session.pit] });
// @ts-expect-error a disk of the session, and not the session
void session.openDisk(session.pit);
// @ts-expect-error the two halves of an instant the wrong way round
const reversed: Instant = { epoch: point.pit, sequence: 1, pit: epoch };
void reversed;

// A text of a database, a command line, another SDK, as it is.
declare const row: { pit: string; disk: string };
void vm.resume(row.pit);
void vm.forget(process.argv[2] ?? '*');
void disk.changes({ from: row.pit });
void session.openDisk(row.disk);
const kept: string = point.pit;
const byPoint = new Map<string, number>([[kept, 1]]);
byPoint.get(point.pit);
const byDisk: Record<DiskName, number> = { vda: 1 };
for (const name of Object.keys(byDisk)) void session.openDisk(name);
expectTypeOf<PointId>().toExtend<string>();
expectTypeOf<string>().toExtend<PointId>();
expectTypeOf<PointId>().toExtend<PointName>();
expectTypeOf<PointId>().not.toExtend<ChangeId>();
