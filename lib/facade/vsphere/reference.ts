/** What names an object, over the wire and in data. */

/** Names an object of the service, such as `{ type: 'VirtualMachine', value: 'vm-1' }`. */
export interface ManagedObjectReference {
  /** Name of its class in the API. */
  readonly type: string;
  /** Value of its reference. */
  readonly value: string;
}
