/** Methods about sessions, users and what the service is. */
import { NotFound } from '../../../facade/vsphere/index.js';
import { mayAs } from '../../users/usersFile.js';
import { argument, type Handlers } from '../call.js';

/** By `<type>.<method>`. Login and what needs no session is the service's own. */
export const SESSION_METHODS: Handlers = {
  'ServiceInstance.CurrentTime': { run: ({ service }) => service.facade.CurrentTime() },
  'SessionManager.Logout': {
    run({ service, session }) {
      service.sessions.end(session);
    },
  },
  'SessionManager.SetLocale': { run: () => undefined },
  'SessionManager.SessionIsActive': {
    needs: 'admin',
    privilege: 'Sessions.ValidateSession',
    run: (call) =>
      call.service.sessions.all.some(
        ({ key, user }) =>
          key === argument<string>(call, 'sessionID') && user.name === argument<string>(call, 'userName'),
      ),
  },
  'SessionManager.TerminateSession': {
    needs: 'admin',
    privilege: 'Sessions.TerminateSession',
    changes: true,
    run(call) {
      const wanted = argument<string[]>(call, 'sessionId');
      for (const key of wanted) {
        const found = call.service.sessions.all.find((one) => one.key === key);
        if (found === undefined) throw new NotFound(`no session has the key ${key}`);
        call.service.sessions.end(found);
      }
    },
  },
  'AuthorizationManager.HasPrivilegeOnEntity': {
    run: (call) =>
      argument<string[]>(call, 'privId').map((privilege) => isAllowed(privilege, call.session.user)),
  },
  'AuthorizationManager.HasPrivilegeOnEntities': {
    run: (call) =>
      argument<object[]>(call, 'entity').map((entity) => ({
        entity,
        privAvailability: argument<string[]>(call, 'privId').map((privId) => ({
          privId,
          isGranted: isAllowed(privId, call.session.user),
        })),
      })),
  },
  'OptionManager.QueryOptions': { run: () => [] },
};

/** By what the privilege is called: what only reads, what a backup takes, anything else. */
function isAllowed(privilege: string, user: { role: 'read' | 'backup' | 'admin' }): boolean {
  if (/^System\.(Anonymous|View|Read)$/.test(privilege)) return true;
  const isBackup =
    /^VirtualMachine\.(State\.(Create|Remove|Rename)Snapshot|Config\.(ChangeTracking|DiskLease)|Provisioning\.(DiskRandom(Access|Read)|GetVmFiles))$/;
  return mayAs(user, isBackup.test(privilege) || privilege === 'Datastore.Browse' ? 'backup' : 'admin');
}
