/** Header blocks to headers: HPACK (RFC 7541), the decoding half, with what an attacker could make of it limited. */
import { ConnectionError, H2 } from "./frames.js";
import { huffmanDecode } from "./huffman.js";
import { STATIC_TABLE } from "./static-table.js";

export type Header = readonly [name: string, value: string];

export interface HeaderBlock {
  readonly headers: readonly Header[];
  /** More than `maxListBytes` of headers: those beyond are not in `headers`. */
  readonly isTooLarge: boolean;
  /** Set by who has looked whether they are those of a request. */
  isRequest?: boolean;
}

/** What an entry costs besides its texts, as the RFC counts it. */
const ENTRY_OVERHEAD = 32;
/** Blocks kept with what they decode to: those of the calls that a client makes again and again. */
const CACHED_BLOCKS = 64;
const MAX_CACHED_BLOCK_BYTES = 512;

/** One direction of one connection. Throws ConnectionError, after which the connection is of no more use. */
export class HpackDecoder {
  private readonly dynamic: Header[] = [];
  private dynamicBytes = 0;
  private tableLimit: number;
  /** Valid for the dynamic table as it is. */
  private readonly cache = new Map<string, HeaderBlock>();
  private bytes: Buffer = Buffer.alloc(0);
  private at = 0;

  /**
   * @param maxTableBytes What SETTINGS_HEADER_TABLE_SIZE says to the peer; HTTP/2's own default is 4096.
   * @param maxListBytes The most that the headers of a block may have, each with 32 bytes added.
   */
  constructor(
    private readonly maxTableBytes: number,
    private readonly maxListBytes: number,
  ) {
    this.tableLimit = maxTableBytes;
  }

  decode(block: Buffer): HeaderBlock {
    if (block.length > MAX_CACHED_BLOCK_BYTES) return this.decodeNew(block);
    const key = block.toString("latin1");
    const known = this.cache.get(key);
    if (known !== undefined) return known;
    const before = this.dynamicBytes;
    const first = this.dynamic[0];
    const decoded = this.decodeNew(block);
    // One that changed the table would mean something else the next time.
    if (this.dynamicBytes === before && this.dynamic[0] === first) this.keep(key, decoded);
    return decoded;
  }

  private keep(key: string, decoded: HeaderBlock): void {
    if (this.cache.size >= CACHED_BLOCKS) this.cache.clear();
    this.cache.set(key, decoded);
  }

  private decodeNew(block: Buffer): HeaderBlock {
    this.bytes = block;
    this.at = 0;
    const headers: Header[] = [];
    let listBytes = 0;
    while (this.at < block.length) {
      const header = this.next(headers.length > 0);
      if (header === undefined) continue;
      listBytes += header[0].length + header[1].length + ENTRY_OVERHEAD;
      if (listBytes <= this.maxListBytes) headers.push(header);
    }
    return { headers, isTooLarge: listBytes > this.maxListBytes };
  }

  /** The next header, or undefined after a change of the table's size. */
  private next(isAfterHeader: boolean): Header | undefined {
    const byte = this.bytes[this.at] ?? 0;
    if (byte & 0x80) return this.entry(this.integer(7));
    if (byte & 0x40) return this.insert(this.literal(6));
    if ((byte & 0xe0) !== 0x20) return this.literal(4);
    if (isAfterHeader) throw broken("the table's size changes in the middle of a block");
    this.resize(this.integer(5));
    return undefined;
  }

  private literal(prefixBits: number): Header {
    const index = this.integer(prefixBits);
    const name = index === 0 ? this.string() : this.entry(index)[0];
    return [name, this.string()];
  }

  private entry(index: number): Header {
    const entry =
      index <= STATIC_TABLE.length ? STATIC_TABLE[index - 1] : this.dynamic[index - STATIC_TABLE.length - 1];
    if (entry === undefined) throw broken(`there is no entry ${index}`);
    return entry;
  }

  private insert(header: Header): Header {
    this.cache.clear();
    const size = header[0].length + header[1].length + ENTRY_OVERHEAD;
    this.evict(this.tableLimit - size);
    // One that is larger than the table empties it, which is no error.
    if (size <= this.tableLimit) {
      this.dynamic.unshift(header);
      this.dynamicBytes += size;
    }
    return header;
  }

  private resize(limit: number): void {
    if (limit > this.maxTableBytes) throw broken(`a table of ${limit} bytes, ${this.maxTableBytes} are allowed`);
    this.cache.clear();
    this.tableLimit = limit;
    this.evict(limit);
  }

  private evict(limit: number): void {
    while (this.dynamicBytes > limit) {
      const oldest = this.dynamic.pop();
      if (oldest === undefined) return;
      this.dynamicBytes -= oldest[0].length + oldest[1].length + ENTRY_OVERHEAD;
    }
  }

  private integer(prefixBits: number): number {
    const mask = (1 << prefixBits) - 1;
    let value = this.byte() & mask;
    if (value < mask) return value;
    for (let shift = 0; shift <= 21; shift += 7) {
      const byte = this.byte();
      value += (byte & 0x7f) << shift;
      if ((byte & 0x80) === 0) return value;
    }
    throw broken("an integer of more than 28 bits");
  }

  private string(): string {
    const isHuffman = ((this.bytes[this.at] ?? 0) & 0x80) !== 0;
    const length = this.integer(7);
    const start = this.at;
    const end = start + length;
    if (end > this.bytes.length) throw broken("a string that ends after its block");
    this.at = end;
    if (!isHuffman) return this.bytes.toString("latin1", start, end);
    const text = huffmanDecode(this.bytes, start, end);
    if (text === undefined) throw broken("a string that is no Huffman code");
    return text;
  }

  private byte(): number {
    const byte = this.bytes[this.at++];
    if (byte === undefined) throw broken("a block that ends too early");
    return byte;
  }
}

function broken(what: string): ConnectionError {
  return new ConnectionError(H2.COMPRESSION_ERROR, `header compression: ${what}`);
}
