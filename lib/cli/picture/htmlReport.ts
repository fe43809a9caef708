/**
 * The page of a backup folder, made to be mailed: one file, no script, nothing from elsewhere, and every style on its element, because programs
 * for mail drop the rest. What changed where is cells of a table for the same reason.
 */

import type { ListedDisk, ListedRun, RunList } from '../../backup/listing/listSchema.js';
import type { DiskPlaces } from '../../backup/listing/whereChanged.js';
import { escapeXml } from '../../core/escapeXml.js';
import { ageText, localTime, localZone } from '../localTime.js';
import { levelOf } from './buckets.js';
import { formatBytes } from './units.js';

/** Shades of `levelOf`. */
const SHADES = ['#eef1f4', '#cfe3f5', '#9cc8ec', '#5ba5dd', '#2176b8', '#0b4a80'];
const GOOD = '#1a7f37';
const BAD = '#b42318';
const FONT = 'font-family:system-ui,Segoe UI,Helvetica,Arial,sans-serif';
const CELL = 'padding:4px 10px 4px 0;text-align:left;vertical-align:top;border-bottom:1px solid #e2e6ea';

/** `runs`: those that are shown, oldest first. */
export function htmlReport(
  list: RunList,
  runs: readonly ListedRun[],
  places: readonly DiskPlaces[],
  now: Date,
): string {
  const newest = runs.at(-1);
  const title = `Backups in ${escapeXml(list.folder)}`;
  const zone = localZone(newest?.startedAt ?? now.toISOString());
  return `<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>${title}</title></head>
<body style="${FONT};font-size:14px;color:#1c2430;margin:24px;max-width:1100px">
<h1 style="font-size:20px;margin:0 0 4px">${title}</h1>
<p style="margin:0 0 16px;color:#5b6672">${localTime(now.toISOString())} ${zone} · ${list.runs.length} runs, ${formatBytes(list.storedBytes)} stored, ${list.freeBytes === null ? 'room not known' : `room for ${formatBytes(list.freeBytes)}`}</p>
${problemsOf(list)}${disksOf(list, places, now)}${nightsOf(runs, places, zone)}
<p style="margin:16px 0 0;color:#5b6672;font-size:12px">Made from manifests and sums files; whether every stored byte is sound says qemu-cbt verify. Each strip is its disk from first to last byte: the darker, the more of that part was stored.</p>
</body></html>
`;
}

function problemsOf({ problems, damaged, merging }: RunList): string {
  const lines = [
    ...problems,
    ...damaged.map(({ run, message }) => `run ${run} cannot be read: ${message}`),
    ...(merging === null
      ? []
      : [`run ${merging.below} is being merged into run ${merging.above}, or a prune was interrupted there`]),
  ];
  return lines
    .map((line) => `<p style="margin:0 0 8px;color:${BAD}"><b>${escapeXml(line)}</b></p>\n`)
    .join('');
}

/** Each disk through time, with its newest run of which nothing is known to be wrong. */
function disksOf({ runs }: RunList, places: readonly DiskPlaces[], now: Date): string {
  const series = new Map<string, { disk: ListedDisk; good: ListedRun | null; why: string | null }>();
  const damaged = new Set(
    places.filter(({ parts }) => parts === null).map(({ run, key }) => `${run} ${key}`),
  );
  for (const run of runs)
    for (const disk of run.disks) {
      // What builds on a damaged layer is damaged too.
      if (disk.base !== null && damaged.has(`${disk.base} ${disk.key}`))
        damaged.add(`${run.run} ${disk.key}`);
      const why = disk.problem ?? (damaged.has(`${run.run} ${disk.key}`) ? SUMS_DAMAGED : null);
      const good = why === null ? run : (series.get(disk.series)?.good ?? null);
      series.set(disk.series, { disk, good, why });
    }
  const rows = [...series.values()].map(({ disk, good, why }) => {
    const newest =
      good === null
        ? ''
        : `<span style="color:${GOOD}">run ${good.run}, ${localTime(good.startedAt)}, ${ageText(now.getTime() - Date.parse(good.startedAt))} ago</span>`;
    const wrong =
      why === null ? '' : ` <b style="color:${BAD}">its last run cannot be restored: ${escapeXml(why)}</b>`;
    return row([escapeXml(disk.disk), formatBytes(disk.sizeBytes), `${newest}${wrong}`]);
  });
  return table(['disk', 'size', 'newest run that is there'], rows);
}

const SUMS_DAMAGED = 'its sums are damaged';

function nightsOf(runs: readonly ListedRun[], places: readonly DiskPlaces[], zone: string): string {
  const rows = runs.toReversed().flatMap((run) => [
    ...run.disks.map((disk) =>
      row([
        String(run.run),
        localTime(run.startedAt),
        escapeXml(disk.disk),
        formatBytes(disk.changedBytes),
        formatBytes(disk.storedBytes),
        kindOf(disk),
        stripOf(
          places.find((one) => one.run === run.run && one.key === disk.key),
          disk.sizeBytes,
        ),
      ]),
    ),
    ...run.failed.map(({ disk, message }) =>
      row([
        String(run.run),
        localTime(run.startedAt),
        escapeXml(disk),
        '–',
        '–',
        `<b style="color:${BAD}">failed: ${escapeXml(message)}</b>`,
        '',
      ]),
    ),
  ]);
  return table(['run', `begun (${zone})`, 'disk', 'changed', 'stored', 'kind', 'where'], rows);
}

function kindOf({ verdict, reason, message, base, problem }: ListedDisk): string {
  const why = [reason, message].filter((part) => part !== null).join(': ');
  const kind = base === null ? verdict : `${verdict} on ${base}`;
  const broken =
    problem === null ? '' : ` <b style="color:${BAD}">cannot be restored: ${escapeXml(problem)}</b>`;
  return `${kind}${why === '' ? '' : `, ${escapeXml(why)}`}${broken}`;
}

function stripOf(places: DiskPlaces | undefined, sizeBytes: number): string {
  if (places === undefined) return '';
  const { parts } = places;
  if (parts === null) return SUMS_DAMAGED;
  const each = sizeBytes / parts.length;
  const cells = parts.map(
    (bytes) =>
      `<td style="padding:0;width:4px;height:14px;background:${SHADES[levelOf(bytes / each)]}"></td>`,
  );
  return `<table role="presentation" cellspacing="0" cellpadding="0" style="border-collapse:collapse"><tr>${cells.join('')}</tr></table>`;
}

function table(head: readonly string[], rows: readonly string[]): string {
  const cells = head.map((name) => `<th style="${CELL};font-weight:600;color:#5b6672">${name}</th>`).join('');
  return `<table style="border-collapse:collapse;margin:0 0 20px"><tr>${cells}</tr>\n${rows.join('\n')}\n</table>\n`;
}

/** Cells are HTML already. */
function row(cells: readonly string[]): string {
  return `<tr>${cells.map((cell) => `<td style="${CELL}">${cell}</td>`).join('')}</tr>`;
}
