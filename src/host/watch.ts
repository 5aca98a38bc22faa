/**
 * Tells that something in some directories may have changed. `fs.watch` alone is not enough: it goes silent when the directory
 * itself is replaced, it cannot watch what is not there yet, and it does not see edits behind symbolic links. So identities
 * are looked at once a second, and watches set anew.
 */
import { type FSWatcher, lstatSync, readdirSync, statSync, watch } from 'node:fs';
import { join } from 'node:path';

const POLL_MILLISECONDS = 1000;

type Watched = { watcher: FSWatcher | null; identity: string };

function identity(path: string): string {
  try {
    const { dev, ino } = statSync(path);
    return `${dev} ${ino}`;
  } catch {
    return '';
  }
}

/** Targets of the links in a directory, as far as they can be told apart from what they were. */
function linkTargets(directory: string): string {
  try {
    return readdirSync(directory)
      .filter((name) => lstatSync(join(directory, name)).isSymbolicLink())
      .map((name) => {
        const stats = statSync(join(directory, name), { throwIfNoEntry: false });
        return stats === undefined ? name : `${name} ${stats.dev} ${stats.ino} ${stats.size} ${stats.mtimeMs} ${stats.ctimeMs}`;
      })
      .join('\n');
  } catch {
    return '';
  }
}

/**
 * Calls `changed` after anything happened to an entry of a directory; `only` narrows it to entries of those names.
 * Returns how to stop.
 */
export function watchDirectories(directories: readonly string[], changed: () => void, only?: ReadonlySet<string>): () => void {
  const watched = new Map<string, Watched>(directories.map((directory) => [directory, { watcher: null, identity: '' }]));
  const links = new Map<string, string>();

  function arm(directory: string, state: Watched): void {
    state.watcher?.close();
    state.watcher = null;
    if (state.identity === '') return;
    try {
      state.watcher = watch(directory, { persistent: false }, (_event, name) => {
        if (only === undefined || name === null || only.has(name)) changed();
      });
      state.watcher.on('error', () => {
        state.identity = '';
      });
    } catch {
      state.identity = ''; // out of watches or descriptors: tried again at the next poll
    }
  }

  function poll(first: boolean): void {
    let different = false;
    for (const [directory, state] of watched) {
      const now = identity(directory);
      if (now !== state.identity) {
        state.identity = now;
        arm(directory, state);
        different = true;
      }
      if (only !== undefined) continue;
      const targets = linkTargets(directory);
      if (targets !== (links.get(directory) ?? '')) different = true;
      links.set(directory, targets);
    }
    if (different && !first) changed();
  }

  poll(true);
  const timer = setInterval(() => poll(false), POLL_MILLISECONDS);
  timer.unref();
  return () => {
    clearInterval(timer);
    for (const { watcher } of watched.values()) watcher?.close();
  };
}
