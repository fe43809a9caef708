/** Runs the command in this process with captured streams; what a script would see, without a build. */
import { Writable } from 'node:stream';
import { main } from '../../lib/cli/main.js';
import { OUTPUTS } from '../../lib/cli/outputs/outputs.js';

export interface CliRun {
  code: number;
  stdout: string;
  stderr: string;
}

export async function cli(...argv: string[]): Promise<CliRun> {
  return cliWith({}, ...argv);
}

export async function cliWith(
  options: { signal?: AbortSignal; env?: Record<string, string> },
  ...argv: string[]
): Promise<CliRun> {
  const out: Buffer[] = [];
  const err: Buffer[] = [];
  const code = await main(argv, {
    stdout: collect(out),
    stderr: collect(err),
    env: options.env ?? {},
    ...(options.signal === undefined ? {} : { signal: options.signal }),
  });
  const stdout = Buffer.concat(out).toString();
  requireDescribed(argv, stdout);
  return { code, stdout, stderr: Buffer.concat(err).toString() };
}

/** Every output that a test makes is as docs/output.schema.json says. */
function requireDescribed(argv: readonly string[], stdout: string): void {
  if (!argv.includes('--json') || stdout === '') return;
  const schema = argv.map((word) => OUTPUTS[word]).find((one) => one !== undefined);
  const checked = schema?.safeParse(JSON.parse(stdout));
  if (checked?.success === false)
    throw new Error(
      `qemu-cbt ${argv.join(' ')} printed ${stdout}\nwhich its schema does not describe: ${checked.error.message}`,
    );
}

function collect(chunks: Buffer[]): Writable {
  return new Writable({
    write(chunk: Buffer | string, _encoding, done) {
      chunks.push(Buffer.from(chunk));
      done();
    },
  });
}
