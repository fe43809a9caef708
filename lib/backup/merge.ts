/** stub */
export const MERGE_NAME = 'merge.json';
export async function finishMerge(_folder: string): Promise<void> {}
