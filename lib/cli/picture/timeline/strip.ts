/** A row of the page without a script: the whole disk in a small SVG, one path for each shade. */
import { LEVELS, levelOf } from '../buckets.js';
import type { Cells } from './cells.js';

const DEFAULT_COLUMNS = 160;
const HEIGHT = 10;

/** Lowest bar and the step to the next: as page.js draws them. */
export function heightOf(level: number): number {
  return level === 0 ? 0 : 0.5 + 0.1 * level;
}

/** `axisBytes`: what the width stands for; the disk may have been shorter. `label` is escaped already. */
export function drawStrip(
  cells: Cells,
  sizeBytes: number,
  axisBytes: number,
  label: string,
  columns = DEFAULT_COLUMNS,
): string {
  const shares = columnShares(cells, axisBytes, columns);
  const paths: string[] = Array.from({ length: LEVELS + 1 }, () => '');
  for (let n = 0; n < columns; ) {
    const level = levelOf(shares[n] ?? 0);
    let until = n + 1;
    while (until < columns && levelOf(shares[until] ?? 0) === level) until += 1;
    const height = HEIGHT * heightOf(level);
    paths[level] += `M${n} ${HEIGHT}v-${height}h${until - n}v${height}z`;
    n = until;
  }
  const drawn = paths.map((path, level) =>
    level === 0 || path === '' ? '' : `<path class="l${level}" d="${path}"/>`,
  );
  const width = axisBytes === 0 ? 0 : Number(((columns * sizeBytes) / axisBytes).toFixed(2));
  return `<svg class="strip" viewBox="0 0 ${columns} ${HEIGHT}" preserveAspectRatio="none" role="img" aria-label="${label}"><rect class="l0" width="${width}" height="${HEIGHT}"/>${drawn.join('')}</svg>`;
}

/** Changed share of each column; a cell's bytes are spread over it, so every column that it touches is above zero. */
function columnShares({ triples }: Cells, axisBytes: number, columns: number): Float64Array {
  const shares = new Float64Array(columns);
  if (axisBytes === 0) return shares;
  const bytesPerColumn = axisBytes / columns;
  for (let i = 0; i < triples.length; i += 3) {
    const [start = 0, end = 0, changed = 0] = triples.subarray(i, i + 3);
    const density = changed / (end - start);
    const last = Math.min(columns, Math.ceil(end / bytesPerColumn));
    for (let n = Math.floor(start / bytesPerColumn); n < last; n += 1) {
      const covered = Math.min(end, (n + 1) * bytesPerColumn) - Math.max(start, n * bytesPerColumn);
      shares[n] = (shares[n] ?? 0) + (Math.max(covered, 0) * density) / bytesPerColumn;
    }
  }
  return shares;
}
