/** Sizes for people: binary units, three significant digits, exact bytes where they are few. */

const UNITS = ['bytes', 'KiB', 'MiB', 'GiB', 'TiB', 'PiB'];

export function formatBytes(bytes: number): string {
  let value = bytes;
  let unit = 0;
  while (value >= 1024 && unit < UNITS.length - 1) {
    value /= 1024;
    unit += 1;
  }
  const text = Number.isInteger(value) ? String(value) : value.toPrecision(value >= 1000 ? 4 : 3);
  return `${text} ${UNITS[unit]}`;
}
