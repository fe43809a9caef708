/** `qemu-cbt changes`: what changed between two points, as text, JSON, JSON lines or a file of bits. */
import type { ChangeMap } from '../../core/changeMap.js';
import { invalidArgument } from '../../core/errors.js';
import { type AreaStyleName, AreaText } from '../areaText.js';
import { type CliIo, write, writeJson } from '../io.js';
import { type OpenOptions, openForCommand } from '../openForCommand.js';
import { parseBytes, parseCount } from '../options.js';
import { formatBytes } from '../picture/units.js';
import { ProgressBar } from '../progress.js';
import { printable, warn } from '../report.js';
import { writeWholeFile } from '../wholeFile.js';

export interface ChangesFlags extends OpenOptions {
  from: string;
  to?: string;
  start?: string;
  max?: string;
  granularity?: string;
  json?: boolean;
  jsonl?: boolean;
  bits?: string;
}

export async function changes(io: CliIo, disk: string, flags: ChangesFlags): Promise<void> {
  if (
    [flags.json && flags.bits === undefined, flags.jsonl, flags.bits !== undefined].filter(Boolean).length > 1
  ) {
    throw invalidArgument('--json', true, 'only one of --json, --jsonl and --bits');
  }
  const bar = new ProgressBar(io, 'reading');
  await using opened = await openForCommand(io, disk, flags);
  try {
    const map = await opened.changes({
      from: flags.from,
      to: flags.to,
      start: flags.start === undefined ? undefined : parseBytes('--start', flags.start),
      max: flags.max === undefined ? undefined : parseCount('--max', flags.max),
      signal: io.signal,
      onProgress: bar.update,
    });
    for (const warning of map.warnings) warn(io, warning);
    if (flags.bits !== undefined) await writeBits(io, map, flags.bits, flags);
    else if (flags.json) await writeAreasJson(io, map);
    else if (flags.jsonl) await writeAreas(io, map, 'jsonl');
    else await writeTable(io, map);
  } finally {
    bar.end();
  }
}

interface Totals {
  areas: number;
  changedBytes: number;
  /** End of the last area told, 0 when there is none. */
  endBytes: number;
}

async function writeAreas(io: CliIo, map: ChangeMap, style: AreaStyleName, before = ''): Promise<Totals> {
  const text = new AreaText(style);
  const totals: Totals = { areas: 0, changedBytes: 0, endBytes: 0 };
  let head = before;
  for await (const batch of map.batches()) {
    // The head goes out with the first batch: what fails before that leaves stdout empty.
    if (head !== '') await write(io.stdout, head);
    head = '';
    totals.areas += batch.length / 2;
    for (let i = 1; i < batch.length; i += 2) totals.changedBytes += batch[i] ?? 0;
    totals.endBytes = (batch.at(-2) ?? 0) + (batch.at(-1) ?? 0);
    await write(io.stdout, text.format(batch));
  }
  if (head !== '') await write(io.stdout, head);
  return totals;
}

/** One object; `areas` holds one area a line, so that it greps and diffs. */
async function writeAreasJson(io: CliIo, map: ChangeMap): Promise<void> {
  const facts = JSON.stringify({
    disk: map.disk,
    sizeBytes: map.sizeBytes,
    granularityBytes: map.granularityBytes,
    from: map.from,
    to: map.to,
  });
  const totals = await writeAreas(io, map, 'json', `${facts.slice(0, -1)},"areas":[`);
  await write(io.stdout, `],"changedBytes":${totals.changedBytes}}\n`);
}

async function writeTable(io: CliIo, map: ChangeMap): Promise<void> {
  const totals = await writeAreas(io, map, 'plain', 'start\tlength\n');
  const until = map.to === null ? 'now' : map.to;
  const share = map.sizeBytes === 0 ? 0 : (100 * totals.changedBytes) / map.sizeBytes;
  const line = `${totals.areas} areas, ${formatBytes(totals.changedBytes)} of ${formatBytes(map.sizeBytes)} (${share.toFixed(2)} %)`;
  io.stderr.write(`${printable(map.disk)}: ${line} from ${printable(map.from)} to ${printable(until)}\n`);
}

async function writeBits(io: CliIo, map: ChangeMap, path: string, flags: ChangesFlags): Promise<void> {
  const granularityBytes =
    flags.granularity === undefined ? map.granularityBytes : parseBytes('--granularity', flags.granularity);
  let bytes = 0;
  await writeWholeFile(path, async (file) => {
    for await (const chunk of map.bitBatches(granularityBytes)) {
      await file.writeFile(chunk);
      bytes += chunk.length;
    }
  });
  const bits = Math.ceil((map.sizeBytes - map.start) / granularityBytes);
  const summary = { disk: map.disk, file: path, granularityBytes, bits, bytes, from: map.from, to: map.to };
  if (flags.json) await writeJson(io, summary);
  else
    io.stderr.write(`${printable(path)}: ${bits} bits of ${formatBytes(granularityBytes)}, ${bytes} bytes\n`);
}
