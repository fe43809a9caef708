/** The backup program as a library: runs into a folder, restores, checks and prunes, of a VM's disks or of images. */
export type { BackupResult, DiskResult } from './backup.js';
export { backup } from './backup.js';
export type { BackupOptions, DiskPlan } from './backupOptions.js';
export type { CheckMapOptions, CheckMapResult, ReadableDisk } from './checkMap.js';
export { checkMap } from './checkMap.js';
export type { Verdict } from './chooseBase.js';
export type {
  CopiedRun,
  CopyFolderOptions,
  CopyFolderResult,
  CopyProblem,
} from './copying/copyFolder.js';
export { copyFolder } from './copying/copyFolder.js';
export type { DiskEstimate, EstimateOptions, EstimateOutcome } from './estimate.js';
export { estimate } from './estimate.js';
export type { DamagedRun, Layer } from './folder.js';
export { BackupFolder } from './folder.js';
export type { ForgottenPoint } from './forgetting.js';
export type { ImagesSourceOptions } from './imagesSource.js';
export { imagesSource } from './imagesSource.js';
export type { DatedRun, KeepRules } from './keepRules.js';
export { runsToKeep } from './keepRules.js';
export type { CheckNewestOptions } from './listing/checkNewest.js';
export { checkNewest } from './listing/checkNewest.js';
export type { ListRunsOptions } from './listing/listRuns.js';
export { listRuns } from './listing/listRuns.js';
export type { CheckedDisk, ListedDisk, ListedRun, NewestCheck, RunList } from './listing/listSchema.js';
export type { DiskRun, Manifest } from './manifest.js';
export type { Mark, Owner } from './mark.js';
export type { MergeJournal } from './mergeJournal.js';
export type { BackupToTargetOptions, BackupToTargetResult } from './objects/backupToTarget.js';
export { backupToTarget } from './objects/backupToTarget.js';
export type { ObjectDisk, ObjectManifest, ObjectRun } from './objects/objectManifest.js';
export type { RestoreFromTargetOptions, RestoreFromTargetResult } from './objects/restoreFromTarget.js';
export { restoreFromTarget } from './objects/restoreFromTarget.js';
export type { TargetProblem, VerifyTargetOptions, VerifyTargetResult } from './objects/verifyTarget.js';
export { verifyTarget } from './objects/verifyTarget.js';
export type { OntoImage } from './ontoDisks.js';
export type { ClaimOptions } from './owner.js';
export type { PrunedLayer, PruneOptions, PruneResult } from './prune.js';
export { prune } from './prune.js';
export type { AtRun, Selection } from './reading.js';
export type { RestoreOptions, RestoreResult } from './restore.js';
export { restore } from './restore.js';
export type { RestoredOnto, RestoreOntoOptions, RestoreOntoResult } from './restoreOnto.js';
export { restoreOnto } from './restoreOnto.js';
export type { RestoredDisk, RestoreRunOptions, RestoreRunResult } from './restoreRun.js';
export { restoreRun } from './restoreRun.js';
export type {
  BackupSource,
  BeginSourceOptions,
  ChainPoint,
  DiskIdentity,
  FailedDisk,
  FoundDisk,
  SourceData,
  SourceDisk,
  SourceFacts,
  SourceQuestions,
  SourceSession,
} from './source.js';
export type { BackupTarget, TargetCall, TargetRead, TargetWrite } from './target.js';
export { folderTarget } from './targets/folderTarget.js';
export type { FetchLike } from './targets/httpCalls.js';
export type { HttpTargetOptions } from './targets/httpTarget.js';
export { httpTarget } from './targets/httpTarget.js';
export type { S3TargetOptions } from './targets/s3Target.js';
export { s3Target } from './targets/s3Target.js';
export type { VerifyDepth, VerifyNote, VerifyOptions, VerifyProblem, VerifyResult } from './verify.js';
export { verify } from './verify.js';
export type { MapVerdict, VerifyAgainstOptions } from './verifyAgainst.js';
export { verifyAgainst } from './verifyAgainst.js';
export type { VmSourceOptions } from './vmSource.js';
export { vmSource } from './vmSource.js';
