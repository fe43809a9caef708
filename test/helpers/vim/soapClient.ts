/** Requests as clients write them, sent to a service without a network. */
import { type Element, readXml } from '../../../lib/service/vim/soap/element.js';
import type { VimService } from '../../../lib/service/vim/vimService.js';
import { PASSWORD } from './service.js';

/** The text of a call; `inner` is what stands beside `_this`. */
export function call(method: string, type: string, value: string, inner = ''): string {
  return `<?xml version="1.0" encoding="UTF-8"?><soapenv:Envelope xmlns:soapenv="http://schemas.xmlsoap.org/soap/envelope/" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" xmlns:xsd="http://www.w3.org/2001/XMLSchema"><soapenv:Body><${method} xmlns="urn:vim25"><_this type="${type}">${value}</_this>${inner}</${method}></soapenv:Body></soapenv:Envelope>`;
}

export interface Told {
  status: number;
  /** What stands in the answer: its `returnval`s. */
  values: Element[];
  /** Name of the fault. */
  fault: string | null;
  /** The fault's fields by name. */
  detail: Record<string, string>;
  text: string;
  cookie: string | null;
}

const child = (element: Element, name: string): Element | undefined =>
  element.children.find((one) => one.name === name);

/** One client with its cookie. */
export class SoapClient {
  cookie: string | null = null;

  constructor(
    readonly service: VimService,
    readonly signal: AbortSignal = new AbortController().signal,
  ) {}

  static async login(service: VimService, name = 'root'): Promise<SoapClient> {
    const client = new SoapClient(service);
    const told = await client.ask(
      'Login',
      'SessionManager',
      'ha-sessionmgr',
      `<userName>${name}</userName><password>${PASSWORD}</password>`,
    );
    if (told.cookie === null) throw new Error(told.text);
    client.cookie = told.cookie;
    return client;
  }

  ask(method: string, type: string, value: string, inner = ''): Promise<Told> {
    return this.send(call(method, type, value, inner));
  }

  async send(request: string): Promise<Told> {
    const { status, cookie, pieces } = await this.service.answer(request, this.cookie, {
      address: '127.0.0.1',
      userAgent: 'test',
      signal: this.signal,
    });
    const text = [...pieces].join('');
    const answer = readXml(text).children[0]!.children[0]!;
    const detail = child(answer, 'detail')?.children[0];
    return {
      status,
      cookie,
      text,
      values: answer.children.filter(({ name }) => name === 'returnval'),
      fault: detail?.xsiType ?? null,
      detail: Object.fromEntries((detail?.children ?? []).map((one) => [one.name, one.text])),
    };
  }
}

/** A filter over one object, for the paths of its type. */
export function filterSpec(
  tag: string,
  type: string,
  value: string,
  paths: readonly string[],
  more = '',
): string {
  const wanted = paths.map((path) => `<pathSet>${path}</pathSet>`).join('');
  return `<${tag}><propSet><type>${type}</type>${wanted}</propSet><objectSet><obj type="${type}">${value}</obj>${more}</objectSet></${tag}>`;
}
