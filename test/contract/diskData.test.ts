/** Whoever makes a `DiskData` keeps its promises; a line for each. */

import { daemonExport, fakeServer, qcow2Image } from './dataMakers.js';
import { diskDataContract } from './diskData.js';
import { domainData } from './domainMakers.js';
import { memoryBytes } from './memoryMakers.js';

diskDataContract('a qcow2 image', qcow2Image({ readOnly: false }));
diskDataContract('a qcow2 image, only to be read', qcow2Image({ readOnly: true }));
diskDataContract('an export of a storage daemon', daemonExport);
diskDataContract('an export of the fake server', fakeServer);
diskDataContract('the instant of a domain of libvirt that runs', domainData({ running: true }));
diskDataContract('the instant of a domain of libvirt that is off', domainData({ running: false }));
diskDataContract('a disk in memory', memoryBytes({ readOnly: false }));
diskDataContract('a disk in memory, only to be read', memoryBytes({ readOnly: true }));
