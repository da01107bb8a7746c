"use strict";
/** OSC 1.0 messages as bytes, and their SLIP frames in a TCP stream. */
var bridge;
(function (bridge) {
    const END = 0xc0, ESCAPE = 0xdb, ESCAPED_END = 0xdc, ESCAPED_ESCAPE = 0xdd;
    const MAX_FRAME_BYTES = 1 << 20;
    const text_encoder = new TextEncoder();
    const text_decoder = new TextDecoder();
    /** Return a message as bytes; tags names the type of each argument: s, i or f. */
    function encode(address, tags, args) {
        const parts = [padded(address), padded(`,${tags}`)];
        args.forEach((argument, index) => parts.push(encoded(tags[index], argument)));
        return joined(parts);
    }
    bridge.encode = encode;
    function encoded(tag, argument) {
        if (tag === "s")
            return padded(String(argument));
        const view = new DataView(new ArrayBuffer(4));
        if (tag === "i")
            view.setInt32(0, Number(argument));
        else
            view.setFloat32(0, Number(argument));
        return new Uint8Array(view.buffer);
    }
    function padded(text) {
        const bytes = text_encoder.encode(text);
        const whole = new Uint8Array((bytes.length >> 2 << 2) + 4);
        whole.set(bytes);
        return whole;
    }
    function joined(parts) {
        const whole = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
        let offset = 0;
        for (const part of parts) {
            whole.set(part, offset);
            offset += part.length;
        }
        return whole;
    }
    /** Return the message of a packet; throws a RangeError where it ends too early. */
    function decode(packet) {
        const reader = new Reader(packet);
        const address = reader.text();
        const tags = reader.text();
        return { address, args: [...tags.slice(1)].map((tag) => reader.argument(tag)) };
    }
    bridge.decode = decode;
    class Reader {
        constructor(bytes) {
            this.bytes = bytes;
            this.offset = 0;
            this.view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
        }
        text() {
            const end = this.bytes.indexOf(0, this.offset);
            if (end < 0)
                throw new RangeError("a text without end");
            const text = text_decoder.decode(this.bytes.subarray(this.offset, end));
            this.offset = (end >> 2 << 2) + 4;
            return text;
        }
        argument(tag) {
            switch (tag) {
                case "s":
                case "S": return this.text();
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
        advance(count) {
            this.offset += count;
            return this.offset - count;
        }
    }
    /** Return a packet as a SLIP frame, with an END on both sides. */
    function framed(packet) {
        const bytes = [END];
        for (const byte of packet) {
            if (byte === END)
                bytes.push(ESCAPE, ESCAPED_END);
            else if (byte === ESCAPE)
                bytes.push(ESCAPE, ESCAPED_ESCAPE);
            else
                bytes.push(byte);
        }
        bytes.push(END);
        return Uint8Array.from(bytes);
    }
    bridge.framed = framed;
    /** The packets of a stream of SLIP frames, however it is cut; what is too long is dropped. */
    class FrameDecoder {
        constructor() {
            this.bytes = [];
            this.is_escaped = false;
            this.is_too_long = false;
        }
        feed(data) {
            const packets = [];
            for (const byte of data) {
                if (byte === END)
                    this.end(packets);
                else if (byte === ESCAPE)
                    this.is_escaped = true;
                else
                    this.add(byte);
            }
            return packets;
        }
        add(byte) {
            const meant = !this.is_escaped ? byte : byte === ESCAPED_END ? END : byte === ESCAPED_ESCAPE ? ESCAPE : byte;
            this.is_escaped = false;
            if (this.bytes.length < MAX_FRAME_BYTES)
                this.bytes.push(meant);
            else
                this.is_too_long = true;
        }
        end(packets) {
            if (this.bytes.length && !this.is_too_long)
                packets.push(Uint8Array.from(this.bytes));
            this.bytes = [];
            this.is_escaped = this.is_too_long = false;
        }
    }
    bridge.FrameDecoder = FrameDecoder;
})(bridge || (bridge = {}));
/** The service of DAW Bridge, asked over TCP; found, started where none runs, and found again when it was lost. */
var bridge;
(function (bridge) {
    /** Something a musician should read: one sentence, and what to do about it. */
    class Refusal extends Error {
        constructor(message, hint = "", code = "") {
            super(message);
            this.hint = hint;
            this.code = code;
        }
    }
    bridge.Refusal = Refusal;
    const ROOT = "/ldm/1/";
    const USUAL_PORT = 9000;
    const START_MS = 30000, HELLO_MS = 5000, ANSWER_MS = 30000, AGAIN_MS = 200;
    const PROTOCOL = 1;
    const IDLE_S = "600";
    class Service {
        constructor(installed) {
            this.installed = installed;
            this.connection = null;
            this.rids = 0;
            this.name = `live-extension-${process.pid}-${Math.random().toString(36).slice(2, 10)}`;
        }
        /**
         * Send a request and return what its answer tells.
         *
         * A request that got no answer because the connection was lost is sent again under the same rid, so it is
         * carried out once. Throws a Refusal with the service's own sentence, or one that says how to start it.
         */
        async ask(request, tags, ...args) {
            const rid = `e${++this.rids}`;
            const packet = bridge.encode(ROOT + request, `s${tags}`, [rid, ...args]);
            for (let tries = 0;; tries++) {
                try {
                    const connection = await this.connected();
                    return answered(await connection.ask(rid, packet, ANSWER_MS));
                }
                catch (error) {
                    if (!(error instanceof Lost) || tries === 2)
                        throw told(error);
                }
            }
        }
        close() {
            this.connection?.close();
            this.connection = null;
        }
        async connected() {
            if (this.connection?.is_open)
                return this.connection;
            const deadline_ms = Date.now() + START_MS;
            let has_started = false;
            while (Date.now() < deadline_ms) {
                const connection = await this.greeted();
                if (connection)
                    return (this.connection = connection);
                if (!has_started)
                    this.start();
                has_started = true;
                await later(AGAIN_MS);
            }
            throw new Refusal("DAW Bridge does not answer.", "Start it in a terminal: daw-bridge serve");
        }
        async greeted() {
            const place = this.place();
            const connection = place && (await Connection.open(place));
            if (!place || !connection)
                return null;
            try {
                const hello = bridge.encode(`${ROOT}hello`, "ssis", ["e0", this.name, PROTOCOL, place.token]);
                const [, , pid] = answered(await connection.ask("e0", hello, HELLO_MS));
                if (!place.pid || place.pid === pid)
                    return connection;
            }
            catch (error) {
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
        place() {
            const fs = require("node:fs");
            try {
                const path = require("node:path").join(this.installed.runtime, "service.json");
                const info = JSON.parse(fs.readFileSync(path, "utf8"));
                const token = info.token_file ? fs.readFileSync(info.token_file, "utf8").trim() : "";
                return { host: "127.0.0.1", port: info.tcp_port, token, pid: info.pid };
            }
            catch (error) {
                if (error.code === "ENOENT")
                    return null;
                // Live may keep an extension from reading there; the usual port is the service's where it was free.
                return { host: "127.0.0.1", port: USUAL_PORT, token: "", pid: 0 };
            }
        }
        start() {
            const [program, ...args] = this.installed.command;
            try {
                const options = { detached: true, stdio: "ignore", windowsHide: true };
                const child = require("node:child_process").spawn(program, [...args, "serve", "--idle", IDLE_S], options);
                child.on("error", (error) => console.error(`DAW Bridge: ${program} does not start (${error.code})`));
                child.unref();
            }
            catch (error) {
                console.error(`DAW Bridge: Live does not let ${program} start (${error})`);
            }
        }
    }
    bridge.Service = Service;
    class Lost extends Error {
    }
    class Connection {
        constructor(socket) {
            this.socket = socket;
            this.is_open = true;
            this.waiting = new Map();
            this.decoder = new bridge.FrameDecoder();
            socket.on("data", (bytes) => this.hear(bytes));
            socket.on("close", () => this.lose());
        }
        /** Return a connection, or null where nothing listens. */
        static open(place) {
            return new Promise((resolve) => {
                const socket = require("node:net").connect({ host: place.host, port: place.port });
                socket.on("error", () => resolve(null));
                socket.on("connect", () => resolve(new Connection(socket)));
            });
        }
        ask(rid, packet, patience_ms) {
            return new Promise((resolve, reject) => {
                if (!this.is_open)
                    return reject(new Lost());
                this.waiting.set(rid, { resolve, reject });
                this.socket.write(bridge.framed(packet));
                setTimeout(() => this.give_up(rid), patience_ms);
            });
        }
        close() {
            this.socket.destroy();
            this.lose();
        }
        hear(bytes) {
            for (const packet of this.decoder.feed(bytes)) {
                const message = bridge.decode(packet);
                const rid = String(message.args[0]);
                // Events of jobs begin with a number, and no request has such a rid.
                this.waiting.get(rid)?.resolve(message);
                this.waiting.delete(rid);
            }
        }
        give_up(rid) {
            const asked = this.waiting.get(rid);
            if (asked) {
                this.waiting.delete(rid);
                asked.reject(new Lost());
                this.close();
            }
        }
        lose() {
            this.is_open = false;
            for (const asked of this.waiting.values())
                asked.reject(new Lost());
            this.waiting.clear();
        }
    }
    function answered(message) {
        // done repeats the request after the rid.
        if (message.address === `${ROOT}done`)
            return message.args.slice(2);
        if (message.address !== `${ROOT}fail`)
            return message.args.slice(1);
        const [code, sentence, hint] = message.args.slice(1).map(String);
        throw new Refusal(sentence, hint ?? "", code);
    }
    function told(error) {
        if (!(error instanceof Lost))
            return error;
        return new Refusal("The connection to DAW Bridge was lost.", "Try again; takes that were made are kept.");
    }
    function later(delay_ms) {
        return new Promise((resolve) => setTimeout(resolve, delay_ms));
    }
    bridge.later = later;
})(bridge || (bridge = {}));
/** Live, as this extension asks it: its callbacks as promises, its refusals as sentences. */
var bridge;
(function (bridge) {
    bridge.API_VERSION = "1.0.0";
    class Live {
        constructor(api) {
            this.api = api;
            this.model = api.dataModel;
        }
        get song() {
            return this.model.rootGetSong(this.model.getRoot());
        }
        get tempo_bpm() {
            return this.model.songGetTempo(this.song);
        }
        is(handle, ...class_names) {
            return class_names.some((name) => this.model.getObjectIsOfClass(handle, name));
        }
        /** Return the nearest of an object and its parents that is of a class; null where none is. */
        above(handle, ...class_names) {
            for (let one = handle; one; one = this.model.getObjectCanonicalParent(one)) {
                if (this.is(one, ...class_names))
                    return one;
            }
            return null;
        }
        /** Let an action of a context menu run a task; what it throws is shown to the user. */
        add_action(scope, title, id, task) {
            this.api.commands.registerCommand(id, (argument) => {
                task(argument).catch((error) => this.show_trouble(error));
            });
            this.api.ui.registerContextMenuAction(scope, title, id, () => undefined);
        }
        rendered(lane, startTime, endTime) {
            const refused = "Live cannot render this selection.";
            const hint = "Select a range on an audio track; groups and MIDI tracks have no audio of their own: freeze and flatten, or resample them.";
            return asked(refused, hint, (resolve, reject) => this.api.resources.renderPreFxAudio(lane, { startTime, endTime }, resolve, reject));
        }
        imported(path) {
            return asked(`Live cannot copy ${path} into the project.`, "Save the Live Set, then try again.", (resolve, reject) => this.api.resources.importIntoProject(path, resolve, reject));
        }
        new_lane(track) {
            return asked("Live adds no take lane to this track.", "Is the track frozen?", (resolve, reject) => this.model.trackCreateTakeLane(track, resolve, reject));
        }
        new_lane_clip(lane, filePath, startTime) {
            const args = { filePath, startTime, duration: undefined, isWarped: false, loopSettings: undefined };
            return asked("Live puts no clip on the take lane.", "Is the track frozen or being recorded?", (resolve, reject) => this.model.takelaneCreateAudioClip(lane, args, resolve, reject));
        }
        new_track_clip(track, filePath, startTime) {
            const args = { filePath, startTime, duration: undefined, isWarped: false, loopSettings: undefined };
            return asked("Live puts no clip on this track.", "Is the track frozen or being recorded?", (resolve, reject) => this.model.trackCreateAudioClip(track, args, resolve, reject));
        }
        new_slot_clip(slot, filePath, loopSettings) {
            const args = { filePath, isWarped: false, loopSettings };
            return asked("Live puts no clip into this slot.", "Is it on an audio track, and empty?", (resolve, reject) => this.model.clipslotCreateAudioClip(slot, args, resolve, reject));
        }
        /** Start changes so that undo takes all of them back at once; changes that wait for others cannot join. */
        as_one_step(changes) {
            return this.model.withinTransaction(() => Promise.all(changes()));
        }
        /** Show a page and return what it sends; empty where the user closed it. */
        shown(html, width, height) {
            return new Promise((resolve) => {
                const url = `data:text/html;charset=utf-8,${encodeURIComponent(html)}`;
                this.api.ui.showModalDialog(url, width, height, (content) => resolve(content ?? ""), () => resolve(""));
            });
        }
        /** Show how far something is while it runs; it asks is_cancelled whether the user wants it to stop. */
        async with_progress(text, work) {
            const progress = new Progress();
            this.api.ui.showProgressDialog({ text, progress: 0 }, (dialog) => progress.show(dialog), () => progress.cancel());
            try {
                return await work(progress);
            }
            finally {
                progress.close();
            }
        }
        show_trouble(error) {
            console.error(`DAW Bridge: ${error instanceof Error ? error.stack : error}`);
            const refusal = error instanceof bridge.Refusal ? error : new bridge.Refusal("DAW Bridge failed in a way nobody foresaw.", String(error));
            return this.shown(bridge.message_page(refusal.message, refusal.hint), 420, 200);
        }
    }
    bridge.Live = Live;
    /** A progress dialog, shown or not yet, that only ever goes forward. */
    class Progress {
        constructor() {
            this.is_cancelled = false;
            this.dialog = null;
            this.is_closed = false;
            this.percent = 0;
        }
        show(dialog) {
            this.dialog = dialog;
            if (this.is_closed)
                dialog.close();
        }
        update(text, fraction) {
            this.percent = Math.max(this.percent, Math.round(100 * fraction));
            if (!this.is_closed)
                this.dialog?.update({ text, progress: this.percent });
        }
        cancel() {
            this.is_cancelled = true;
        }
        close() {
            if (!this.is_closed)
                this.dialog?.close();
            this.is_closed = true;
        }
    }
    bridge.Progress = Progress;
    function asked(refused, hint, ask) {
        return new Promise((resolve, reject) => {
            ask(resolve, (error) => reject(new bridge.Refusal(error ? `${refused} It says: ${error}` : refused, hint)));
        });
    }
})(bridge || (bridge = {}));
/** What a musician wants of a job, and the request that asks the service for it. */
var bridge;
(function (bridge) {
    bridge.FIRST_WISHES = {
        task: "transfer", prompt: "", negative: "", strength: 0.7, takes: 3, seed: "", is_background: false,
    };
    const CONTEXT_BEATS = 8;
    const PRIORITY = 0;
    const NO_SLOT = "", SERVICE_FOLDER = "";
    /** Read what the dialog sent; null where it was closed. Throws a Refusal for what cannot be meant. */
    function read_wishes(content) {
        if (!content)
            return null;
        const wishes = { ...bridge.FIRST_WISHES, ...JSON.parse(content) };
        if (wishes.is_cancelled)
            return null;
        if (wishes.task !== "superres" && !wishes.prompt.trim()) {
            throw new bridge.Refusal("There is no prompt.", "Say in words what you want to hear, for example: a harp.");
        }
        if (!/^\d*$/.test(wishes.seed))
            throw new bridge.Refusal(`The seed ${wishes.seed} is not a whole number.`);
        return wishes;
    }
    bridge.read_wishes = read_wishes;
    /** Return how many beats around a selection are sent with it, so that what is filled fits in. */
    function context_beats(task) {
        return task === "inpaint" ? CONTEXT_BEATS : 0;
    }
    bridge.context_beats = context_beats;
    function request_for(wishes, material) {
        const options = options_json(wishes, material);
        const rest = [options, PRIORITY, NO_SLOT, SERVICE_FOLDER, stem(wishes, material)];
        switch (wishes.task) {
            case "generate": return { address: "generate", tags: "sfsisss", args: [wishes.prompt, material.length_s, ...rest] };
            case "transfer":
                return { address: "transfer", tags: "ssfsisss", args: [material.path, wishes.prompt, wishes.strength, ...rest] };
            case "inpaint":
                return { address: "inpaint", tags: "ssssisss", args: [material.path, wishes.prompt, mask_json(material), ...rest] };
            case "superres": return { address: "superres", tags: "ssisss", args: [material.path, ...rest] };
        }
    }
    bridge.request_for = request_for;
    function options_json(wishes, material) {
        const options = { takes: wishes.takes };
        if (wishes.negative.trim())
            options.negative = wishes.negative;
        if (material.path)
            options.region = { anchor: material.anchor };
        const text = JSON.stringify(options);
        // As text: a seed can have more digits than a number of this language.
        return wishes.seed ? `${text.slice(0, -1)},"seed":${wishes.seed.replace(/^0+(?=\d)/, "")}}` : text;
    }
    function mask_json(material) {
        const [start_s, end_s] = material.mask_s ?? [0, material.length_s];
        return JSON.stringify({ shapes: [{ shape: "rect", span: { start_s, end_s } }] });
    }
    /** Return the beginning of the takes' file names, after which Live names the clips. */
    function stem(wishes, material) {
        const words = wishes.task === "superres" ? "highs" : wishes.prompt;
        return `${material.anchor.track} ${words}`.replace(/[^\p{L}\p{N}]+/gu, "-").replace(/^-+|-+$/g, "").slice(0, 60);
    }
})(bridge || (bridge = {}));
/** The pages that Live shows in its dialogs. A page sends one text, and that closes it. */
var bridge;
(function (bridge) {
    const STYLE = `
    body { font: 13px system-ui, sans-serif; background: #2b2b2b; color: #ddd; margin: 16px; }
    label { display: block; margin: 10px 0 3px; }
    input[type=text], textarea, select { width: 100%; box-sizing: border-box; background: #1e1e1e; color: #eee;
      border: 1px solid #555; padding: 5px; font: inherit; }
    .row { display: flex; gap: 12px; } .row > div { flex: 1; }
    .buttons { margin-top: 16px; text-align: right; } button { font: inherit; padding: 5px 14px; margin-left: 8px; }
    .hint { color: #aaa; }`;
    // Live listens in one place on macOS and in another on Windows.
    const SEND = `
    function send(value) {
      var message = { method: "close_and_send", params: [JSON.stringify(value)] };
      var mac = window.webkit && window.webkit.messageHandlers && window.webkit.messageHandlers.live;
      if (mac) mac.postMessage(message);
      else window.chrome.webview.postMessage(message);
    }`;
    const TASKS = [
        ["transfer", "Make it sound like ..."],
        ["inpaint", "Fill it anew, fitting what is around"],
        ["generate", "A new sound of this length"],
        ["superres", "Make the highs that it lacks"],
    ];
    const FORM_SCRIPT = `
    function value(id) { return document.getElementById(id).value; }
    function wishes() {
      return { task: value("task"), prompt: value("prompt"), negative: value("negative"),
        strength: Number(value("strength")), takes: Number(value("takes")), seed: value("seed").trim(),
        is_background: document.getElementById("is_background").checked };
    }
    function render() { send(wishes()); }
    function cancel() { send({ is_cancelled: true }); }
    document.addEventListener("keydown", function (event) {
      if (event.key === "Escape") cancel();
      if (event.key === "Enter" && !event.shiftKey) { event.preventDefault(); render(); }
    });
    document.getElementById("prompt").focus();`;
    /** Return the page that asks what to make; what it sends is read by read_wishes. */
    function wishes_page(title, wishes, tasks) {
        const offered = TASKS.filter(([task]) => tasks.includes(task));
        const options = offered.map(([task, text]) => `<option value="${task}"${task === wishes.task ? " selected" : ""}>${escaped(text)}</option>`);
        return page(`
      <div class="hint">${escaped(title)}</div>
      <label for="task">What to do</label><select id="task">${options.join("")}</select>
      <label for="prompt">What you want to hear</label><textarea id="prompt" rows="2">${escaped(wishes.prompt)}</textarea>
      <label for="negative">What you do not want to hear</label>
      <input type="text" id="negative" value="${escaped(wishes.negative)}">
      <label for="strength">How much of it changes</label>
      <input type="range" id="strength" min="0" max="1" step="0.05" value="${wishes.strength}" style="width: 100%">
      <div class="row">
        <div><label for="takes">Takes</label>
          <input type="number" id="takes" min="1" max="16" value="${wishes.takes}"></div>
        <div><label for="seed">Seed (empty: another one)</label>
          <input type="text" id="seed" value="${escaped(wishes.seed)}"></div>
      </div>
      <label><input type="checkbox" id="is_background"${wishes.is_background ? " checked" : ""}> Let me work on meanwhile</label>
      <div class="buttons"><button onclick="cancel()">Cancel</button><button onclick="render()">Render</button></div>`, FORM_SCRIPT);
    }
    bridge.wishes_page = wishes_page;
    /** Return a page with one sentence, what to do about it, and a button. */
    function message_page(sentence, hint) {
        return page(`
      <div>${escaped(sentence)}</div><p class="hint">${escaped(hint)}</p>
      <div class="buttons"><button id="close" onclick="send({})">Close</button></div>`, `document.getElementById("close").focus();`);
    }
    bridge.message_page = message_page;
    function page(body, script) {
        return `<!doctype html><html><head><meta charset="utf-8"><title>DAW Bridge</title><style>${STYLE}</style></head>` +
            `<body>${body}<script>${SEND}${script}</script></body></html>`;
    }
    function escaped(text) {
        const named = { "&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;", "'": "&#39;" };
        return text.replace(/[&<>"']/g, (character) => named[character]);
    }
})(bridge || (bridge = {}));
/** What is selected in Live, and the audio of it. */
var bridge;
(function (bridge) {
    const SHORTEST_BEATS = 1e-6;
    /** Return the selected stretches, one for each audio track; throws a Refusal where there are none. */
    function selected_stretches(live, selection) {
        const start = selection.time_selection_start, end = selection.time_selection_end;
        if (!(end - start > SHORTEST_BEATS)) {
            throw new bridge.Refusal("No time is selected.", "Select a range on an audio track in the Arrangement.");
        }
        return tracks_of(live, selection.selected_lanes).map((track) => {
            return { track, track_name: live.model.trackGetName(track), start, end };
        });
    }
    bridge.selected_stretches = selected_stretches;
    // Takes lie on lanes below their track: a selection across both means the track once.
    function tracks_of(live, lanes) {
        const tracks = new Map();
        for (const lane of lanes) {
            const track = track_above(live, lane);
            tracks.set(track.id, track);
        }
        if (!tracks.size)
            throw new bridge.Refusal("No track is selected.", "Select a range on an audio track in the Arrangement.");
        return [...tracks.values()];
    }
    function track_above(live, handle) {
        // Live calls some audio tracks of older sets just Track, so only what is known to be another kind is refused.
        const track = live.above(handle, "AudioTrack", "MidiTrack", "Track");
        if (!track)
            throw new bridge.Refusal("This is not on a track.");
        const name = live.model.trackGetName(track);
        if (live.is(track, "MidiTrack")) {
            throw new bridge.Refusal(`${name} is a MIDI track and has no audio.`, "Freeze and flatten it, or resample it to an audio track.");
        }
        const is_group = live.model.songGetTracks(live.song).some((one) => live.model.trackGetGroupTrack(one)?.id === track.id);
        if (is_group)
            throw new bridge.Refusal(`${name} is a group and has no clips of its own.`, "Select its tracks.");
        return track;
    }
    bridge.track_above = track_above;
    function has_audio(live, stretch) {
        return live.model.trackGetArrangementClips(stretch.track).some((clip) => overlaps(live, clip, stretch));
    }
    bridge.has_audio = has_audio;
    function overlaps(live, clip, stretch) {
        const start = live.model.clipGetStartTime(clip), end = live.model.clipGetEndTime(clip);
        return start < stretch.end - SHORTEST_BEATS && end > stretch.start + SHORTEST_BEATS;
    }
    bridge.overlaps = overlaps;
    function cell_of(live, slot) {
        const track = track_above(live, slot);
        return { track, track_name: live.model.trackGetName(track), slot, clip: live.model.clipslotGetClip(slot) };
    }
    bridge.cell_of = cell_of;
    /** Return what a job is made from, and the beat at which its takes belong. */
    async function stretch_material(live, storage, stretch, task) {
        const tempo_bpm = live.tempo_bpm;
        const start = Math.max(0, stretch.start - bridge.context_beats(task));
        const seconds = (beats) => (beats * 60) / tempo_bpm;
        const anchor = { track: stretch.track_name, position_s: seconds(start), tempo_bpm };
        if (task === "generate")
            return { material: { path: "", length_s: seconds(stretch.end - start), anchor }, start };
        if (!has_audio(live, stretch)) {
            throw new bridge.Refusal(`There is no audio in the selection on ${stretch.track_name}.`, "Ask for a new sound instead.");
        }
        const end = stretch.end + bridge.context_beats(task);
        const path = storage.kept(await live.rendered(stretch.track, start, end));
        const mask_s = [seconds(stretch.start - start), seconds(stretch.end - start)];
        return { material: { path, length_s: seconds(end - start), anchor, mask_s }, start };
    }
    bridge.stretch_material = stretch_material;
    /** Return what a job is made from: the whole file of a clip, since nothing else of it can be rendered. */
    function cell_material(live, cell, task, new_s) {
        const anchor = { track: cell.track_name, tempo_bpm: live.tempo_bpm };
        if (task === "generate")
            return { path: "", length_s: new_s, anchor };
        if (!cell.clip)
            throw new bridge.Refusal("There is no clip in this slot.", "Ask for a new sound instead.");
        if (live.is(cell.clip, "MidiClip"))
            throw new bridge.Refusal("This is a MIDI clip and has no audio.", "Freeze and flatten its track.");
        if (live.model.audioclipGetWarping(cell.clip)) {
            throw new bridge.Refusal("This session clip is warped, and Live renders clips only in the Arrangement.", "Drag it into the Arrangement and select it there, or switch Warp off.");
        }
        return { path: live.model.audioclipGetFilePath(cell.clip), length_s: new_s, anchor };
    }
    bridge.cell_material = cell_material;
    /** Renders of Live kept for as long as takes may be made again: Live itself gives the next one the same name. */
    class Storage {
        constructor(environment) {
            this.environment = environment;
            this.count = 0;
        }
        kept(path) {
            const folder = this.environment.storageDirectory ?? this.environment.tempDirectory;
            if (!folder)
                return path;
            const fs = require("node:fs"), join = require("node:path").join;
            fs.mkdirSync(join(folder, "regions"), { recursive: true });
            const kept = join(folder, "regions", `region-${Date.now()}-${++this.count}.wav`);
            fs.copyFileSync(path, kept);
            return kept;
        }
    }
    bridge.Storage = Storage;
})(bridge || (bridge = {}));
/** Takes put back where their region is: on take lanes of its track, or in the slots below. */
var bridge;
(function (bridge) {
    const OWN = "DAW Bridge: ";
    /** Return the name of a take's lane, by which it is told from the user's own lanes later. */
    function lane_name(title, take) {
        const score = take.score === null ? "" : `, ${take.score.toFixed(2)}`;
        const dry = take.note ? `, ${take.note}` : "";
        return `${OWN}${title}${score}, seed ${take.seed}${dry}`;
    }
    bridge.lane_name = lane_name;
    /** Do something with takes; where Live refuses it, what it says tells too where the takes are kept. */
    async function not_losing(takes, work) {
        try {
            return await work();
        }
        catch (error) {
            if (!(error instanceof bridge.Refusal))
                throw error;
            const where = takes.map((take) => take.path).join("\n");
            throw new bridge.Refusal(error.message, `${error.hint} The takes are kept: ${where}`.trim(), error.code);
        }
    }
    bridge.not_losing = not_losing;
    /**
     * Put takes on lanes of their tracks, each at the exact beat, in one undo step.
     *
     * Lanes of earlier takes that are free there are used again. Where lanes are missing they are made first,
     * which is an undo step of its own: Live groups only what can begin at once.
     */
    async function place_on_lanes(live, title, placements) {
        const paths = new Map();
        for (const take of placements.flatMap((placement) => placement.takes)) {
            paths.set(take, await live.imported(take.path));
        }
        const lanes = await lanes_for(live, placements);
        await live.as_one_step(() => placements.flatMap((placement, at) => placement.takes.map((take, index) => {
            live.model.takelaneSetName(lanes[at][index], lane_name(title, take));
            return live.new_lane_clip(lanes[at][index], paths.get(take) ?? take.path, placement.start);
        })));
    }
    bridge.place_on_lanes = place_on_lanes;
    async function lanes_for(live, placements) {
        const lanes = placements.map((placement) => free_lanes(live, placement));
        const missing = placements.map((placement, at) => Math.max(0, placement.takes.length - lanes[at].length));
        if (!missing.some((count) => count > 0))
            return lanes;
        await live.as_one_step(() => placements.flatMap((placement, at) => Array.from({ length: missing[at] }, () => live.new_lane(placement.track).then((lane) => lanes[at].push(lane)))));
        return lanes;
    }
    // Own ones with room there, and those that hold nothing, as an undone placement leaves them.
    function free_lanes(live, placement) {
        return live.model.trackGetTakeLanes(placement.track).filter((lane) => {
            const clips = live.model.takelaneGetClips(lane);
            const is_own = live.model.takelaneGetName(lane).startsWith(OWN);
            return !clips.length || (is_own && !clips.some((clip) => bridge.overlaps(live, clip, placement)));
        });
    }
    /** Put takes into the next empty slots of a cell's track, in one undo step; returns those that had no room. */
    async function place_in_slots(live, cell, takes) {
        const slots = live.model.trackGetClipSlots(cell.track);
        const first = slots.findIndex((slot) => slot.id === cell.slot.id);
        const empty = slots.slice(first).filter((slot) => !live.model.clipslotGetClip(slot));
        const placed = takes.slice(0, empty.length);
        const paths = [];
        for (const take of placed)
            paths.push(await live.imported(take.path));
        if (paths.length) {
            await live.as_one_step(() => paths.map((path, index) => live.new_slot_clip(empty[index], path, undefined)));
        }
        return takes.slice(empty.length);
    }
    bridge.place_in_slots = place_in_slots;
})(bridge || (bridge = {}));
/** Jobs of the service, asked for and waited for; a lost service is found again and the jobs go on. */
var bridge;
(function (bridge) {
    const LOOK_MS = 300;
    /** Render each request and return the takes of each, best first. Throws a Refusal; null where it was cancelled. */
    async function rendered(service, requests, show, is_cancelled) {
        const ids = [];
        try {
            for (const request of requests)
                ids.push(await accepted(service, request));
            return await finished(service, ids, show, is_cancelled);
        }
        catch (error) {
            await cancelled(service, ids).catch(() => undefined);
            throw error;
        }
    }
    bridge.rendered = rendered;
    async function accepted(service, request) {
        const [job_id] = await service.ask(request.address, request.tags, ...request.args);
        return String(job_id);
    }
    async function finished(service, ids, show, is_cancelled) {
        const takes = [];
        for (const [index, id] of ids.entries()) {
            for (let state = await state_of(service, id); state.state !== "finished"; state = await state_of(service, id)) {
                if (is_cancelled()) {
                    await cancelled(service, ids);
                    return null;
                }
                if (state.error)
                    throw new bridge.Refusal(state.error.message, state.error.hint, state.error.code);
                if (state.state === "cancelled")
                    return null;
                const which = ids.length > 1 ? ` (${index + 1} of ${ids.length})` : "";
                const what = state.state === "queued" ? "Waiting" : "Rendering";
                show(`${what}${which}: ${Math.round(100 * state.fraction)} %`, (index + state.fraction) / ids.length);
                await bridge.later(LOOK_MS);
            }
            takes.push((await state_of(service, id)).takes);
        }
        return takes;
    }
    async function cancelled(service, ids) {
        for (const id of ids)
            await service.ask("cancel", "s", id);
    }
    async function state_of(service, id) {
        const [text] = await service.ask("job/info", "s", id);
        return read_state(String(text));
    }
    /** Read what the service tells of a job. */
    function read_state(text) {
        // A seed can have more digits than a number of this language keeps.
        const job = JSON.parse(text.replace(/"seed": ?(\d+)/g, '"seed":"$1"'));
        return {
            state: job.state,
            fraction: job.fraction ?? 0,
            takes: (job.takes ?? []).map((take) => {
                return { path: take.path, seed: String(take.seed), score: take.score ?? null, note: take.dry ? take.note : "" };
            }),
            error: job.error ?? null,
        };
    }
    bridge.read_state = read_state;
})(bridge || (bridge = {}));
/** The actions that a right click in Live offers. */
var bridge;
(function (bridge) {
    // Filled in where this is installed.
    bridge.INSTALLED = { command: JSON.parse("@COMMAND_JSON@"), runtime: JSON.parse("@RUNTIME_JSON@") };
    const NEW_CLIP_S = 4;
    const VARY = 0.3;
    const VARY_TAKES = 3;
    const EVERYTHING = ["transfer", "inpaint", "generate", "superres"];
    class Actions {
        constructor(live, service, storage) {
            this.live = live;
            this.service = service;
            this.storage = storage;
            this.wishes = bridge.FIRST_WISHES;
            this.stop_count = 0;
        }
        /** Render for each selected track, and put the takes on lanes below it. */
        async on_selection(selection) {
            const stretches = bridge.selected_stretches(this.live, selection);
            const names = stretches.map((stretch) => stretch.track_name).join(", ");
            const has_any = stretches.some((stretch) => bridge.has_audio(this.live, stretch));
            const wishes = await this.asked(`Selection on ${names}`, has_any ? EVERYTHING : ["generate"]);
            if (!wishes)
                return;
            await this.working(wishes.is_background, async (show, is_cancelled) => {
                const requests = [], placements = [];
                for (const stretch of stretches) {
                    const { material, start } = await bridge.stretch_material(this.live, this.storage, stretch, wishes.task);
                    requests.push(bridge.request_for(wishes, material));
                    placements.push({ track: stretch.track, start, end: stretch.end + bridge.context_beats(wishes.task), takes: [] });
                }
                const takes = await bridge.rendered(this.service, requests, show, is_cancelled);
                if (!takes)
                    return;
                takes.forEach((some, index) => { placements[index].takes = some; });
                await bridge.not_losing(takes.flat(), () => bridge.place_on_lanes(this.live, title_of(wishes), placements));
            });
        }
        /** Render for a slot of the session, and put the takes into the next empty slots. */
        async on_slot(slot) {
            const cell = bridge.cell_of(this.live, slot);
            const tasks = cell.clip ? ["transfer", "superres"] : ["generate"];
            const wishes = await this.asked(`Session slot on ${cell.track_name}`, tasks);
            if (!wishes)
                return;
            const request = bridge.request_for(wishes, bridge.cell_material(this.live, cell, wishes.task, NEW_CLIP_S));
            await this.in_slots(cell, request, wishes.is_background);
        }
        /** Render variations of a take from its own recipe, and put them where it is. */
        async on_vary(clip) {
            const path = this.live.model.audioclipGetFilePath(clip);
            const request = { address: "recall", tags: "sfi", args: [path, VARY, VARY_TAKES] };
            const slot = this.live.above(clip, "ClipSlot");
            if (slot)
                return this.in_slots(bridge.cell_of(this.live, slot), request, false);
            const track = bridge.track_above(this.live, clip);
            const start = this.live.model.clipGetStartTime(clip), end = this.live.model.clipGetEndTime(clip);
            return this.working(false, async (show, is_cancelled) => {
                const takes = await bridge.rendered(this.service, [request], show, is_cancelled);
                const title = this.live.model.clipGetName(clip);
                if (!takes)
                    return;
                const placements = [{ track, start, end, takes: takes[0] }];
                await bridge.not_losing(takes[0], () => bridge.place_on_lanes(this.live, title, placements));
            });
        }
        /** Put a take into the track itself, over what is there. */
        async on_use(clip) {
            if (!this.live.above(clip, "TakeLane")) {
                throw new bridge.Refusal("This clip is not on a take lane.", "Right-click a take on a lane below its track.");
            }
            const path = this.live.model.audioclipGetFilePath(clip);
            const start = this.live.model.clipGetStartTime(clip);
            await this.live.as_one_step(() => [this.live.new_track_clip(bridge.track_above(this.live, clip), path, start)]);
        }
        /** Cancel what this extension has asked for. */
        async on_stop() {
            this.stop_count++;
        }
        async in_slots(cell, request, is_background) {
            await this.working(is_background, async (show, is_cancelled) => {
                const takes = await bridge.rendered(this.service, [request], show, is_cancelled);
                const left = takes ? await bridge.not_losing(takes[0], () => bridge.place_in_slots(this.live, cell, takes[0])) : [];
                if (left.length) {
                    const where = left.map((take) => take.path).join("\n");
                    throw new bridge.Refusal(`${left.length} takes had no empty slot below.`, `They are kept: ${where}`);
                }
            });
        }
        async asked(title, tasks) {
            const task = tasks.includes(this.wishes.task) ? this.wishes.task : tasks[0];
            const wishes = bridge.read_wishes(await this.live.shown(bridge.wishes_page(title, { ...this.wishes, task }, tasks), 420, 440));
            if (wishes)
                this.wishes = wishes;
            return wishes;
        }
        working(is_background, work) {
            const before = this.stop_count;
            const is_stopped = () => this.stop_count > before;
            if (is_background)
                return work(() => undefined, is_stopped);
            return this.live.with_progress("Rendering", (progress) => work((text, fraction) => progress.update(text, fraction), () => progress.is_cancelled || is_stopped()));
        }
    }
    function title_of(wishes) {
        return wishes.task === "superres" ? "highs" : wishes.prompt.trim();
    }
    /** Begin: what Live calls when it loads the extension. */
    function activate(activation) {
        const api = activation.initializeExtensionHost({ apiVersion: bridge.API_VERSION });
        const live = new bridge.Live(api);
        const actions = new Actions(live, new bridge.Service(bridge.INSTALLED), new bridge.Storage(api.environment));
        live.add_action("AudioTrack.ArrangementSelection", "DAW Bridge: change or make sound ...", "daw-bridge.selection", (selection) => actions.on_selection(selection));
        live.add_action("ClipSlot", "DAW Bridge: change or make sound ...", "daw-bridge.slot", (slot) => actions.on_slot(slot));
        live.add_action("AudioClip", "DAW Bridge: vary this take", "daw-bridge.vary", (clip) => actions.on_vary(clip));
        live.add_action("AudioClip", "DAW Bridge: use this take", "daw-bridge.use", (clip) => actions.on_use(clip));
        live.add_action("AudioTrack", "DAW Bridge: stop rendering", "daw-bridge.stop", () => actions.on_stop());
        console.log(`DAW Bridge is ready (host API ${activation.hostApiVersion}).`);
    }
    bridge.activate = activate;
})(bridge || (bridge = {}));
module.exports = { activate: bridge.activate, bridge, installed: bridge.INSTALLED };
