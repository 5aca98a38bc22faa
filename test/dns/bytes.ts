/** DNS messages octet by octet: well-formed ones, and any other. */

export const u16 = (value: number): Buffer => Buffer.from([(value >> 8) & 0xff, value & 0xff]);
export const u32 = (value: number): Buffer => Buffer.concat([u16(Math.floor(value / 65536)), u16(value % 65536)]);

/** Labels as they are, whatever is in them. */
export const labels = (...parts: readonly (string | Uint8Array)[]): Buffer =>
  Buffer.concat([...parts.flatMap((part) => [Buffer.from([part.length]), Buffer.from(part)]), Buffer.from([0])]);
export const name = (text: string): Buffer => (text === '.' || text === '' ? Buffer.from([0]) : labels(...text.split('.')));
export const pointer = (offset: number): Buffer => u16(0xc000 | offset);
/** The question's name, which stands right behind the header. */
export const QNAME = pointer(12);

export const ipv4 = (text: string): Buffer => Buffer.from(text.split('.').map(Number));
export function ipv6(text: string): Buffer {
  const [head = '', tail = ''] = text.split('::');
  const words = (part: string) => (part === '' ? [] : part.split(':').map((word) => Number.parseInt(word, 16)));
  const [first, last] = [words(head), words(tail)];
  return Buffer.concat([...first, ...Array.from({ length: 8 - first.length - last.length }, () => 0), ...last].map(u16));
}

export const record = (owner: Buffer, type: number, data: Uint8Array, { ttl = 60, klass = 1, length = data.length }: { readonly ttl?: number; readonly klass?: number; readonly length?: number } = {}): Buffer =>
  Buffer.concat([owner, u16(type), u16(klass), u32(ttl), u16(length), data]);
export const a = (address: string, owner = QNAME, ttl = 60): Buffer => record(owner, 1, ipv4(address), { ttl });
export const aaaa = (address: string, owner = QNAME, ttl = 60): Buffer => record(owner, 28, ipv6(address), { ttl });
export const cname = (owner: Buffer, target: Buffer, ttl = 60): Buffer => record(owner, 5, target, { ttl });
export const soa = (owner: Buffer, minimum = 60): Buffer => record(owner, 6, Buffer.concat([name('ns.example'), name('admin.example'), u32(1), u32(2), u32(3), u32(4), u32(minimum)]));

type Params = readonly (readonly [key: number, value: Uint8Array])[];
/** HTTPS and SVCB data. */
export const svcb = (priority: number, target: Buffer, params: Params): Buffer => Buffer.concat([u16(priority), target, ...params.flatMap(([key, value]) => [u16(key), u16(value.length), value])]);

export type Sections = {
  readonly id?: number;
  readonly flags?: number;
  readonly question?: Uint8Array;
  readonly answers?: readonly Uint8Array[];
  readonly authorities?: readonly Uint8Array[];
  readonly additionals?: readonly Uint8Array[];
  /** Counts that lie, by section. */
  readonly counts?: readonly [question: number, answers: number, authorities: number, additionals: number];
};

export function message({ id = 0, flags = 0x8180, question = Buffer.alloc(0), answers = [], authorities = [], additionals = [], counts }: Sections): Buffer {
  const [one, two, three, four] = counts ?? [question.length > 0 ? 1 : 0, answers.length, authorities.length, additionals.length];
  return Buffer.concat([u16(id), u16(flags), u16(one), u16(two), u16(three), u16(four), question, ...answers, ...authorities, ...additionals]);
}

export const questionOf = (owner: Buffer, type: number, klass = 1): Buffer => Buffer.concat([owner, u16(type), u16(klass)]);
export const opt = ({ payload = 1232, version = 0, dnssecOk = false, options = Buffer.alloc(0) }: { readonly payload?: number; readonly version?: number; readonly dnssecOk?: boolean; readonly options?: Uint8Array } = {}): Buffer =>
  Buffer.concat([Buffer.from([0]), u16(41), u16(payload), Buffer.from([0, version]), u16(dnssecOk ? 0x8000 : 0), u16(options.length), options]);

/** A query as a stub resolver sends it. */
export const query = (owner: Buffer, type = 1, more: Sections & { readonly edns?: boolean; readonly klass?: number } = {}): Buffer =>
  message({ id: 0x1234, flags: 0x0100, question: questionOf(owner, type, more.klass), ...(more.edns === false ? {} : { additionals: [opt()] }), ...more });
