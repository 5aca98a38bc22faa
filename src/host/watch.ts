/**
 * Tells that something in some directories may have changed. `fs.watch` alone is not enough: it goes silent when the directory
 * itself is replaced, it cannot watch what is not there yet, and it does not see edits behind symbolic links. So identities
 * are looked at once a second, and watches set anew.
 */
import { type FSWatcher, readdirSync, statSync, watch } from 'node:fs';
import { basename, join } from 'node:path';

const POLL_MILLISECONDS = 1000;
/** A directory that changed that shortly before it was listed may have changed again without another time. */
const TIME_MILLISECONDS = 1000;

type Watched = { watcher: FSWatcher | null; identity: string };

/** Which entries of a directory are links, as it was at that change. */
type Links = { readonly changed: number; readonly listed: number; readonly names: readonly string[]; readonly targets: string };


function identity(path: string): string {
  try {
    const { dev, ino } = statSync(path);
    return `${dev} ${ino}`;
  } catch {
    return '';
  }
}

/** The links in a directory and their targets, as far as these can be told apart from what they were. Ten thousand files that are no links are not looked at every second. */
function linksOf(directory: string, before: Links | undefined): Links {
  try {
    const { mtimeMs: changed } = statSync(directory);
    const known = before !== undefined && before.changed === changed && before.listed - changed > TIME_MILLISECONDS;
    const listed = known ? before.listed : Date.now();
    const names = known ? before.names : readdirSync(directory, { withFileTypes: true }).flatMap((entry) => (entry.isSymbolicLink() ? [entry.name] : []));
    const targets = names.map((name) => {
      const stats = statSync(join(directory, name), { throwIfNoEntry: false });
      return stats === undefined ? name : `${name} ${stats.dev} ${stats.ino} ${stats.size} ${stats.mtimeMs} ${stats.ctimeMs}`;
    });
    return { changed, listed, names, targets: targets.join('\n') };
  } catch {
    return { changed: 0, listed: 0, names: [], targets: '' };
  }
}

/**
 * Calls `changed` after anything happened to an entry of a directory, with its path, or with null where it cannot be told which one;
 * `only` narrows it to entries of those names. Returns how to stop.
 */
export function watchDirectories(directories: readonly string[], changed: (path: string | null) => void, only?: ReadonlySet<string>): () => void {
  const watched = new Map<string, Watched>(directories.map((directory) => [directory, { watcher: null, identity: '' }]));
  const links = new Map<string, Links>();

  function arm(directory: string, state: Watched): void {
    state.watcher?.close();
    state.watcher = null;
    if (state.identity === '') return;
    try {
      state.watcher = watch(directory, { persistent: false }, (_event, name) => {
        // of the directory itself the kernel tells no name, and then it is called by its own
        if (only === undefined || name === null || only.has(name)) changed(name === null || name === basename(directory) ? null : join(directory, name));
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
      const itself = identity(directory);
      if (itself !== state.identity) {
        state.identity = itself;
        arm(directory, state);
        different = true;
      }
      if (only !== undefined) continue;
      const now = linksOf(directory, links.get(directory));
      if (now.targets !== (links.get(directory)?.targets ?? '')) different = true;
      links.set(directory, now);
    }
    if (different && !first) changed(null);
  }

  poll(true);
  const timer = setInterval(() => poll(false), POLL_MILLISECONDS);
  timer.unref();
  return () => {
    clearInterval(timer);
    for (const { watcher } of watched.values()) watcher?.close();
  };
}
