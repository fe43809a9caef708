/**
 * What can go wrong with a QMP connection itself, each with the socket it is about.
 */
import { CbtError } from '../../../core/errors.js';

/** A rule of the protocol that a message breaks; who sent it is said by `speaksOddly`. */
export function breach(what: string): CbtError {
  return new CbtError('ERR_CBT_BACKEND_PROTOCOL', what);
}

export function speaksOddly(name: string, what: string, cause?: unknown): CbtError {
  return new CbtError('ERR_CBT_BACKEND_PROTOCOL', `${name} does not speak QMP as specified: ${what}`, {
    details: { socket: name },
    cause,
  });
}

export function connectionLost(
  name: string,
  why: string,
  state: { greeted: boolean; agreed: boolean; cutBytes: number },
  cause?: unknown,
): CbtError {
  const partial =
    state.cutBytes > 0 ? `, in the middle of a message (${state.cutBytes} bytes of it had come)` : '';
  return new CbtError(
    // Before it stood there was nothing to lose.
    state.agreed ? 'ERR_CBT_CONNECTION_LOST' : 'ERR_CBT_BACKEND_UNAVAILABLE',
    `the QMP connection to ${name} is gone${state.greeted ? '' : ' before any greeting'}: ${why}${partial}`,
    { details: { socket: name }, cause },
  );
}

export function noGreeting(name: string, timeoutMs: number): CbtError {
  return new CbtError(
    'ERR_CBT_TIMEOUT',
    `${name} accepted the connection but sent no QMP greeting in ${timeoutMs} ms: a QMP monitor serves one ` +
      'client at a time, and another one (libvirt, or another backup) may hold it; a domain of libvirt is named libvirt:<uri>#<domain>, any other VM takes a second monitor',
    { reason: 'BUSY', details: { socket: name, timeoutMs } },
  );
}
