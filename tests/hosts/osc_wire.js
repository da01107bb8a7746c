// OSC 1.0 messages as bytes, for models of hosts; nothing of the service's own code.
"use strict";

function padded(text) {
    const bytes = Buffer.from(text, "utf8");
    return Buffer.concat([bytes, Buffer.alloc(4 - (bytes.length % 4))]);
}

function encoded(value) {
    if (typeof value === "string") return ["s", padded(value)];
    if (typeof value === "boolean") return [value ? "T" : "F", Buffer.alloc(0)];
    if (Number.isInteger(value)) {
        const bytes = Buffer.alloc(4);
        bytes.writeInt32BE(value);
        return ["i", bytes];
    }
    const bytes = Buffer.alloc(8);
    bytes.writeDoubleBE(value);
    return ["d", bytes];
}

function float32(value) {
    const bytes = Buffer.alloc(4);
    bytes.writeFloatBE(value);
    return ["f", bytes];
}

// encode turns one argument into its tag and its bytes; hosts differ in which numbers they send.
function encodeMessage(address, args, encode = encoded) {
    const parts = args.map(encode);
    const tags = "," + parts.map((part) => part[0]).join("");
    return Buffer.concat([padded(address), padded(tags), ...parts.map((part) => part[1])]);
}

class Reader {
    constructor(bytes) {
        this.bytes = bytes;
        this.at = 0;
    }
    text() {
        const end = this.bytes.indexOf(0, this.at);
        const text = this.bytes.toString("utf8", this.at, end);
        this.at = end + 4 - ((end - this.at) % 4) ;
        return text;
    }
    take(size) {
        this.at += size;
        return this.at - size;
    }
}

const READERS = {
    s: (reader) => reader.text(),
    i: (reader) => reader.bytes.readInt32BE(reader.take(4)),
    h: (reader) => Number(reader.bytes.readBigInt64BE(reader.take(8))),
    f: (reader) => reader.bytes.readFloatBE(reader.take(4)),
    d: (reader) => reader.bytes.readDoubleBE(reader.take(8)),
    T: () => true,
    F: () => false,
    N: () => null,
};

function decodeMessage(bytes) {
    const reader = new Reader(bytes);
    const address = reader.text();
    const tags = reader.text().slice(1);
    return { address, tags, args: [...tags].map((tag) => READERS[tag](reader)) };
}

module.exports = { encodeMessage, decodeMessage, float32, encoded };
