/**
 * A failure of the world outside: a program, a file, a socket. Caught in one place, where it becomes back-off and a degraded
 * state; everything else that is thrown is a bug and ends the process, with the wall standing.
 */
export class HostError extends Error {
  /** What was being done, e.g. `nft apply`. */
  readonly operation: string;
  /** True: the other side answered with a refusal, so nothing was changed. False: nobody knows how far it came. */
  readonly refused: boolean;

  constructor(operation: string, message: string, options: { readonly cause?: unknown; readonly refused?: boolean } = {}) {
    super(`${operation}: ${message}`, { cause: options.cause });
    this.name = 'HostError';
    this.operation = operation;
    this.refused = options.refused ?? false;
  }
}

/** The code of a system error, e.g. ENOENT; null for anything else. */
export function errorCode(error: unknown): string | null {
  return error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : null;
}

/** The message of anything that was thrown, for a log or an answer. */
export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
