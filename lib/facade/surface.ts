/** What a list of an SDK's functions says of each: exports, coverage table and conformance tests are held to it. */
export type SurfaceEntry = { name: string } & (
  | { status: 'full'; reason?: undefined }
  /** One that is absent is there all the same, and answers as the SDK does for what it has not. */
  | { status: 'partial' | 'absent'; reason: string }
);
