/** OSC 1.0 messages as bytes, and their SLIP frames in a TCP stream. */
namespace bridge {
  export type Argument = string | number;
  export interface Message { address: string; args: (Argument | bigint | boolean | null)[] }

  const END = 0xc0, ESCAPE = 0xdb, ESCAPED_END = 0xdc, ESCAPED_ESCAPE = 0xdd;
  const MAX_FRAME_BYTES = 1 << 20;
  const text_encoder = new TextEncoder();
  const text_decoder = new TextDecoder();

  /** Return a message as bytes; tags names the type of each argument: s, i or f. */
  export function encode(address: string, tags: string, args: Argument[]): Uint8Array {
    const parts = [padded(address), padded(`,${tags}`)];
    args.forEach((argument, index) => parts.push(encoded(tags[index], argument)));
    return joined(parts);
  }

  function encoded(tag: string, argument: Argument): Uint8Array {
    if (tag === "s") return padded(String(argument));
    const view = new DataView(new ArrayBuffer(4));
    if (tag === "i") view.setInt32(0, Number(argument));
    else view.setFloat32(0, Number(argument));
    return new Uint8Array(view.buffer);
  }

  function padded(text: string): Uint8Array {
    const bytes = text_encoder.encode(text);
    const whole = new Uint8Array((bytes.length >> 2 << 2) + 4);
    whole.set(bytes);
    return whole;
  }

  function joined(parts: Uint8Array[]): Uint8Array {
    const whole = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
    let offset = 0;
    for (const part of parts) {
      whole.set(part, offset);
      offset += part.length;
    }
    return whole;
  }

  /** Return the message of a packet; throws a RangeError where it ends too early. */
  export function decode(packet: Uint8Array): Message {
    const reader = new Reader(packet);
    const address = reader.text();
    const tags = reader.text();
    return { address, args: [...tags.slice(1)].map((tag) => reader.argument(tag)) };
  }

  class Reader {
    private offset = 0;
    private readonly view: DataView;

    constructor(private readonly bytes: Uint8Array) {
      this.view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    }

    text(): string {
      const end = this.bytes.indexOf(0, this.offset);
      if (end < 0) throw new RangeError("a text without end");
      const text = text_decoder.decode(this.bytes.subarray(this.offset, end));
      this.offset = (end >> 2 << 2) + 4;
      return text;
    }

    argument(tag: string): Argument | bigint | boolean | null {
      switch (tag) {
        case "s": case "S": return this.text();
        case "i": return this.view.getInt32(this.advance(4));
        case "f": return this.view.getFloat32(this.advance(4));
        case "h": return this.view.getBigInt64(this.advance(8));
        case "d": return this.view.getFloat64(this.advance(8));
        case "T": return true;
        case "F": return false;
        case "N": return null;
        default: throw new RangeError(`an argument of type ${tag}`);
      }
    }

    private advance(count: number): number {
      this.offset += count;
      return this.offset - count;
    }
  }

  /** Return a packet as a SLIP frame, with an END on both sides. */
  export function framed(packet: Uint8Array): Uint8Array {
    const bytes = [END];
    for (const byte of packet) {
      if (byte === END) bytes.push(ESCAPE, ESCAPED_END);
      else if (byte === ESCAPE) bytes.push(ESCAPE, ESCAPED_ESCAPE);
      else bytes.push(byte);
    }
    bytes.push(END);
    return Uint8Array.from(bytes);
  }

  /** The packets of a stream of SLIP frames, however it is cut; what is too long is dropped. */
  export class FrameDecoder {
    private bytes: number[] = [];
    private is_escaped = false;
    private is_too_long = false;

    feed(data: Uint8Array): Uint8Array[] {
      const packets: Uint8Array[] = [];
      for (const byte of data) {
        if (byte === END) this.end(packets);
        else if (byte === ESCAPE) this.is_escaped = true;
        else this.add(byte);
      }
      return packets;
    }

    private add(byte: number): void {
      const meant = !this.is_escaped ? byte : byte === ESCAPED_END ? END : byte === ESCAPED_ESCAPE ? ESCAPE : byte;
      this.is_escaped = false;
      if (this.bytes.length < MAX_FRAME_BYTES) this.bytes.push(meant);
      else this.is_too_long = true;
    }

    private end(packets: Uint8Array[]): void {
      if (this.bytes.length && !this.is_too_long) packets.push(Uint8Array.from(this.bytes));
      this.bytes = [];
      this.is_escaped = this.is_too_long = false;
    }
  }
}
