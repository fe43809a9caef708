/** The objects that the service itself consists of: what a client finds in its content. */
import type { ServiceInstance } from '../../facade/vsphere/index.js';
import { maySee } from '../users/usersFile.js';
import { PLACES, SERVICE } from './inventory/places.js';
import type { Reading, Viewer } from './reading.js';
import type { Sessions } from './sessions.js';
import type { Tasks } from './tasks.js';
import { WireObject } from './wireObject.js';

/** ServiceContent, the same for everybody. */
export function serviceContent({ content }: ServiceInstance): object {
  return {
    _type: 'ServiceContent',
    rootFolder: PLACES.root,
    propertyCollector: SERVICE.collector,
    viewManager: SERVICE.views,
    about: content.about,
    setting: SERVICE.options,
    sessionManager: SERVICE.sessions,
    authorizationManager: SERVICE.authorization,
    perfManager: SERVICE.performance,
    eventManager: SERVICE.events,
    taskManager: SERVICE.tasks,
    licenseManager: SERVICE.licenses,
    searchIndex: SERVICE.search,
    fileManager: SERVICE.files,
  };
}

const LANGUAGES = ['en'];
/** Privileges that are spoken of here, by their group. */
const PRIVILEGES = {
  System: ['Anonymous', 'View', 'Read'],
  VirtualMachine: [
    'Config.ChangeTracking',
    'Config.DiskLease',
    'Provisioning.DiskRandomAccess',
    'Provisioning.DiskRandomRead',
    'Provisioning.GetVmFiles',
    'State.CreateSnapshot',
    'State.RemoveSnapshot',
    'State.RenameSnapshot',
    'State.RevertToSnapshot',
  ],
  Datastore: ['Browse', 'FileManagement'],
  Sessions: ['TerminateSession', 'ValidateSession'],
};

function privileges(): object[] {
  return Object.entries(PRIVILEGES).flatMap(([group, names]) =>
    names.map((name) => ({
      privId: `${group}.${name}`,
      onParent: false,
      name,
      privGroupName: group,
    })),
  );
}

/** By their references. Property collectors are a session's own. */
export function contentObjects(
  facade: ServiceInstance,
  { sessions, tasks }: { sessions: Sessions; tasks: Tasks },
): WireObject[] {
  const own = ({ session }: Reading): Viewer | null => session;
  const make = ({ type, value }: { type: string; value: string }, properties: WireObject['properties']) =>
    new WireObject(type, value, properties);
  return [
    make(SERVICE.instance, {
      serverClock: () => facade.CurrentTime(),
      capability: () => ({
        provisioningSupported: false,
        multiHostSupported: false,
        userShellAccessSupported: false,
      }),
      content: () => serviceContent(facade),
    }),
    make(SERVICE.sessions, {
      currentSession: (reading) => own(reading)?.info,
      sessionList: (reading) => {
        const viewer = own(reading);
        if (viewer?.user.role === 'admin') return sessions.all.map(({ info }) => info);
        return viewer === null ? [] : [viewer.info];
      },
      message: () => '',
      messageLocaleList: () => LANGUAGES,
      supportedLocaleList: () => LANGUAGES,
      defaultLocale: () => 'en',
    }),
    make(SERVICE.views, { viewList: () => [] }),
    make(SERVICE.search, {}),
    make(SERVICE.options, { supportedOption: () => [], setting: () => [] }),
    make(SERVICE.authorization, { privilegeList: privileges, roleList: () => [] }),
    make(SERVICE.licenses, { licensedEdition: () => 'qemu-cbt', licenses: () => [] }),
    make(SERVICE.events, {
      description: () => ({ category: [], eventInfo: [] }),
      maxCollector: () => 100,
    }),
    make(SERVICE.tasks, {
      recentTask: ({ session }) =>
        session === null ? [] : tasks.recentOf(({ name }) => maySee(session.user, name)),
      description: () => ({ methodInfo: [], state: [], reason: [] }),
      maxCollector: () => 100,
    }),
    // There are no figures; clients call its methods all the same.
    make(SERVICE.performance, { perfCounter: () => [], historicalInterval: () => [] }),
    make(SERVICE.files, {}),
  ];
}
