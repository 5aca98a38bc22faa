/** What is written of ids, so that nft takes none of them for a name, is in the way of who reads. */
export const plainIds = (text: string): string => text.replaceAll(/"\t(\d+)"/g, '$1');
