/**
 * Telling what is done on Node's tracing channels. With nobody subscribed the work is called and nothing else happens: no message is
 * made. A message within another's work takes its VM, disk, point and session from there.
 */
import { AsyncLocalStorage } from 'node:async_hooks';
import { channels } from './channels.js';
// Whoever tells is heard on stderr, where NODE_DEBUG asks for it.
import './lines.js';
import type { StreamMessage, WatchChannel, WatchMessage, WatchMessages } from './messages.js';

const within = new AsyncLocalStorage<WatchMessage>();

/** The names that messages of one VM and disk share. */
export type WatchAbout = Pick<WatchMessage, 'vm' | 'disk' | 'pit' | 'session'>;

/** Those of the work that this is called in, for what outlives that work; `disk` where it is of none. */
export function aboutHere(disk: string | null): WatchAbout {
  const around = within.getStore();
  const { vm = null, pit = null, session = null } = around ?? {};
  return { vm, disk: around?.disk ?? disk, pit, session };
}

/** Runs later work as a part of the one that this is called in: what is opened and asked afterwards keeps the names. */
export function workHere(): <T>(work: () => T) => T {
  const around = within.getStore();
  return around === undefined ? (work) => work() : (work) => within.run(around, work);
}

/** What a message says at its beginning: the operation, what it is of, and what its channel adds. */
type Begun<C extends WatchChannel> = Pick<WatchMessage, 'operation'> & {
  readonly [Name in keyof WatchAbout]?: WatchAbout[Name] | undefined;
} & Omit<WatchMessages[C], keyof WatchMessage>;

/**
 * Runs the work and tells of it on the channel; the work has the message where somebody listens. `done` fills in what is known at the
 * end.
 */
export function traced<C extends WatchChannel, T>(
  name: C,
  begun: () => Begun<C>,
  work: (message?: WatchMessages[C]) => Promise<T>,
  done?: (message: WatchMessages[C], result: T) => void,
): Promise<T> {
  const channel = channels[name];
  if (!channel.hasSubscribers) return work();
  const message = messageOf(begun());
  const startedAt = performance.now();
  const ended = (how: 'asyncStart' | 'asyncEnd'): void => channel[how].publish(message);
  const fail = (error: unknown): void => {
    message.error = error;
    message.durationMs = performance.now() - startedAt;
    channel.error.publish(message);
  };
  return channel.start.runStores(message, () => {
    let promise: Promise<T>;
    try {
      promise = within.run(message, work, message);
    } catch (error) {
      fail(error);
      throw error;
    } finally {
      channel.end.publish(message);
    }
    return promise.then(
      (result) => {
        message.durationMs = performance.now() - startedAt;
        done?.(message, result);
        ended('asyncStart');
        ended('asyncEnd');
        return result;
      },
      (error: unknown) => {
        fail(error);
        ended('asyncStart');
        ended('asyncEnd');
        throw error;
      },
    );
  });
}

/** Gives the pieces on, and tells of them as one operation, from the first that is asked for to the end or the reader's leaving. */
export function tracedPieces<T>(
  begun: () => Begun<'qemu-cbt:stream'>,
  pieces: AsyncGenerator<T, void, undefined>,
  bytesOf: (piece: T) => number,
): AsyncGenerator<T, void, undefined> {
  return channels['qemu-cbt:stream'].hasSubscribers ? watchedPieces(begun, pieces, bytesOf) : pieces;
}

async function* watchedPieces<T>(
  begun: () => Begun<'qemu-cbt:stream'>,
  pieces: AsyncGenerator<T, void, undefined>,
  bytesOf: (piece: T) => number,
): AsyncGenerator<T, void, undefined> {
  let end: () => void = () => undefined;
  let fail: (error: unknown) => void = () => undefined;
  const over = new Promise<void>((resolve, reject) => {
    end = resolve;
    fail = reject;
  });
  let message: StreamMessage | undefined;
  const told = traced('qemu-cbt:stream', begun, (made) => {
    message = made;
    return over;
  });
  told.catch(() => undefined);
  try {
    for await (const piece of pieces) {
      if (message !== undefined) message.bytes += bytesOf(piece);
      yield piece;
    }
  } catch (error) {
    fail(error);
    throw error;
  } finally {
    end();
  }
}

/** Tells of a failure that no call has: a session that breaks while nobody asks. */
export function tellBroken(begun: () => Begun<'qemu-cbt:session'>, error: unknown): void {
  const channel = channels['qemu-cbt:session'];
  if (!channel.hasSubscribers) return;
  const message = messageOf(begun());
  message.error = error;
  message.durationMs = 0;
  channel.start.runStores(message, () => {
    channel.error.publish(message);
    channel.end.publish(message);
  });
}

function messageOf<C extends WatchChannel>(begun: Begun<C>): WatchMessages[C] {
  const known = Object.fromEntries(Object.entries(begun).filter(([, value]) => value !== undefined));
  return { ...aboutHere(null), durationMs: null, error: null, ...known } as WatchMessages[C];
}
