/**
 * What tells our texts apart for the compiler. Each is a string and takes any string; but one that the library gave as one kind does not
 * compile where another kind is asked for: no epoch as a point in time, no point as a disk. That a text from elsewhere is what it is taken
 * for is seen where it is read: by every call, and by `pointId` and `changeId` before one is made.
 */
declare const kind: unique symbol;

/** A point in time (`pit`): its UUID, RFC 4122 text, lower case; the id of the session that took it too. */
export type PointId = string & { readonly [kind]?: 'PointId' };

/** The unbroken history of a disk (`epoch`): a UUID, RFC 4122 text, lower case. */
export type Epoch = string & { readonly [kind]?: 'Epoch' };

/** A point in time of one history (`changeId`) in VMware's form: the epoch, a slash, a number. */
export type ChangeId = string & { readonly [kind]?: 'ChangeId' };

/** A bitmap, by its exact name. */
export type BitmapName = string & { readonly [kind]?: 'BitmapName' };

/** Whatever names a point in time in a question: PIT, changeId, exact name of a bitmap, `checkpoint:<name>` of libvirt's; `*` as the earlier one. */
export type PointName = string & { readonly [kind]?: 'PointId' | 'ChangeId' | 'BitmapName' };

/** What a disk is called, in calls and answers; of an image that is nobody's, its path. */
export type DiskName = string & { readonly [kind]?: 'DiskName' };
