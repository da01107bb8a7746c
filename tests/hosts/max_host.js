// A recorded model of Max: node max_host.js PATCHER SESSION_JSON
//
// It loads the patcher that is shipped, sends messages along its cords, and runs the script of its js box in a
// context that has only what max_api.tsv declares: anything else is told as {"violation": ...}. udpsend and
// udpreceive are real sockets. Of Live it has the session that it is given. Commands come as lines of JSON on
// stdin, and what happens goes as lines of JSON to stdout.
"use strict";

const dgram = require("dgram");
const fs = require("fs");
const path = require("path");
const readline = require("readline");
const vm = require("vm");
const { encodeMessage, decodeMessage, float32 } = require("./osc_wire.js");

// Time goes faster here than in Max.
const PACE = 8;
const session = JSON.parse(process.argv[3] || "{}");
const buffers = session.buffers || {};

function say(event) {
    process.stdout.write(JSON.stringify(event) + "\n");
}

function violation(text) {
    say({ violation: text });
    throw new Error(text);
}

function guarded(task) {
    try {
        return task();
    } catch (error) {
        say({ crash: String((error && error.stack) || error) });
        return undefined;
    }
}

// --- What is declared.

const declared = {};
for (const line of fs.readFileSync(path.join(__dirname, "max_api.tsv"), "utf8").split("\n")) {
    if (!line || line.startsWith("#")) continue;
    const [owner, name, kind, args, type] = line.split("\t");
    (declared[owner] = declared[owner] || {})[name] = { kind, args: args ? args.split(" ") : [], type };
}

function is(value, type) {
    if (type === "array") return Array.isArray(value);
    if (type === "void") return value === undefined;
    if (type === "object") return value !== undefined;
    if (["string", "number", "boolean", "function"].includes(type)) return typeof value === type;
    return typeof value === "object";
}

function check(what, wanted, args) {
    let place = 0;
    for (const one of wanted) {
        if (one === "...") return;
        const isOptional = one.startsWith("[");
        const type = one.replace(/[[\]]/g, "");
        if (place >= args.length) {
            if (isOptional) continue;
            violation(`${what} needs a ${type}`);
        }
        if (!is(args[place], type)) violation(`${what} takes no ${JSON.stringify(args[place])} as ${type}`);
        place += 1;
    }
    if (place < args.length) violation(`${what} takes no more than ${place}`);
}

// An object of a declared class, on which behaviour has what its members do.
function modelled(owner, behaviour) {
    return new Proxy(behaviour, {
        get(target, key) {
            if (typeof key === "symbol") return undefined;
            const member = declared[owner][key];
            if (!member) violation(`${owner} has no ${key}`);
            if (!(key in target)) violation(`${owner}.${key} is not modelled`);
            if (member.kind === "property") return target[key];
            return (...args) => {
                check(`${owner}.${key}`, member.args, args);
                const result = target[key](...args);
                if (!is(result, member.type)) violation(`${owner}.${key} returned no ${member.type}`);
                return result;
            };
        },
        set: (target, key) => violation(`${owner}.${String(key)} was set`),
    });
}

function classOf(owner, make) {
    return function (...args) {
        check(`new ${owner}`, declared[owner][owner].args, args);
        return modelled(owner, make(...args));
    };
}

// --- Classes of scripts.

const Task = classOf("Task", (task, self, args = []) => {
    let timer = null;
    return {
        schedule(delayMs = 0) {
            clearTimeout(timer);
            timer = setTimeout(() => guarded(() => task.apply(self, args)), delayMs / PACE);
        },
        cancel: () => clearTimeout(timer),
    };
});

const Buffer_ = classOf("Buffer", (name) => ({
    framecount: () => (buffers[name] ? 44100 : 0),
    send(message, file) {
        say({ buffer: name, message, file });
        if (message === "writewave") {
            // It is not there at once.
            setTimeout(() => fs.copyFileSync(buffers[name], file), 30);
        } else if (message !== "replace") {
            violation(`buffer~ knows no ${message}`);
        }
    },
}));

const File_ = classOf("File", (file) => ({
    isopen: fs.existsSync(file),
    eof: fs.existsSync(file) ? fs.statSync(file).size : 0,
    close() {},
}));

// --- Live: a song of tracks with clip slots, and what is chosen in it.

const song = session.live || null;

function resolve(where) {
    if (!song) violation("there is no Live");
    if (where === "live_set view detail_clip") return song.detail ? ["Clip", song.detail, where] : null;
    if (where === "live_set view highlighted_clip_slot") {
        return song.highlighted ? resolve(song.highlighted) : null;
    }
    const parts = /^live_set tracks (\d+)(?: clip_slots (\d+)( clip)?)?$/.exec(where);
    if (!parts || !song.tracks[parts[1]]) return null;
    const track = song.tracks[parts[1]];
    if (parts[2] === undefined) return ["Track", track, where];
    const slot = track.slots[parts[2]];
    if (!slot) return null;
    return parts[3] ? (slot.clip ? ["Clip", slot.clip, where] : null) : ["ClipSlot", slot, where];
}

function member(kind, name, use) {
    const found = (declared[`LOM ${kind}`] || {})[name];
    if (!found || found.kind !== use) violation(`a ${kind} of Live has no ${name} to ${use}`);
    return found;
}

const LiveAPI = classOf("LiveAPI", (where) => {
    const found = resolve(where);
    const [kind, object, real] = found || ["", null, ""];
    const need = () => found || violation(`nothing is at ${where}`);
    return {
        id: found ? "7" : "0",
        path: `"${real}"`,
        unquotedpath: real,
        type: kind,
        get(name) {
            need();
            member(kind, name, "get");
            return [name === "has_clip" ? Number(Boolean(object.clip)) : object[name]];
        },
        set(name, value) {
            need();
            member(kind, name, "set");
            object[name] = value;
            say({ live: where, set: name, value });
        },
        getcount(name) {
            need();
            member(kind, name, "children");
            return object.slots.length;
        },
        call(name, ...args) {
            need();
            check(`${kind}.${name}`, [member(kind, name, "call").args[0]], args);
            // Older versions of Live print that there is no such function, and go on.
            if (!song.old) object.clip = { file_path: args[0], name: "" };
            say({ live: where, call: name, args });
            return 0;
        },
    };
});

// --- The patcher.

const patcher = JSON.parse(fs.readFileSync(process.argv[2], "utf8")).patcher;
const boxes = Object.fromEntries(patcher.boxes.map(({ box }) => [box.id, { box, name: nameOf(box), state: {} }]));

function nameOf(box) {
    return box.maxclass === "newobj" ? box.text.split(" ")[0] : box.maxclass;
}

function emit(node, outlet, atoms) {
    const lines = patcher.lines.map((line) => line.patchline);
    for (const { source, destination } of lines) {
        if (source[0] === node.box.id && source[1] === outlet) receive(boxes[destination[0]], destination[1], atoms);
    }
}

function atomsOf(text) {
    const found = text.match(/"[^"]*"|\S+/g) || [];
    return found.map((word) => {
        if (word.startsWith('"')) return word.slice(1, -1);
        return /^-?\d+(\.\d*)?$/.test(word) ? Number(word) : word;
    });
}

const OBJECTS = {
    message(node, inlet, atoms) {
        if (atoms[0] === "set") say({ shown: atoms.slice(1).join(" ") });
        else emit(node, 0, atomsOf(node.box.text));
    },
    prepend: (node, inlet, atoms) => emit(node, 0, [...atomsOf(node.box.text).slice(1), ...atoms]),
    tosymbol: (node, inlet, atoms) => emit(node, 0, [atoms.join(" ")]),
    deferlow: (node, inlet, atoms) => setImmediate(() => emit(node, 0, atoms)),
    route(node, inlet, atoms) {
        const words = atomsOf(node.box.text).slice(1);
        const place = words.indexOf(atoms[0]);
        emit(node, place < 0 ? words.length : place, place < 0 ? atoms : atoms.slice(1));
    },
    outlet: (node, inlet, atoms) => say({ out: node.box.id, atoms }),
    inlet: (node, inlet, atoms) => emit(node, 0, atoms),
    flonum: (node, inlet, atoms) => emit(node, 0, atoms),
    textedit: (node, inlet, atoms) => emit(node, 0, ["text", ...atoms]),
    loadbang: (node) => emit(node, 0, ["bang"]),
    "live.thisdevice": (node) => emit(node, 0, ["bang"]),
    udpsend(node, inlet, atoms) {
        node.state.socket = node.state.socket || dgram.createSocket("udp4");
        const [, host, port] = atomsOf(node.box.text);
        const encode = (atom) => (typeof atom === "number" && !Number.isInteger(atom) ? float32(atom) : encodeAtom(atom));
        say({ sent: atoms[0], args: atoms.slice(1) });
        node.state.socket.send(encodeMessage(atoms[0], atoms.slice(1), encode), session.port || port, host);
    },
    udpreceive(node, inlet, atoms) {
        if (atoms[0] !== "port") violation(`udpreceive knows no ${atoms[0]}`);
        if (node.state.port === atoms[1]) return;
        if (node.state.socket) node.state.socket.close();
        node.state.port = atoms[1];
        node.state.socket = dgram.createSocket("udp4");
        node.state.socket.on("error", (error) => say({ console: String(error) }));
        node.state.socket.on("message", (bytes) => {
            const { address, tags, args } = decodeMessage(bytes);
            // Max has no 64-bit numbers in messages from OSC.
            const end = tags.indexOf("h") < 0 ? args.length : tags.indexOf("h");
            emit(node, 0, [address, ...args.slice(0, end)]);
        });
        node.state.socket.bind(node.state.port, "127.0.0.1");
    },
    js: (node, inlet, atoms) => guarded(() => callScript(node, inlet, atoms)),
};

function encodeAtom(atom) {
    if (typeof atom === "string") return require("./osc_wire.js").encoded(atom);
    if (typeof atom === "number") return require("./osc_wire.js").encoded(atom);
    return violation(`Max sends no ${JSON.stringify(atom)}`);
}

function receive(node, inlet, atoms) {
    if (!OBJECTS[node.name]) violation(`${node.name} is not modelled`);
    OBJECTS[node.name](node, inlet, atoms);
}

// --- The script in its box.

function startScript(node) {
    const file = path.join(path.dirname(process.argv[2]), "..", "javascript", node.box.text.split(" ")[1]);
    const plain = {
        outlet(outlet, ...values) {
            check("outlet", declared.jsthis.outlet.args, [outlet, ...values]);
            const atoms = values.flat();
            for (const atom of atoms) {
                if (!["string", "number"].includes(typeof atom)) violation(`outlet sends no ${JSON.stringify(atom)}`);
            }
            if (outlet >= node.box.numoutlets) violation(`there is no outlet ${outlet}`);
            emit(node, outlet, atoms);
        },
        post: (...words) => say({ console: words.join(" ") }),
        error: (...words) => say({ error: words.join(" ") }),
        arrayfromargs: (...values) => values.flatMap((one) => (typeof one === "object" ? Array.from(one) : [one])),
    };
    node.context = vm.createContext({ ...plain, Task, Buffer: Buffer_, File: File_, LiveAPI, messagename: "" });
    node.context.console = undefined;
    vm.runInContext(fs.readFileSync(file, "utf8"), node.context, { filename: "script" });
    const made = [node.context.inlets, node.context.outlets];
    if (made[0] !== node.box.numinlets || made[1] !== node.box.numoutlets) violation(`the box has not ${made}`);
}

function callScript(node, inlet, atoms) {
    const [first, ...rest] = atoms;
    const isList = typeof first === "number";
    const name = isList ? (atoms.length > 1 ? "list" : "msg_float") : first;
    const found = node.context[name] || node.context.anything;
    if (typeof found !== "function") violation(`the script has no ${name}`);
    node.context.messagename = name;
    found.apply(node.context, isList ? atoms : rest);
}

const nodes = Object.values(boxes);
guarded(() => {
    nodes.filter((node) => node.name === "js").forEach(startScript);
    nodes.filter((node) => ["loadbang", "live.thisdevice"].includes(node.name)).forEach((node) => receive(node, 0, []));
});
say({ ready: true });

const COMMANDS = {
    // Click a box, or let something come out of an inlet or a field.
    click: (id) => receive(boxes[id], 0, ["bang"]),
    into: ([id, ...atoms]) => receive(boxes[id], 0, atoms),
    live: () => say({ song }),
};

readline.createInterface({ input: process.stdin }).on("line", (line) => {
    for (const [name, argument] of Object.entries(JSON.parse(line))) guarded(() => COMMANDS[name](argument));
}).on("close", () => process.exit(0));
