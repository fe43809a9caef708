/** The methods of the API that go over the wire, and how far; docs/coverage.md is made from it, and a test holds it to the handlers. */

import type { SurfaceEntry } from '../../facade/surface.js';
import { METHODS } from '../../facade/vsphere/schema/schema.js';
import { surface as facade } from '../../facade/vsphere/surface.js';
import { HANDLERS } from './handlers.js';

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

/** How far the facade has it. */
function ofFacade(key: string): SurfaceEntry {
  const found = facade.find((entry) => entry.name === key.slice(key.indexOf('.') + 1));
  return found === undefined ? { name: key, status: 'full' } : { ...found, name: key };
}

function entryOf(name: string): SurfaceEntry {
  const reason = REASONS[name];
  if (reason !== undefined) return { name, status: 'partial', reason };
  if (FREE.includes(name)) return { name, status: 'full' };
  if (HANDLERS[name] === undefined) return { name, status: 'absent', reason: 'NotSupported' };
  return ofFacade(name);
}

/** Each by `<type>.<method>`. */
export const surface: readonly SurfaceEntry[] = [...METHODS.keys()].sort().map(entryOf);
