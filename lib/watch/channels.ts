/** The channels, by name, as Node has them. */
import { type TracingChannel, tracingChannel } from 'node:diagnostics_channel';
import { CHANNELS, type WatchChannel } from './messages.js';

/** Of each channel Node's own. */
export const channels = Object.fromEntries(
  CHANNELS.map((name) => [name, tracingChannel<unknown, object>(name)]),
) as Record<WatchChannel, TracingChannel<unknown, object>>;
