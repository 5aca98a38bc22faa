export type Deferred = { readonly soon: () => void; readonly now: () => Promise<void> };

/** Runs a task some time after it was last asked for, once however often it was; or at once, after the one under way. */
export function deferred(milliseconds: number, task: () => Promise<void>): Deferred {
  let timer: NodeJS.Timeout | null = null;
  let last = Promise.resolve();
  const now = () => {
    if (timer !== null) clearTimeout(timer);
    timer = null;
    last = last.then(task);
    return last;
  };
  return {
    soon: () => {
      timer ??= setTimeout(() => void now(), milliseconds).unref();
    },
    now,
  };
}
