/** Columns for people: as wide as their widest cell, the last one as it comes. */

/** Lines of a table under its head; `right` names the columns whose cells end together. */
export function columns(
  head: readonly string[],
  rows: readonly (readonly string[])[],
  right: ReadonlySet<string> = new Set(),
): string[] {
  const widths = head.map((name, at) =>
    rows.reduce((most, row) => Math.max(most, row[at]?.length ?? 0), name.length),
  );
  return [head, ...rows].map((row) =>
    row
      .map((cell, at) => {
        const width = widths[at] ?? 0;
        if (right.has(head[at] ?? '')) return cell.padStart(width);
        return at === row.length - 1 ? cell : cell.padEnd(width);
      })
      .join('  ')
      .trimEnd(),
  );
}
