/**
 * The calls of libvirt's that we use, by their numbers in its protocol (src/remote/remote_protocol.x and qemu_protocol.x), and
 * what goes with them. Numbers and forms are part of what old clients and new daemons agree on, and never change.
 */
import type { Procedure } from './rpcClient.js';
import type { XdrReader, XdrWriter } from './xdr.js';

const REMOTE = 0x20008086;
const QEMU = 0x20008087;

const remote = (number: number, name: string): Procedure => ({ program: REMOTE, number, name });
const qemu = (number: number, name: string): Procedure => ({ program: QEMU, number, name });

export const PROCEDURES = {
  open: remote(1, 'virConnectOpen'),
  close: remote(2, 'virConnectClose'),
  domainXml: remote(14, 'virDomainGetXMLDesc'),
  domainByName: remote(23, 'virDomainLookupByName'),
  domainByUuid: remote(24, 'virDomainLookupByUUID'),
  authentication: remote(66, 'the list of ways to authenticate'),
  polkit: remote(70, 'authentication by polkit'),
  hasManagedSave: remote(183, 'virDomainHasManagedSaveImage'),
  domainState: remote(212, 'virDomainGetState'),
  domains: remote(273, 'virConnectListAllDomains'),
  jobStats: remote(298, 'virDomainGetJobStats'),
  domainEvents: remote(316, 'virConnectDomainEventRegisterAny'),
  freeze: remote(335, 'virDomainFSFreeze'),
  thaw: remote(336, 'virDomainFSThaw'),
  define: remote(350, 'virDomainDefineXMLFlags'),
  checkpointXml: remote(412, 'virDomainCheckpointGetXMLDesc'),
  checkpoints: remote(413, 'virDomainListAllCheckpoints'),
  monitorCommand: qemu(1, 'virDomainQemuMonitorCommand'),
  agentCommand: qemu(3, 'virDomainQemuAgentCommand'),
  monitorEvents: qemu(4, 'virConnectDomainQemuMonitorEventRegister'),
  noMonitorEvents: qemu(5, 'virConnectDomainQemuMonitorEventDeregister'),
} as const;

/** The event that carries one of QEMU's. */
export function isMonitorEvent(program: number, procedure: number): boolean {
  return program === QEMU && procedure === 6;
}

/** The event that tells of a domain's start or end. */
export function isLifecycleEvent(program: number, procedure: number): boolean {
  return program === REMOTE && procedure === 318;
}

/** Limits of the protocol; of texts the largest that any version had. */
const MAX_TEXT_BYTES = 4 * 1024 * 1024;
const MAX_DOMAINS = 16_384;
const MAX_AUTH = 20;
const MAX_PARAMETERS = 64;
const UUID_BYTES = 16;

/** A domain as libvirt names it in every call. */
export interface DomainRef {
  name: string;
  /** RFC 4122 text, lower case. */
  uuid: string;
  /** -1 while it is off. */
  id: number;
}

export function writeDomain(writer: XdrWriter, { name, uuid, id }: DomainRef): XdrWriter {
  return writer
    .text(name)
    .fixed(Buffer.from(uuid.replaceAll('-', ''), 'hex'))
    .int(id);
}

export function readDomain(reader: XdrReader): DomainRef {
  const name = reader.text(MAX_TEXT_BYTES);
  const hex = reader.fixed(UUID_BYTES).toString('hex');
  const uuid = hex.replace(/^(.{8})(.{4})(.{4})(.{4})/, '$1-$2-$3-$4-');
  return { name, uuid, id: reader.int() };
}

/** Reads one message to its end. */
function whole<T>(reader: XdrReader, read: (reader: XdrReader) => T): T {
  const value = read(reader);
  reader.end();
  return value;
}

export const readNothing = (reader: XdrReader): void => reader.end();
export const readOneDomain = (reader: XdrReader): DomainRef => whole(reader, readDomain);
export const readText = (reader: XdrReader): string => whole(reader, (from) => from.text(MAX_TEXT_BYTES));
export const readOptionalText = (reader: XdrReader): string | null =>
  whole(reader, (from) => from.optional(() => from.text(MAX_TEXT_BYTES)));
export const readInt = (reader: XdrReader): number => whole(reader, (from) => from.int());

export const readAuthentication = (reader: XdrReader): number[] =>
  whole(reader, (from) => from.list(MAX_AUTH, () => from.int()));

export const readDomains = (reader: XdrReader): DomainRef[] =>
  whole(reader, (from) => {
    const domains = from.list(MAX_DOMAINS, () => readDomain(from));
    from.unsigned();
    return domains;
  });

/** Names of checkpoints; each comes with its domain. */
export const readCheckpoints = (reader: XdrReader): string[] =>
  whole(reader, (from) => {
    const names = from.list(MAX_DOMAINS, () => {
      const name = from.text(MAX_TEXT_BYTES);
      readDomain(from);
      return name;
    });
    from.int();
    return names;
  });

/** State and its reason. */
export const readState = (reader: XdrReader): { state: number; reason: number } =>
  whole(reader, (from) => ({ state: from.int(), reason: from.int() }));

/** An event of QEMU's, and whose it is. */
export interface MonitorEvent {
  callback: number;
  domain: DomainRef;
  event: string;
  seconds: bigint;
  microseconds: number;
  /** JSON. */
  data: string | null;
}

export const readMonitorEvent = (reader: XdrReader): MonitorEvent =>
  whole(reader, (from) => ({
    callback: from.int(),
    domain: readDomain(from),
    event: from.text(MAX_TEXT_BYTES),
    seconds: from.hyper(),
    microseconds: from.unsigned(),
    data: from.optional(() => from.text(MAX_TEXT_BYTES)),
  }));

/** A start or end of a domain. */
export interface LifecycleEvent {
  callback: number;
  domain: DomainRef;
  /** virDomainEventType, and what goes with it. */
  event: number;
  detail: number;
}

export const readLifecycleEvent = (reader: XdrReader): LifecycleEvent =>
  whole(reader, (from) => ({
    callback: from.int(),
    domain: readDomain(from),
    event: from.int(),
    detail: from.int(),
  }));

/** What a job of libvirt's on a domain is. */
export interface JobStats {
  /** virDomainJobType; 0 is none. */
  type: number;
  parameters: ReadonlyMap<string, number | bigint | string>;
}

export const readJobStats = (reader: XdrReader): JobStats =>
  whole(reader, (from) => ({
    type: from.int(),
    parameters: new Map(
      from.list(MAX_PARAMETERS, () => [from.text(MAX_TEXT_BYTES), readParameter(from)] as const),
    ),
  }));

/** virTypedParameterType decides the form. */
function readParameter(from: XdrReader): number | bigint | string {
  const type = from.int();
  switch (type) {
    case 1:
    case 6:
      return from.int();
    case 2:
      return from.unsigned();
    case 3:
      return from.hyper();
    case 4:
      return from.unsignedHyper();
    case 5:
      return from.fixed(8).readDoubleBE();
    default:
      return from.text(MAX_TEXT_BYTES);
  }
}
