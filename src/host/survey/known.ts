/** What was read of the host, or why it could not be: a report says "not checked" rather than guess. */
import { errorCode, messageOf } from '../host-error.ts';

export type Known<T> = { readonly ok: true; readonly value: T } | { readonly ok: false; readonly why: string };

export const known = <T>(value: T): Known<T> => ({ ok: true, value });
export const unknown = (why: string): Known<never> => ({ ok: false, why });

function reason(error: unknown): string {
  const code = errorCode(error);
  return code === 'EACCES' || code === 'EPERM' ? 'only root may look' : messageOf(error);
}

export function attempt<T>(look: () => T): Known<T> {
  try {
    return known(look());
  } catch (error) {
    return unknown(reason(error));
  }
}

/** The same, with something in place of what does not exist. */
export function attemptOr<T, Missing>(missing: Missing, look: () => T): Known<T | Missing> {
  try {
    return known(look());
  } catch (error) {
    const code = errorCode(error);
    return code === 'ENOENT' || code === 'ENOTDIR' ? known(missing) : unknown(reason(error));
  }
}
