/** The service of DAW Bridge, asked over TCP; found, started where none runs, and found again when it was lost. */
namespace bridge {
  /** Something a musician should read: one sentence, and what to do about it. */
  export class Refusal extends Error {
    constructor(message: string, readonly hint = "", readonly code = "") {
      super(message);
    }
  }

  export interface Installed {
    /** What starts the service, e.g. ["/opt/venv/bin/python", "-P", "-m", "daw_bridge"]. */
    command: string[];
    /** The folder in which a running service says where it is. */
    runtime: string;
  }

  const ROOT = "/ldm/1/";
  const USUAL_PORT = 9000;
  const START_MS = 30_000, HELLO_MS = 5_000, ANSWER_MS = 30_000, AGAIN_MS = 200;
  const PROTOCOL = 1;
  const IDLE_S = "600";

  interface Asked { resolve(message: Message): void; reject(error: Error): void }
  /** pid is that of the service whose place it is; 0 where nobody knows. */
  interface Place { host: string; port: number; token: string; pid: number }

  export class Service {
    private connection: Connection | null = null;
    private rids = 0;
    private readonly name: string;

    constructor(private readonly installed: Installed) {
      this.name = `live-extension-${process.pid}-${Math.random().toString(36).slice(2, 10)}`;
    }

    /**
     * Send a request and return what its answer tells.
     *
     * A request that got no answer because the connection was lost is sent again under the same rid, so it is
     * carried out once. Throws a Refusal with the service's own sentence, or one that says how to start it.
     */
    async ask(request: string, tags: string, ...args: Argument[]): Promise<Message["args"]> {
      const rid = `e${++this.rids}`;
      const packet = encode(ROOT + request, `s${tags}`, [rid, ...args]);
      for (let tries = 0; ; tries++) {
        try {
          const connection = await this.connected();
          return answered(await connection.ask(rid, packet, ANSWER_MS));
        } catch (error) {
          if (!(error instanceof Lost) || tries === 2) throw told(error);
        }
      }
    }

    close(): void {
      this.connection?.close();
      this.connection = null;
    }

    private async connected(): Promise<Connection> {
      if (this.connection?.is_open) return this.connection;
      const deadline_ms = Date.now() + START_MS;
      let has_started = false;
      while (Date.now() < deadline_ms) {
        const connection = await this.greeted();
        if (connection) return (this.connection = connection);
        if (!has_started) this.start();
        has_started = true;
        await later(AGAIN_MS);
      }
      throw new Refusal("DAW Bridge does not answer.", "Start it in a terminal: daw-bridge serve");
    }

    private async greeted(): Promise<Connection | null> {
      const place = this.place();
      const connection = place && (await Connection.open(place));
      if (!place || !connection) return null;
      try {
        const hello = encode(`${ROOT}hello`, "ssis", ["e0", this.name, PROTOCOL, place.token]);
        const [, , pid] = answered(await connection.ask("e0", hello, HELLO_MS));
        if (!place.pid || place.pid === pid) return connection;
      } catch (error) {
        if (error instanceof Refusal) {
          connection.close();
          throw error;
        }
      }
      // Somebody else has the port of a service that is gone.
      connection.close();
      return null;
    }

    /** Return where the service should be; null where none runs. */
    private place(): Place | null {
      const fs = require("node:fs");
      try {
        const path = require("node:path").join(this.installed.runtime, "service.json");
        const info = JSON.parse(fs.readFileSync(path, "utf8"));
        const token = info.token_file ? fs.readFileSync(info.token_file, "utf8").trim() : "";
        return { host: "127.0.0.1", port: info.tcp_port, token, pid: info.pid };
      } catch (error) {
        if ((error as { code?: string }).code === "ENOENT") return null;
        // Live may keep an extension from reading there; the usual port is the service's where it was free.
        return { host: "127.0.0.1", port: USUAL_PORT, token: "", pid: 0 };
      }
    }

    private start(): void {
      const [program, ...args] = this.installed.command;
      try {
        const options = { detached: true, stdio: "ignore" as const, windowsHide: true };
        const child = require("node:child_process").spawn(program, [...args, "serve", "--idle", IDLE_S], options);
        child.on("error", (error) => console.error(`DAW Bridge: ${program} does not start (${error.code})`));
        child.unref();
      } catch (error) {
        console.error(`DAW Bridge: Live does not let ${program} start (${error})`);
      }
    }
  }

  class Lost extends Error {}

  class Connection {
    is_open = true;
    private readonly waiting = new Map<string, Asked>();
    private readonly decoder = new FrameDecoder();

    private constructor(private readonly socket: NodeSocket) {
      socket.on("data", (bytes) => this.hear(bytes));
      socket.on("close", () => this.lose());
    }

    /** Return a connection, or null where nothing listens. */
    static open(place: Place): Promise<Connection | null> {
      return new Promise((resolve) => {
        const socket = require("node:net").connect({ host: place.host, port: place.port });
        socket.on("error", () => resolve(null));
        socket.on("connect", () => resolve(new Connection(socket)));
      });
    }

    ask(rid: string, packet: Uint8Array, patience_ms: number): Promise<Message> {
      return new Promise((resolve, reject) => {
        if (!this.is_open) return reject(new Lost());
        this.waiting.set(rid, { resolve, reject });
        this.socket.write(framed(packet));
        setTimeout(() => this.give_up(rid), patience_ms);
      });
    }

    close(): void {
      this.socket.destroy();
      this.lose();
    }

    private hear(bytes: Uint8Array): void {
      for (const packet of this.decoder.feed(bytes)) {
        const message = decode(packet);
        const rid = String(message.args[0]);
        // Events of jobs begin with a number, and no request has such a rid.
        this.waiting.get(rid)?.resolve(message);
        this.waiting.delete(rid);
      }
    }

    private give_up(rid: string): void {
      const asked = this.waiting.get(rid);
      if (asked) {
        this.waiting.delete(rid);
        asked.reject(new Lost());
        this.close();
      }
    }

    private lose(): void {
      this.is_open = false;
      for (const asked of this.waiting.values()) asked.reject(new Lost());
      this.waiting.clear();
    }
  }

  function answered(message: Message): Message["args"] {
    // done repeats the request after the rid.
    if (message.address === `${ROOT}done`) return message.args.slice(2);
    if (message.address !== `${ROOT}fail`) return message.args.slice(1);
    const [code, sentence, hint] = message.args.slice(1).map(String);
    throw new Refusal(sentence, hint ?? "", code);
  }

  function told(error: unknown): Error {
    if (!(error instanceof Lost)) return error as Error;
    return new Refusal("The connection to DAW Bridge was lost.", "Try again; takes that were made are kept.");
  }

  export function later(delay_ms: number): Promise<void> {
    return new Promise((resolve) => setTimeout(resolve, delay_ms));
  }
}
