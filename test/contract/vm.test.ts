/** Whoever makes a `Vm` keeps its promises; a line for each. */

import { domainThatIsOff, runningDomain } from './domainMakers.js';
import { memoryVm } from './memoryMakers.js';
import { vmContract } from './vm.js';
import { runningVm, vmOfAnother, vmThatIsOff } from './vmMakers.js';

vmContract('running', { running: true, make: runningVm });
vmContract('running, whose monitor another program has', { running: true, make: vmOfAnother });
vmContract('off', { running: false, make: vmThatIsOff, unambiguous: true });
vmContract('a domain of libvirt that runs', { running: true, make: runningDomain, unambiguous: true });
vmContract('a domain of libvirt that is off', { running: false, make: domainThatIsOff, unambiguous: true });
vmContract('in memory, for unit tests', {
  running: true,
  make: memoryVm,
  unambiguous: true,
  monitorless: true,
});
