/** The SOAP around a call: which method of which object a request asks for, and what an answer stands in. */
import {
  InvalidRequest,
  type ManagedObjectReference,
  type MethodFault,
} from '../../../facade/vsphere/index.js';
import { type Element, readXml } from './element.js';
import { escapeXml } from './escape.js';
import type { ValueWriter } from './writeValue.js';

const SOAP = 'http://schemas.xmlsoap.org/soap/envelope/';
const VIM = 'urn:vim25';

/** A request, its arguments unread. */
export interface Request {
  method: string;
  /** The object that it is sent to. */
  receiver: ManagedObjectReference;
  /** The other elements, in their order. */
  parts: readonly Element[];
}

/** Nobody has to say more to log in. */
const BEFORE_LOGIN = 200;

/** `InvalidRequest` for what is no call. Headers are not looked at. Whoever is not known is not read at length. */
export function readRequest(text: string, isKnown: boolean): Request {
  const envelope = isKnown ? readXml(text) : readXml(text, BEFORE_LOGIN);
  if (envelope.name !== 'Envelope' || envelope.namespace !== SOAP)
    throw new InvalidRequest('the request is no SOAP 1.1 envelope');
  const bodies = envelope.children.filter(({ name, namespace }) => name === 'Body' && namespace === SOAP);
  const [body] = bodies;
  const [call] = body?.children ?? [];
  if (bodies.length !== 1 || body?.children.length !== 1 || call === undefined)
    throw new InvalidRequest('a request has one body with one call in it');
  if (call.namespace !== VIM) throw new InvalidRequest(`a call is in the namespace ${VIM}`);
  const [receiver, second] = call.children.filter(({ name }) => name === '_this');
  const value = receiver?.text.trim() ?? '';
  if (receiver === undefined || second !== undefined || value === '')
    throw new InvalidRequest(`${call.name} has to name the one object it is sent to, in _this`);
  return {
    method: call.name,
    receiver: { type: receiver.attributes.get('type') ?? '', value },
    parts: call.children.filter(({ name }) => name !== '_this'),
  };
}

const OPEN = `<?xml version="1.0" encoding="UTF-8"?>
<soapenv:Envelope xmlns:soapenv="${SOAP}" xmlns:xsd="http://www.w3.org/2001/XMLSchema" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"><soapenv:Body>`;
const CLOSE = '</soapenv:Body></soapenv:Envelope>';

/** The answer of a method, in pieces. */
export function* writeAnswer(
  writer: ValueWriter,
  method: string,
  type: string,
  value: unknown,
): Generator<string> {
  yield `${OPEN}<${method}Response xmlns="${VIM}">`;
  if (value !== undefined && value !== null) yield* writer.pieces('returnval', type, value);
  yield `</${method}Response>${CLOSE}`;
}

/** The answer of a call that failed. */
export function writeFault(writer: ValueWriter, fault: MethodFault): string {
  const detail = writer.faultDetail(fault);
  return `${OPEN}<soapenv:Fault><faultcode>ServerFaultCode</faultcode><faultstring>${escapeXml(fault.message)}</faultstring><detail>${detail}</detail></soapenv:Fault>${CLOSE}`;
}
