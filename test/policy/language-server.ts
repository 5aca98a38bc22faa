/** A client of the YAML language server that editors use: LSP over its stdin and stdout. */
import { spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';

export type Place = { readonly line: number; readonly character: number };
export type Diagnostic = { readonly message: string; readonly range: { readonly start: Place } };
type Message = { readonly id?: number; readonly method?: string; readonly params?: unknown; readonly result?: unknown; readonly error?: unknown };

/** `main`: what its package exports; the program is beside it. */
const program = fileURLToPath(new URL('../../bin/yaml-language-server', import.meta.resolve('yaml-language-server')));

/** No schema is ever fetched from elsewhere. `schemas`: files that each schema is for, as editors set it; modelines go before. */
type Schemas = Readonly<Record<string, string>>;
const settingsOf = (schemas: Schemas) => ({ yaml: { validate: true, hover: true, completion: true, schemaStore: { enable: false }, schemas } }) as const;

export class LanguageServer {
  readonly #server = spawn(process.execPath, [program, '--stdio'], { stdio: ['pipe', 'pipe', 'inherit'] });
  readonly #answers = new Map<number, (message: Message) => void>();
  readonly #diagnostics = new Map<string, (found: readonly Diagnostic[]) => void>();
  #received = Buffer.alloc(0);
  #requests = 0;

  readonly #settings: ReadonlyMap<string, unknown>;

  constructor(schemas: Schemas) {
    this.#settings = new Map(Object.entries(settingsOf(schemas)));
    this.#server.stdout.on('data', (bytes: Buffer) => {
      this.#received = Buffer.concat([this.#received, bytes]);
      for (let message = this.#next(); message !== null; message = this.#next()) this.#take(message);
    });
  }

  async start(): Promise<void> {
    await this.#ask('initialize', { processId: process.pid, rootUri: null, capabilities: { workspace: { configuration: true }, textDocument: { completion: { completionItem: { snippetSupport: true } } } } });
    this.#send({ method: 'initialized', params: {} });
  }

  /** Opens a document and waits for what is wrong with it. */
  async open(uri: string, text: string): Promise<readonly Diagnostic[]> {
    const found = new Promise<readonly Diagnostic[]>((resolve) => this.#diagnostics.set(uri, resolve));
    this.#send({ method: 'textDocument/didOpen', params: { textDocument: { uri, languageId: 'yaml', version: 1, text } } });
    return found;
  }

  /** The text that an editor shows, or the empty text. */
  async hover(uri: string, position: Place): Promise<string> {
    const { result } = await this.#ask('textDocument/hover', { textDocument: { uri }, position });
    return JSON.stringify(result ?? '');
  }

  /** What is offered at a place. */
  async completion(uri: string, position: Place): Promise<string[]> {
    const { result } = await this.#ask('textDocument/completion', { textDocument: { uri }, position });
    // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- CompletionList of the protocol
    const { items = [] } = (result ?? {}) as { readonly items?: readonly { readonly label: string }[] };
    return items.map(({ label }) => label);
  }

  async stop(): Promise<void> {
    const ended = new Promise((resolve) => this.#server.once('exit', resolve));
    await this.#ask('shutdown', null);
    this.#send({ method: 'exit' });
    await ended;
  }

  async #ask(method: string, params: unknown): Promise<Message> {
    this.#requests += 1;
    const id = this.#requests;
    const answer = new Promise<Message>((resolve) => this.#answers.set(id, resolve));
    this.#send({ id, method, params });
    const message = await answer;
    if (message.error !== undefined) throw new Error(`${method}: ${JSON.stringify(message.error)}`);
    return message;
  }

  #send(message: Message): void {
    const body = JSON.stringify({ jsonrpc: '2.0', ...message });
    this.#server.stdin.write(`Content-Length: ${Buffer.byteLength(body)}\r\n\r\n${body}`);
  }

  #next(): Message | null {
    const end = this.#received.indexOf('\r\n\r\n');
    const [, length] = /Content-Length: (\d+)/.exec(this.#received.subarray(0, Math.max(0, end)).toString()) ?? [];
    const start = end + 4;
    if (length === undefined || this.#received.length < start + Number(length)) return null;
    const body = this.#received.subarray(start, start + Number(length)).toString();
    this.#received = this.#received.subarray(start + Number(length));
    // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- JSON-RPC
    return JSON.parse(body) as Message;
  }

  #take({ id, method, params, ...rest }: Message): void {
    if (method === 'textDocument/publishDiagnostics') {
      // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- PublishDiagnosticsParams of the protocol
      const { uri, diagnostics } = params as { readonly uri: string; readonly diagnostics: readonly Diagnostic[] };
      this.#diagnostics.get(uri)?.(diagnostics);
    } else if (method === 'workspace/configuration' && id !== undefined) {
      // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- ConfigurationParams of the protocol
      const { items } = params as { readonly items: readonly { readonly section: string }[] };
      this.#send({ id, result: items.map(({ section }) => this.#settings.get(section) ?? {}) });
    } else if (method !== undefined && id !== undefined) {
      this.#send({ id, result: null });
    } else if (id !== undefined) {
      this.#answers.get(id)?.({ id, ...rest });
    }
  }
}
