/** The whole of a terminal for a while: put back as it was found, however this ends. */
import { writeSync } from 'node:fs';

const ENTER = '\u001B[?1049h\u001B[?25l';
const LEAVE = '\u001B[?25h\u001B[?1049l';
const HOME = '\u001B[H';
const REST_OF_LINE = '\u001B[K';
const REST_OF_SCREEN = '\u001B[J';
const ENDING = ['SIGINT', 'SIGTERM', 'SIGHUP', 'SIGQUIT'] as const;
const SIGNAL_NUMBERS: Readonly<Record<string, number>> = { SIGHUP: 1, SIGINT: 2, SIGQUIT: 3, SIGTERM: 15 };

export type ScreenEvents = {
  readonly key: (key: string) => void;
  /** The terminal has another size, or it is ours again. */
  readonly redraw: () => void;
};

/** Ctrl-Z, which a terminal in raw mode does not make a signal of. */
const SUSPEND = '\u001A';

export class Screen {
  readonly #events: ScreenEvents;
  #ours = false;

  constructor(events: ScreenEvents) {
    this.#events = events;
    this.#take();
    process.on('exit', this.#leave);
    // what Node says of an error that nobody catches would otherwise go with the screen
    process.on('uncaughtExceptionMonitor', this.#leave);
    for (const signal of ENDING) process.on(signal, this.#end);
    process.on('SIGCONT', this.#resume);
    process.stdout.on('resize', events.redraw);
    if (process.stdin.isTTY) process.stdin.setEncoding('utf8').on('data', this.#read).resume();
  }

  readonly #end = (signal: NodeJS.Signals): void => {
    // asked to end by its user it did what it was asked
    process.exit(signal === 'SIGINT' ? 0 : 128 + (SIGNAL_NUMBERS[signal] ?? 0));
  };

  readonly #read = (keys: string): void => {
    for (const key of keys) {
      if (key === '\u0003') this.#end('SIGINT');
      else if (key === SUSPEND) this.#suspend();
      else this.#events.key(key);
    }
  };

  #suspend(): void {
    this.#leave();
    process.kill(process.pid, 'SIGSTOP');
  }

  readonly #resume = (): void => {
    this.#take();
    this.#events.redraw();
  };

  #take(): void {
    if (this.#ours) return;
    this.#ours = true;
    if (process.stdin.isTTY) process.stdin.setRawMode(true);
    write(ENTER);
  }

  readonly #leave = (): void => {
    if (!this.#ours) return;
    this.#ours = false;
    if (process.stdin.isTTY) process.stdin.setRawMode(false);
    write(LEAVE);
  };

  /** In place of what was shown before, without flicker. */
  draw(text: string): void {
    if (this.#ours) write(`${HOME}${text.split('\n').join(`${REST_OF_LINE}\n`)}${REST_OF_LINE}${REST_OF_SCREEN}`);
  }

  close(): void {
    this.#leave();
    process.off('exit', this.#leave).off('uncaughtExceptionMonitor', this.#leave).off('SIGCONT', this.#resume);
    for (const signal of ENDING) process.off(signal, this.#end);
    process.stdout.off('resize', this.#events.redraw);
    process.stdin.off('data', this.#read).pause();
  }
}

/** At once, so that it is done when the process ends. */
function write(text: string): void {
  try {
    writeSync(1, text);
  } catch {
    // EIO, EPIPE: a SIGHUP is under way; EAGAIN: the next draw says it all
  }
}
