/** What this kernel can do, found out by trying: distributions bring later features into earlier versions. */
import { askInteractive } from './nft-child.ts';

/**
 * Whether an element that exists takes a new timeout when it is added again; from Linux 6.12 on. Before, the kernel says nothing and keeps the old one.
 * False as well where it cannot be tried: removing and adding does it everywhere, only the element's counter begins anew.
 */
export async function renewsTimeouts(nft: string, table: string): Promise<boolean> {
  const set = `inet ${table}_try timed`;
  const script = [
    // it goes with the process that owns it
    `add table inet ${table}_try { flags owner; }; add set ${set} { type inet_service; flags timeout; }; add element ${set} { 1 timeout 1h }`,
    `add element ${set} { 1 timeout 2h }`,
    `list set ${set}`,
  ];
  const { stdout, failed } = await askInteractive(nft, script);
  return !failed && /\b1 timeout 2h\b/.test(stdout);
}
