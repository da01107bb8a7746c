// What is used of Node. Live's host takes some of its globals away (fetch, URL, AbortController), so few are named.

declare function require(name: "node:net"): NodeNet;
declare function require(name: "node:fs"): NodeFs;
declare function require(name: "node:path"): NodePath;
declare function require(name: "node:child_process"): NodeChildProcess;
declare function setTimeout(callback: () => void, delay_ms: number): unknown;
declare const console: { log(text: string): void; error(text: string): void };
declare const module: { exports: Record<string, unknown> };
declare const process: { pid: number };

declare class TextEncoder { encode(text: string): Uint8Array }
declare class TextDecoder { decode(bytes: Uint8Array): string }

interface NodeSocket {
  on(event: "connect" | "close", listener: () => void): void;
  on(event: "error", listener: (error: { code?: string }) => void): void;
  on(event: "data", listener: (bytes: Uint8Array) => void): void;
  write(bytes: Uint8Array): boolean;
  destroy(): void;
}
interface NodeNet { connect(options: { host: string; port: number }): NodeSocket }
interface NodeFs {
  readFileSync(path: string, encoding: "utf8"): string;
  copyFileSync(from: string, to: string): void;
  mkdirSync(path: string, options: { recursive: true }): void;
}
interface NodePath { join(...parts: string[]): string }
interface NodeChild { on(event: "error", listener: (error: { code?: string }) => void): void; unref(): void }
interface NodeChildProcess {
  spawn(command: string, args: string[], options: { detached: boolean; stdio: "ignore"; windowsHide: boolean }): NodeChild;
}
