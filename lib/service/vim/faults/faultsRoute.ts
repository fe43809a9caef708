/** `/demo/faults` of the simulator: the rules as a program changes them between two of its tests. */
import type { IncomingMessage, ServerResponse } from 'node:http';
import { CbtError } from '../../../core/errors.js';
import { basicOf } from '../../http/basic.js';
import { readBody } from '../../http/body.js';
import { mayAs } from '../../users/usersFile.js';
import type { Session, Sessions } from '../sessions.js';
import { type FaultRules, parseFaultPlan } from './faultRules.js';

const MOST_BYTES = 1 << 20;

/** What the route needs of the service. */
export interface FaultsServices {
  readonly sessions: Sessions;
  loginAs(name: string, password: string, address: string): Promise<{ session: Session }>;
}

/** PUT and POST take rules in place of those that there were, DELETE takes them away, GET tells how often each was met. */
export async function answerFaults(
  rules: FaultRules,
  services: FaultsServices,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const send = (status: number, body: object): void => {
    const text = `${JSON.stringify(body)}\n`;
    response.writeHead(status, {
      'Content-Type': 'application/json',
      'Content-Length': Buffer.byteLength(text),
    });
    response.end(text);
  };
  const { method = '', headers, socket } = request;
  const basic = basicOf(headers.authorization);
  const login = basic === null ? null : services.loginAs(...basic, socket.remoteAddress ?? '');
  const { session } = (await login?.catch(() => null)) ?? {};
  if (session !== undefined) services.sessions.end(session);
  if (session === undefined || !mayAs(session.user, 'admin')) {
    request.resume();
    response.setHeader('WWW-Authenticate', 'Basic realm="qemu-cbt"');
    send(session === undefined ? 401 : 403, {
      error: { message: 'an administrator may, by name and password' },
    });
    return;
  }
  try {
    if (method === 'PUT' || method === 'POST')
      rules.replace(parseFaultPlan('the body', await readBody(request, MOST_BYTES)));
    else if (method === 'DELETE') rules.replace({ seed: 1, rules: [] });
    else if (method !== 'GET') {
      send(405, { error: { message: 'GET, PUT, POST or DELETE' } });
      return;
    }
    send(200, rules.state);
  } catch (error) {
    if (!(error instanceof CbtError)) throw error;
    send(400, { error: { code: error.code, message: error.message } });
  }
}
