/**
 * Which thread of this process has a VM's monitor: connections are a thread's own, and a monitor serves one client. Whoever waited in vain
 * asks the others; those that have a connection answer.
 */
import { randomUUID } from 'node:crypto';
import { BroadcastChannel, threadId } from 'node:worker_threads';

/** The number goes up with every change of what is said here. */
const CHANNEL = 'qemu-cbt.connections.1';
/** A thread that is at work answers when it comes to it. */
const PATIENCE_MS = 500;

interface Said {
  question: string;
  /** What is asked about. */
  key?: string;
  /** The thread that has it. */
  thread?: number;
}

let answering: BroadcastChannel | null = null;

/** Answers from now on, by what this thread has then; keeps no thread alive. */
export function answerOthers(has: (key: string) => boolean): void {
  if (answering !== null) return;
  const channel = open();
  answering = channel;
  channel.onmessage = (event) => {
    const { question, key } = (event as { data: Said }).data;
    if (key !== undefined && has(key)) channel.postMessage({ question, thread: threadId } satisfies Said);
  };
}

/** Nothing is had any more. */
export function stopAnswering(): void {
  answering?.close();
  answering = null;
}

/** The thread of this process that has it; null where none says so. */
export async function threadThatHas(key: string): Promise<number | null> {
  const channel = open();
  const question = randomUUID();
  try {
    return await new Promise((resolve) => {
      const timer = setTimeout(resolve, PATIENCE_MS, null);
      channel.onmessage = (event) => {
        const said = (event as { data: Said }).data;
        if (said.question !== question || said.thread === undefined) return;
        clearTimeout(timer);
        resolve(said.thread);
      };
      channel.postMessage({ question, key } satisfies Said);
    });
  } finally {
    channel.close();
  }
}

function open(): BroadcastChannel {
  const channel = new BroadcastChannel(CHANNEL);
  channel.unref();
  return channel;
}
