/** Snippets that cannot do all that they show where they are tried, by their file (`#2` for its second one): what their end begins with, and why. */
const prl = (why: string) => ({ ends: 'PRL_ERR_UNIMPLEMENTED', why });
const vix = (why: string) => ({ ends: 'VIX_E_NOT_SUPPORTED', why });
const PRL = 'lib/facade/parallels/functions';
const VIX = 'lib/facade/vixdisklib/functions';

export const NOT_AS_SHOWN: Readonly<Record<string, { ends: string; why: string }>> = {
  'docs/testing.md#2': { ends: 'ReferenceError: expect', why: 'wants the expect of a test runner' },
  'lib/backup/restoreOnto.ts': {
    ends: 'ERR_CBT_INVALID_ARGUMENT',
    why: 'the image at hand is not the disk that was backed up, and is refused for it',
  },
  [`${PRL}/PrlDisk_SwitchToState.ts`]: prl('as in the SDK'),
  [`${PRL}/PrlDisk_WaitForCompletion.ts`]: prl('as in the SDK'),
  [`${PRL}/PrlHandle_FromString.ts`]: prl('P20'),
  [`${PRL}/PrlSrv_CreateVmBackup.ts`]: prl('needs the dispatcher of Virtuozzo'),
  [`${PRL}/PrlSrv_CreateVmBackupEx.ts`]: prl('needs the dispatcher of Virtuozzo'),
  [`${PRL}/PrlSrv_Login.ts`]: prl('there is no server but this machine'),
  [`${VIX}/VixDiskLib_Attach.ts`]: vix('an image keeps the parent that it was made with'),
  [`${VIX}/VixDiskLib_Defragment.ts`]: vix('nothing of this kind for images of QEMU'),
  [`${VIX}/VixDiskLib_IsAttachPossible.ts`]: vix('an image keeps the parent that it was made with'),
  [`${VIX}/VixDiskLib_Shrink.ts`]: vix('nothing of this kind for images of QEMU'),
};
