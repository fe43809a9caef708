/** The methods of the API that go over the wire, and how far; docs/coverage.md is made from it, and a test holds it to the handlers. */
import { METHODS } from '../../facade/vsphere/schema/schema.js';
import { surface as facade } from '../../facade/vsphere/surface.js';
import { HANDLERS } from './handlers.js';

/** One method, as `<type>.<method>`. */
export interface WireEntry {
  name: string;
  status: 'full' | 'partial' | 'absent';
  /** Why it is not full. */
  reason?: string;
}

/** Answered before there is a session. */
const FREE = ['ServiceInstance.RetrieveServiceContent', 'SessionManager.Login'];
const REASONS: Readonly<Record<string, string>> = {
  'EventManager.CreateCollectorForEvents': 'there are no events: its pages are empty',
  'EventManager.QueryEvents': 'there are no events: none',
  'OptionManager.QueryOptions': 'there are no options: none',
  'PerformanceManager.QueryAvailablePerfMetric': 'there are no figures: none',
  'PerformanceManager.QueryPerf': 'there are no figures: none',
  'PerformanceManager.QueryPerfCounter': 'there are no figures: none',
  'PerformanceManager.QueryPerfProviderSummary': 'there are no figures: supports none',
  'SearchIndex.FindAllByDnsName': 'VMs whose entry names the socket of a guest agent; not the host',
  'SearchIndex.FindAllByIp': 'VMs whose entry names the socket of a guest agent; not the host',
  'SearchIndex.FindByDnsName': 'VMs whose entry names the socket of a guest agent; not the host',
  'SearchIndex.FindByIp': 'VMs whose entry names the socket of a guest agent; not the host',
  'SessionManager.SetLocale': 'there is one language: accepted, and without effect',
  'TaskManager.CreateCollectorForTasks': 'the filter is not looked at: all tasks of the last ten minutes',
};

/** Why a method of the facade is not full there. */
function ofFacade(key: string): Pick<WireEntry, 'status' | 'reason'> {
  const name = key.slice(key.indexOf('.') + 1);
  const found = facade.find((entry) => entry.name === name);
  if (found === undefined || found.status === 'full') return { status: 'full' };
  return { status: found.status, ...(found.reason !== undefined && { reason: found.reason }) };
}

function entryOf(name: string): WireEntry {
  const reason = REASONS[name];
  if (reason !== undefined) return { name, status: 'partial', reason };
  if (FREE.includes(name)) return { name, status: 'full' };
  if (HANDLERS[name] === undefined) return { name, status: 'absent', reason: 'NotSupported' };
  return { name, ...ofFacade(name) };
}

export const surface: readonly WireEntry[] = [...METHODS.keys()].sort().map(entryOf);
