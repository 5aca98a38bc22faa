/** Tasks one after the other, in the order they came. */
export class Lane {
  #last: Promise<unknown> = Promise.resolve();

  /** Runs a task once those before it have ended, however they did. */
  run<T>(task: () => Promise<T>): Promise<T> {
    const result = this.#last.then(task);
    this.#last = result.catch(() => {});
    return result;
  }
}
