/** The methods of the API that go over the wire, and how far; docs/coverage.md is made from it, and a test holds it to the handlers. */

import type { SurfaceEntry } from '../../facade/surface.js';
import { METHODS } from '../../facade/vsphere/schema/schema.js';
import { surface as facade } from '../../facade/vsphere/surface.js';
import { HANDLERS } from './handlers.js';

/** Answered before there is a session. */
const FREE = ['ServiceInstance.RetrieveServiceContent', 'SessionManager.Login'];
const REASONS: Readonly<Record<string, string>> = {
  'EventManager.CreateCollectorForEvents': 'there are no events: its pages are empty (V16)',
  'EventManager.QueryEvents': 'there are no events: none (V16)',
  'OptionManager.QueryOptions': 'there are no options: none (V16)',
  'PerformanceManager.QueryAvailablePerfMetric': 'there are no figures: none (V16)',
  'PerformanceManager.QueryPerf': 'there are no figures: none (V16)',
  'PerformanceManager.QueryPerfCounter': 'there are no figures: none (V16)',
  'PerformanceManager.QueryPerfProviderSummary': 'there are no figures: supports none (V16)',
  'SearchIndex.FindAllByDnsName': 'VMs whose entry names the socket of a guest agent; not the host (V14)',
  'SearchIndex.FindAllByIp': 'VMs whose entry names the socket of a guest agent; not the host (V14)',
  'SearchIndex.FindByDnsName': 'VMs whose entry names the socket of a guest agent; not the host (V14)',
  'SearchIndex.FindByIp': 'VMs whose entry names the socket of a guest agent; not the host (V14)',
  'SessionManager.SetLocale': 'there is one language: accepted, and without effect (V16)',
  'TaskManager.CreateCollectorForTasks':
    'the filter is not looked at: all tasks of the last ten minutes (V16)',
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
  if (HANDLERS[name] === undefined) return { name, status: 'absent', reason: 'NotSupported (V16)' };
  return ofFacade(name);
}

/** Each by `<type>.<method>`. */
export const surface: readonly SurfaceEntry[] = [...METHODS.keys()].sort().map(entryOf);
