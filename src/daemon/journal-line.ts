/** A log entry as systemd-journald takes it from standard output (sd-daemon(3)): its priority, the message, and `key=value`; the journal has the time. */

const PRIORITY: Readonly<Record<string, number>> = { trace: 7, debug: 7, info: 6, warn: 4, error: 3, fatal: 2 };

const isWord = (value: unknown): value is string => typeof value === 'string' && /^[\w.:/@%+-]+$/.test(value);

function written(value: unknown): string {
  if (Array.isArray(value) && value.length > 0 && value.every(isWord)) return value.join(',');
  return isWord(value) ? value : JSON.stringify(value);
}

/** `line`: an object of pino's, with `level` and `msg`. One line comes of it, whatever is in the values. */
export function journalLine(line: string): string {
  const { level, msg, err, ...fields }: Readonly<Record<string, unknown>> = JSON.parse(line);
  // what went wrong is read like a sentence
  const message = [msg, ...(err === undefined ? [] : [err])].map(String).join(': ').replaceAll(/\s*\n\s*/g, ' | ');
  return `<${PRIORITY[String(level)] ?? 6}>${[message, ...Object.entries(fields).map(([key, value]) => `${key}=${written(value)}`)].join(' ')}\n`;
}
