/** `qemu-cbt changes`: what changed between two points, as text, JSON, JSON lines or a file of bits. */
import type { BitmapKernel } from '../../core/bitmapKernel.js';
import type { ChangeMap } from '../../core/changeMap.js';
import { invalidArgument } from '../../core/errors.js';
import { loadKernel } from '../../kernel/load.js';
import { type AreaStyleName, ahead, formatAreas, formatKinds } from '../areaText.js';
import { type CliIo, write, writeJson } from '../io.js';
import { type OpenOptions, openForCommand } from '../openForCommand.js';
import { parseBytes, parseCount } from '../options.js';
import { writeOutput } from '../output.js';
import { formatBytes } from '../picture/units.js';
import { ProgressBar } from '../progress.js';
import { printable, warn } from '../report.js';

export interface ChangesFlags extends OpenOptions {
  from: string;
  to?: string;
  start?: string;
  max?: string;
  granularity?: string;
  json?: boolean;
  jsonl?: boolean;
  bits?: string;
  kinds?: boolean;
}

export async function changes(io: CliIo, disk: string, flags: ChangesFlags): Promise<void> {
  if (
    [flags.json && flags.bits === undefined, flags.jsonl, flags.bits !== undefined].filter(Boolean).length > 1
  ) {
    throw invalidArgument('--json', true, 'only one of --json, --jsonl and --bits');
  }
  if (flags.kinds && flags.bits !== undefined)
    throw invalidArgument('--kinds', true, 'left out with --bits, which has one bit for an area');
  const bar = new ProgressBar(io, 'reading');
  await using opened = await openForCommand(io, disk, flags);
  try {
    const map = await opened.changes({
      from: flags.from,
      to: flags.to,
      start: flags.start === undefined ? undefined : parseBytes('--start', flags.start),
      max: flags.max === undefined ? undefined : parseCount('--max', flags.max),
      kinds: flags.kinds,
      signal: io.signal,
      onProgress: bar.onProgress,
    });
    const kernel = await loadKernel({ kernel: flags.kernel ?? 'auto' });
    const printer = { io, map, kernel, kinds: flags.kinds === true };
    for (const warning of map.warnings) warn(io, warning);
    if (flags.bits !== undefined) await writeBits(io, map, flags.bits, flags);
    else if (flags.json) await writeAreasJson(printer);
    else if (flags.jsonl) await writeAreas(printer, 'jsonl');
    else await writeTable(printer);
  } finally {
    bar.end();
  }
}

interface Printer {
  io: CliIo;
  map: ChangeMap;
  kernel: BitmapKernel;
  /** Each area says whether it reads as zeros. */
  kinds: boolean;
}

interface Totals {
  areas: number;
  changedBytes: number;
  /** End of the last area told, 0 when there is none. */
  endBytes: number;
}

async function writeAreas(printer: Printer, style: AreaStyleName, before = ''): Promise<Totals> {
  const { io, map, kernel, kinds } = printer;
  const totals: Totals = { areas: 0, changedBytes: 0, endBytes: 0 };
  let head = before;
  const texts = kinds
    ? formatKinds(map.kinds(), style)
    : formatAreas(kernel, map.batches(), style, io.signal);
  for await (const { ranges, text } of ahead(texts)) {
    // The head goes out with the first batch: what fails before that leaves stdout empty.
    if (head !== '') await write(io.stdout, head);
    head = '';
    totals.areas += ranges.length / 2;
    for (let i = 1; i < ranges.length; i += 2) totals.changedBytes += ranges[i] ?? 0;
    totals.endBytes = (ranges.at(-2) ?? 0) + (ranges.at(-1) ?? 0);
    await write(io.stdout, text);
  }
  if (head !== '') await write(io.stdout, head);
  return totals;
}

/** One object; `areas` holds one area a line, so that it greps and diffs. */
async function writeAreasJson(printer: Printer): Promise<void> {
  const { io, map } = printer;
  const facts = JSON.stringify({
    disk: map.disk,
    sizeBytes: map.sizeBytes,
    granularityBytes: map.granularityBytes,
    from: map.from,
    to: map.to,
  });
  const totals = await writeAreas(printer, 'json', `${facts.slice(0, -1)},"areas":[`);
  await write(io.stdout, `],"changedBytes":${totals.changedBytes}}\n`);
}

async function writeTable(printer: Printer): Promise<void> {
  const { io, map } = printer;
  const totals = await writeAreas(printer, 'plain', `start\tlength${printer.kinds ? '\tkind' : ''}\n`);
  const until = map.to === null ? 'now' : map.to;
  const share = map.sizeBytes === 0 ? 0 : (100 * totals.changedBytes) / map.sizeBytes;
  const line = `${totals.areas} areas, ${formatBytes(totals.changedBytes)} of ${formatBytes(map.sizeBytes)} (${share.toFixed(2)} %)`;
  io.stderr.write(`${printable(map.disk)}: ${line} from ${printable(map.from)} to ${printable(until)}\n`);
}

async function writeBits(io: CliIo, map: ChangeMap, path: string, flags: ChangesFlags): Promise<void> {
  const granularityBytes =
    flags.granularity === undefined ? map.granularityBytes : parseBytes('--granularity', flags.granularity);
  let bytes = 0;
  await writeOutput(path, map.disk, async (file) => {
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
