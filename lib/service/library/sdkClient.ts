/** One SDK behind a session: what its library's calls are answered, and what is left when the program has gone. */
import type { CallArguments } from './callArguments.js';
import type { Value } from './frames.js';

/** Most bytes that one message reads or writes: the libraries take longer calls apart. */
export const MAX_PIECE_BYTES = 8 << 20;

/** A call of the program, and what it may reach. */
export interface SdkCall {
  args: CallArguments;
  /** Tells how far it is, to a client that waits for it. */
  progress: (data: unknown, percent: number) => void;
  /** Memory for what a read gives; the session's again when it is sent. */
  readBuffer: (bytes: number) => Uint8Array;
}

/** A code, and what goes with it. */
export interface Answer {
  /** As the SDK has it; a negative one is told as C has it, in 32 bits. */
  code: number;
  values?: readonly Value[];
}

/** What a client is made with. */
export interface SdkOptions {
  env: Readonly<Record<string, string | undefined>>;
  /** The host file that the command line names. */
  host: string | undefined;
  stateFolder: string | undefined;
  /** Ends with the program. */
  signal: AbortSignal;
  /** A line for the program's log. */
  log: (line: string) => void;
  /** Tells the program of what it asked to be told of. */
  event: (of: bigint, about: bigint) => void;
}

export interface SdkClient {
  /** Answers a call; what it throws is answered by {@link failed}. */
  answer(name: string, call: SdkCall): Promise<Answer> | Answer;
  failed(thrown: unknown): Answer;
  /** Bytes that a call takes for what it answers. */
  answerBytes(name: string, values: readonly Value[]): number;
  /** Closes what the program left open. */
  close(): Promise<void>;
}
