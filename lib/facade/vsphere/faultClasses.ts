/** The faults of the vSphere API as classes that inherit as they do there. Made by scripts/make-faults.mjs; do not edit. */
import { MethodFault } from './methodFault.js';
import type { ManagedObjectReference } from './reference.js';

/** As the API’s. */
export class VimFault extends MethodFault {
  static override readonly type: string = 'VimFault';
}

/** As the API’s. */
export class SnapshotFault extends VimFault {
  static override readonly type: string = 'SnapshotFault';
}

/** As the API’s. */
export class ApplicationQuiesceFault extends SnapshotFault {
  static override readonly type: string = 'ApplicationQuiesceFault';
}

/** As the API’s, with `name`, `object`. */
export class DuplicateName extends VimFault {
  static override readonly type: string = 'DuplicateName';
  /** As the API’s. */
  declare name: string;
  /** As the API’s. */
  declare readonly object: ManagedObjectReference;

  /**
   * As {@link MethodFault}.
   * @param message What went wrong, in words.
   * @param properties The properties of the API’s data object.
   * @param cause What it comes from.
   */
  constructor(
    message: string,
    properties: { name: string; object: ManagedObjectReference },
    cause?: unknown,
  ) {
    super(message, properties, cause);
  }
}

/** As the API’s, with `file`. */
export class FileFault extends VimFault {
  static override readonly type: string = 'FileFault';
  /** As the API’s. */
  declare readonly file: string;

  /**
   * As {@link MethodFault}.
   * @param message What went wrong, in words.
   * @param properties The properties of the API’s data object.
   * @param cause What it comes from.
   */
  constructor(message: string, properties: { file: string }, cause?: unknown) {
    super(message, properties, cause);
  }
}

/** As the API’s. */
export class FileLocked extends FileFault {
  static override readonly type: string = 'FileLocked';
}

/** As the API’s. */
export class FileNotFound extends FileFault {
  static override readonly type: string = 'FileNotFound';
}

/** As the API’s. */
export class VmConfigFault extends VimFault {
  static override readonly type: string = 'VmConfigFault';
}

/** As the API’s, with `reason`. */
export class GenericVmConfigFault extends VmConfigFault {
  static override readonly type: string = 'GenericVmConfigFault';
  /** As the API’s. */
  declare readonly reason: string;

  /**
   * As {@link MethodFault}.
   * @param message What went wrong, in words.
   * @param properties The properties of the API’s data object.
   * @param cause What it comes from.
   */
  constructor(message: string, properties: { reason: string }, cause?: unknown) {
    super(message, properties, cause);
  }
}

/** As the API’s. */
export class RuntimeFault extends MethodFault {
  static override readonly type: string = 'RuntimeFault';
}

/** As the API’s, with `invalidProperty`. */
export class InvalidArgument extends RuntimeFault {
  static override readonly type: string = 'InvalidArgument';
  /** As the API’s. */
  declare readonly invalidProperty?: string | undefined;

  /**
   * As {@link MethodFault}.
   * @param message What went wrong, in words.
   * @param properties The properties of the API’s data object.
   * @param cause What it comes from.
   */
  constructor(message: string, properties: { invalidProperty?: string | undefined } = {}, cause?: unknown) {
    super(message, properties, cause);
  }
}

/** As the API’s. */
export class InvalidCollectorVersion extends MethodFault {
  static override readonly type: string = 'InvalidCollectorVersion';
}

/** As the API’s. */
export class InvalidLogin extends VimFault {
  static override readonly type: string = 'InvalidLogin';
}

/** As the API’s, with `name`, `entity`. */
export class InvalidName extends VimFault {
  static override readonly type: string = 'InvalidName';
  /** As the API’s. */
  declare name: string;
  /** As the API’s. */
  declare readonly entity?: ManagedObjectReference | undefined;

  /**
   * As {@link MethodFault}.
   * @param message What went wrong, in words.
   * @param properties The properties of the API’s data object.
   * @param cause What it comes from.
   */
  constructor(
    message: string,
    properties: { name: string; entity?: ManagedObjectReference | undefined },
    cause?: unknown,
  ) {
    super(message, properties, cause);
  }
}

/** As the API’s. */
export class InvalidState extends VimFault {
  static override readonly type: string = 'InvalidState';
}

/** As the API’s, with `requestedState`, `existingState`. */
export class InvalidPowerState extends InvalidState {
  static override readonly type: string = 'InvalidPowerState';
  /** As the API’s. */
  declare readonly requestedState?: 'poweredOff' | 'poweredOn' | 'suspended' | undefined;
  /** As the API’s. */
  declare readonly existingState: 'poweredOff' | 'poweredOn' | 'suspended';

  /**
   * As {@link MethodFault}.
   * @param message What went wrong, in words.
   * @param properties The properties of the API’s data object.
   * @param cause What it comes from.
   */
  constructor(
    message: string,
    properties: {
      requestedState?: 'poweredOff' | 'poweredOn' | 'suspended' | undefined;
      existingState: 'poweredOff' | 'poweredOn' | 'suspended';
    },
    cause?: unknown,
  ) {
    super(message, properties, cause);
  }
}

/** As the API’s, with `name`. */
export class InvalidProperty extends MethodFault {
  static override readonly type: string = 'InvalidProperty';
  /** As the API’s. */
  declare name: string;

  /**
   * As {@link MethodFault}.
   * @param message What went wrong, in words.
   * @param properties The properties of the API’s data object.
   * @param cause What it comes from.
   */
  constructor(message: string, properties: { name: string }, cause?: unknown) {
    super(message, properties, cause);
  }
}

/** As the API’s. */
export class InvalidRequest extends RuntimeFault {
  static override readonly type: string = 'InvalidRequest';
}

/** As the API’s, with `obj`. */
export class ManagedObjectNotFound extends RuntimeFault {
  static override readonly type: string = 'ManagedObjectNotFound';
  /** As the API’s. */
  declare readonly obj: ManagedObjectReference;

  /**
   * As {@link MethodFault}.
   * @param message What went wrong, in words.
   * @param properties The properties of the API’s data object.
   * @param cause What it comes from.
   */
  constructor(message: string, properties: { obj: ManagedObjectReference }, cause?: unknown) {
    super(message, properties, cause);
  }
}

/** As the API’s, with `receiver`, `method`. */
export class MethodNotFound extends InvalidRequest {
  static override readonly type: string = 'MethodNotFound';
  /** As the API’s. */
  declare readonly receiver: ManagedObjectReference;
  /** As the API’s. */
  declare readonly method: string;

  /**
   * As {@link MethodFault}.
   * @param message What went wrong, in words.
   * @param properties The properties of the API’s data object.
   * @param cause What it comes from.
   */
  constructor(
    message: string,
    properties: { receiver: ManagedObjectReference; method: string },
    cause?: unknown,
  ) {
    super(message, properties, cause);
  }
}

/** As the API’s. */
export class SecurityError extends RuntimeFault {
  static override readonly type: string = 'SecurityError';
}

/** As the API’s, with `object`, `privilegeId`. */
export class NoPermission extends SecurityError {
  static override readonly type: string = 'NoPermission';
  /** As the API’s. */
  declare readonly object?: ManagedObjectReference | undefined;
  /** As the API’s. */
  declare readonly privilegeId?: string | undefined;

  /**
   * As {@link MethodFault}.
   * @param message What went wrong, in words.
   * @param properties The properties of the API’s data object.
   * @param cause What it comes from.
   */
  constructor(
    message: string,
    properties: { object?: ManagedObjectReference | undefined; privilegeId?: string | undefined } = {},
    cause?: unknown,
  ) {
    super(message, properties, cause);
  }
}

/** As the API’s. */
export class NotAuthenticated extends NoPermission {
  static override readonly type: string = 'NotAuthenticated';
}

/** As the API’s. */
export class NotFound extends VimFault {
  static override readonly type: string = 'NotFound';
}

/** As the API’s. */
export class NotImplemented extends RuntimeFault {
  static override readonly type: string = 'NotImplemented';
}

/** As the API’s. */
export class NotSupported extends RuntimeFault {
  static override readonly type: string = 'NotSupported';
}

/** As the API’s. */
export class RequestCanceled extends RuntimeFault {
  static override readonly type: string = 'RequestCanceled';
}

/** As the API’s, with `reason`. */
export class SystemError extends RuntimeFault {
  static override readonly type: string = 'SystemError';
  /** As the API’s. */
  declare readonly reason: string;

  /**
   * As {@link MethodFault}.
   * @param message What went wrong, in words.
   * @param properties The properties of the API’s data object.
   * @param cause What it comes from.
   */
  constructor(message: string, properties: { reason: string }, cause?: unknown) {
    super(message, properties, cause);
  }
}

/** As the API’s, with `task`. */
export class TaskInProgress extends VimFault {
  static override readonly type: string = 'TaskInProgress';
  /** As the API’s. */
  declare readonly task: ManagedObjectReference;

  /**
   * As {@link MethodFault}.
   * @param message What went wrong, in words.
   * @param properties The properties of the API’s data object.
   * @param cause What it comes from.
   */
  constructor(message: string, properties: { task: ManagedObjectReference }, cause?: unknown) {
    super(message, properties, cause);
  }
}

/** As the API’s. */
export class Timedout extends VimFault {
  static override readonly type: string = 'Timedout';
}

/** As the API’s. */
export class ConcurrentAccess extends VimFault {
  static override readonly type: string = 'ConcurrentAccess';
}

/** As the API’s. */
export class InsufficientResourcesFault extends VimFault {
  static override readonly type: string = 'InsufficientResourcesFault';
}

/** As the API’s, with `datastore`, `name`. */
export class InvalidDatastore extends VimFault {
  static override readonly type: string = 'InvalidDatastore';
  /** As the API’s. */
  declare readonly datastore?: ManagedObjectReference | undefined;
  /** As the API’s. */
  declare name: string;

  /**
   * As {@link MethodFault}.
   * @param message What went wrong, in words.
   * @param properties The properties of the API’s data object.
   * @param cause What it comes from.
   */
  constructor(
    message: string,
    properties: { datastore?: ManagedObjectReference | undefined; name?: string | undefined } = {},
    cause?: unknown,
  ) {
    super(message, properties, cause);
  }
}

/** As the API’s. */
export class InvalidLocale extends VimFault {
  static override readonly type: string = 'InvalidLocale';
}
