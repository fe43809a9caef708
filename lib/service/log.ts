/** The service's log: a line for each thing that happened, as `key=value`, on standard error; with a level that journald knows where it reads. */

export type Level = 'info' | 'warning' | 'error';

/** Values that are absent are left out. */
export type Fields = Readonly<Record<string, string | number | boolean | null | undefined>>;

const PRIORITY: Readonly<Record<Level, number>> = { error: 3, warning: 4, info: 6 };
const MOST = 500;

/** Writes lines to whatever takes them. */
export class Log {
  readonly #journal: boolean;

  constructor(
    readonly write: (line: string) => void,
    env: Readonly<Record<string, string | undefined>>,
  ) {
    this.#journal = env['JOURNAL_STREAM'] !== undefined;
  }

  info(event: string, fields: Fields = {}): void {
    this.#line('info', event, fields);
  }

  warning(event: string, fields: Fields = {}): void {
    this.#line('warning', event, fields);
  }

  error(event: string, fields: Fields = {}): void {
    this.#line('error', event, fields);
  }

  #line(level: Level, event: string, fields: Fields): void {
    const start = this.#journal
      ? `<${PRIORITY[level]}>event=${event}`
      : `time=${new Date().toISOString()} level=${level} event=${event}`;
    const rest = Object.entries(fields)
      .filter(([, value]) => value !== null && value !== undefined && value !== '')
      .map(([key, value]) => ` ${key}=${plain(String(value))}`);
    this.write(`${start}${rest.join('')}\n`);
  }
}

/** One line always: what a client sent may hold anything. */
function plain(text: string): string {
  const short = text.length > MOST ? `${text.slice(0, MOST)}…` : text;
  return /^[\w.,:/+@[\]-]+$/.test(short) ? short : JSON.stringify(short);
}
