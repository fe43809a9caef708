/** The command line as bytes: Node gives it as text, in which a name that is no UTF-8 looks like that of another file. */
import { readFileSync, readlinkSync } from 'node:fs';
import { textOf, unreadableName } from '../linux/textPath.js';

/** What the text of bytes that are no UTF-8 has in their place. */
const REPLACED = '\uFFFD';

/** Throws where an argument, or the folder that relative paths start from, is no UTF-8. */
export function refuseUnreadableArguments(argv: readonly string[]): void {
  const folder = argv.length === 0 ? '' : process.cwd();
  if (!argv.some((text) => text.includes(REPLACED)) && !folder.includes(REPLACED)) return;
  for (const bytes of argumentBytes(argv))
    if (textOf(bytes) === null) throw unreadableName('an argument', bytes);
  const bytes = readlinkSync('/proc/self/cwd', { encoding: 'buffer' });
  if (textOf(bytes) === null) throw unreadableName('the working folder', bytes);
}

/** The last arguments of this process, where they are these; none for a caller inside a program. */
function argumentBytes(argv: readonly string[]): Buffer[] {
  const whole = readFileSync('/proc/self/cmdline');
  const all: Buffer[] = [];
  for (let at = 0; at < whole.length; ) {
    const end = whole.indexOf(0, at);
    all.push(whole.subarray(at, end < 0 ? whole.length : end));
    at = end < 0 ? whole.length : end + 1;
  }
  const last = all.slice(-argv.length);
  return last.every((bytes, at) => bytes.toString('utf8') === argv[at]) ? last : [];
}
