// A recorded model of Bitwig Studio for its controller scripts: node bitwig_host.js SCRIPT SETTINGS_JSON
//
// The script runs in a context that has only what Bitwig gives. Each object is made from an interface of
// bitwig_api.tsv: a method that is not declared, or that is called with other arguments, or whose model returns
// something else than is declared, is told as {"violation": ...}. OSC goes over real sockets. Commands come as
// lines of JSON on stdin, and what happens goes as lines of JSON to stdout.
"use strict";

const dgram = require("dgram");
const fs = require("fs");
const path = require("path");
const readline = require("readline");
const vm = require("vm");
const { encodeMessage, decodeMessage } = require("./osc_wire.js");

const TRACK_SLOTS = 8;
const INSERT_MS = 50;
// Time goes faster here than in Bitwig; a file is still inserted before anybody looks.
const PACE = 8;

function say(event) {
    process.stdout.write(JSON.stringify(event) + "\n");
}

function violation(text) {
    say({ violation: text });
    throw new Error(text);
}

// --- What is declared.

class Declarations {
    constructor(file) {
        this.parents = {};
        this.methods = {};
        for (const line of fs.readFileSync(file, "utf8").split("\n")) {
            if (!line || line.startsWith("#")) continue;
            const [name, method, args, returns, since] = line.split("\t");
            if (method === "extends") {
                this.parents[name] = args ? args.split(", ") : [];
                this.methods[name] = this.methods[name] || [];
            } else {
                const types = args ? splitTypes(args) : [];
                this.methods[name].push({ method, types, returns, since: Number(since || 0) });
            }
        }
    }
    ancestry(name) {
        const above = (this.parents[name] || []).flatMap((parent) => this.ancestry(parent));
        return [name, ...above];
    }
    overloads(name, method) {
        const found = this.ancestry(name).flatMap((one) => this.methods[one] || []);
        return found.filter((one) => one.method === method);
    }
    isA(name, type) {
        return this.ancestry(name).includes(type);
    }
}

function splitTypes(args) {
    // "() => void, number": no comma is inside a type here but in none of ours.
    return args.split(", ");
}

const declared = new Declarations(path.join(__dirname, "bitwig_api.tsv"));
let apiVersion = 0;
let isInitialising = true;

function fits(value, type) {
    if (type.startsWith("...")) return fits(value, type.slice(3).replace(/\[\]$/, ""));
    if (type === "object") return ["string", "number", "boolean"].includes(typeof value) || value === null;
    if (["string", "number", "boolean"].includes(type)) return typeof value === type;
    if (type === "string[]") return Array.isArray(value) && value.every((one) => typeof one === "string");
    if (type.endsWith("Callback") || type.startsWith("()")) return typeof value === "function";
    if (type === "void") return value === undefined;
    if (type === "ItemType" || type === "List<object>") return typeof value === "object";
    if (type === "ObserverType") return typeof value === "function";
    return value === null || (typeof value === "object" && declared.isA(value.__interface, type));
}

function accepts(types, args) {
    const rest = types.length && types[types.length - 1].startsWith("...") ? types[types.length - 1] : null;
    const fixed = rest ? types.slice(0, -1) : types;
    if (rest ? args.length < fixed.length : args.length !== fixed.length) return false;
    return args.every((value, place) => fits(value, place < fixed.length ? fixed[place] : rest));
}

// An object of an interface; behaviour holds what its methods do here, those without one have no effect.
function modelled(name, behaviour) {
    const model = new Proxy(behaviour, {
        get(target, key) {
            if (key === "__interface") return name;
            if (typeof key === "symbol") return undefined;
            const overloads = declared.overloads(name, key);
            if (!overloads.length) violation(`${name} has no method ${key}`);
            return (...args) => call(name, key, overloads, target, args);
        },
        set(target, key) {
            violation(`${name}.${String(key)} was set`);
        },
    });
    return model;
}

function call(name, method, overloads, target, args) {
    const found = overloads.find((one) => accepts(one.types, args));
    if (!found) violation(`${name}.${method} takes no (${args.map(String).join(", ")})`);
    if (found.since > apiVersion) violation(`${name}.${method} is since ${found.since}, loaded is ${apiVersion}`);
    if (!target[method]) violation(`${name}.${method} is not modelled`);
    const result = target[method](...args);
    if (!fits(result, found.returns)) violation(`${name}.${method} returned no ${found.returns}`);
    return result;
}

// --- Values.

function value(name, initial, more = {}) {
    let current = initial;
    let isOfInterest = false;
    const observers = [];
    const read = () => {
        if (!isOfInterest) violation(`a ${name} was read without markInterested`);
        return current;
    };
    const put = (next) => {
        current = next;
        // Bitwig tells later, not within the call.
        setImmediate(() => observers.forEach((observer) => guarded(() => observer(next))));
    };
    const model = modelled(name, {
        markInterested() {
            if (!isInitialising) violation("markInterested is for init alone");
            isOfInterest = true;
        },
        addValueObserver(observer) {
            if (!isInitialising) violation("observers are added in init alone");
            isOfInterest = true;
            observers.push(observer);
        },
        get: read,
        getRaw: read,
        set: put,
        ...more,
    });
    return { model, put, now: () => current };
}

// --- The session: tracks with launcher slots.

const tracks = [
    { name: "Drums", holdsAudio: true, slots: Array(TRACK_SLOTS).fill(null) },
    { name: "Keys", holdsAudio: false, slots: Array(TRACK_SLOTS).fill(null) },
    { name: "Pads", holdsAudio: true, slots: Array(TRACK_SLOTS).fill(null) },
];
let selected = 0;
const cursors = [];

class Cursor {
    constructor(id, slots) {
        this.id = id;
        this.track = selected;
        this.exists = value("BooleanValue", true);
        this.title = value("SettableStringValue", tracks[selected].name);
        this.holdsAudio = value("SettableBooleanValue", tracks[selected].holdsAudio);
        this.pinned = value("SettableBooleanValue", false, { set: (on) => this.pin(on) });
        this.cells = Array.from({ length: slots }, (_, place) => this.cell(place));
        const bank = modelled("ClipLauncherSlotBank", { getItemAt: (place) => this.cells[place].model });
        this.model = modelled("CursorTrack", {
            exists: () => this.exists.model,
            name: () => this.title.model,
            canHoldAudioData: () => this.holdsAudio.model,
            isPinned: () => this.pinned.model,
            clipLauncherSlotBank: () => bank,
        });
        this.refresh();
    }
    pin(on) {
        setImmediate(() => {
            this.pinned.put(on);
            say({ pinned: on, cursor: this.id, track: tracks[this.track].name });
            if (!on) this.follow();
        });
    }
    follow() {
        this.track = selected;
        this.refresh();
    }
    refresh() {
        const track = tracks[this.track] || { name: "", holdsAudio: false, slots: [] };
        this.exists.put(this.track in tracks);
        this.title.put(track.name);
        this.holdsAudio.put(track.holdsAudio);
        this.cells.forEach((cell, place) => {
            cell.exists.put(place < track.slots.length);
            cell.hasContent.put(Boolean(track.slots[place]));
        });
    }
    cell(place) {
        const exists = value("BooleanValue", false);
        const hasContent = value("BooleanValue", false);
        const point = modelled("InsertionPoint", { insertFile: (file) => insertFile(this.track, place, file) });
        const model = modelled("ClipLauncherSlot", {
            exists: () => exists.model,
            hasContent: () => hasContent.model,
            replaceInsertionPoint: () => point,
        });
        return { exists, hasContent, model };
    }
}

// Where it is not possible, Bitwig does nothing.
function insertFile(track, place, file) {
    setTimeout(() => {
        const slots = tracks[track].slots;
        if (place >= slots.length || !tracks[track].holdsAudio || !fs.existsSync(file)) return;
        slots[place] = file;
        cursors.forEach((cursor) => cursor.refresh());
        say({ inserted: file, track: tracks[track].name, slot: place });
    }, INSERT_MS);
}

// --- Settings, by their labels.

const given = JSON.parse(process.argv[3] || "{}");
const settings = {};
const signals = {};

function setting(name, label, initial) {
    if (!isInitialising) violation("settings are made in init alone");
    settings[label] = value(name, label in given ? given[label] : initial);
    return settings[label].model;
}

const panel = {
    getStringSetting: (label, category, most, initial) => setting("SettableStringValue", label, initial),
    getNumberSetting(label, category, low, high, step, unit, initial) {
        const first = label in given ? given[label] : initial;
        if (!(low <= first && first <= high)) violation(`${label} begins outside of its range`);
        return setting("SettableRangedValue", label, initial);
    },
    getEnumSetting(label, category, options, initial) {
        if (!options.includes(initial)) violation(`${label} begins with none of its options`);
        return setting("SettableEnumValue", label, initial);
    },
    getSignalSetting(label, category, action) {
        signals[action] = [];
        return modelled("Signal", { addSignalObserver: (observer) => void signals[action].push(observer) });
    },
};

// --- OSC over real sockets.

function addressSpace() {
    const methods = [];
    const model = modelled("OscAddressSpace", {
        setName() {},
        registerDefaultMethod: (callback) => void methods.push(callback),
    });
    spaces.set(model, methods);
    return model;
}

const spaces = new Map();
const NO_SOURCE = modelled("OscConnection", { sendMessage() {} });

function requireInit(what) {
    if (!isInitialising) violation(`${what} is for init alone`);
}

function deliver(space, bytes) {
    const { address, tags, args } = decodeMessage(bytes);
    const at = (kinds) => (place) => {
        if (!kinds.includes(tags[place])) violation(`argument ${place} of ${address} is a ${tags[place]}`);
        return args[place];
    };
    const message = modelled("OscMessage", {
        getAddressPattern: () => address,
        getTypeTag: () => "," + tags,
        getArguments: () => args,
        getString: at("s"),
        getInt: at("i"),
        getLong: at("h"),
        getFloat: at("f"),
    });
    for (const method of spaces.get(space)) guarded(() => method(NO_SOURCE, message));
}

const osc = modelled("OscModule", {
    createAddressSpace: addressSpace,
    createUdpServer(port, space) {
        requireInit("createUdpServer");
        const socket = dgram.createSocket("udp4");
        socket.on("message", (bytes) => deliver(space, bytes));
        socket.bind(port, "127.0.0.1", () => say({ listening: port }));
    },
    connectToUdpServer(name, port, space) {
        requireInit("connectToUdpServer");
        const socket = dgram.createSocket("udp4");
        return modelled("OscConnection", {
            sendMessage(address, ...args) {
                say({ sent: address, args });
                socket.send(encodeMessage(address, args), port, name);
            },
        });
    },
});

// --- The host, and what else is there for scripts.

const host = modelled("ControllerHost", {
    loadAPI(version) {
        apiVersion = version;
    },
    setShouldFailOnDeprecatedUse() {},
    defineController: (...words) => say({ defined: words }),
    getDocumentState: () => modelled("DocumentState", panel),
    getPreferences: () => modelled("Preferences", panel),
    getOscModule: () => osc,
    createCursorTrack(id, name, sends, scenes, follows) {
        requireInit("createCursorTrack");
        cursors.push(new Cursor(id, scenes));
        return cursors[cursors.length - 1].model;
    },
    scheduleTask: (task, delayMs) => void setTimeout(() => guarded(task), delayMs / PACE),
    println: (text) => say({ console: text }),
    errorln: (text) => say({ error: text }),
    showPopupNotification: (text) => say({ popup: text }),
});

function guarded(task) {
    try {
        task();
    } catch (error) {
        say({ crash: String((error && error.stack) || error) });
    }
}

const context = vm.createContext({ host });
apiVersion = 1e9;
context.loadAPI = (version) => host.loadAPI(version);
guarded(() => {
    vm.runInContext(fs.readFileSync(process.argv[2], "utf8"), context, { filename: "script" });
    vm.runInContext("init()", context);
});
isInitialising = false;
say({ ready: true });

const COMMANDS = {
    press: (action) => signals[action].forEach((observer) => guarded(observer)),
    set: (changes) => Object.entries(changes).forEach(([label, next]) => settings[label].put(next)),
    get: (label) => say({ setting: label, value: settings[label].now() }),
    select(index) {
        selected = index;
        cursors.filter((cursor) => !cursor.pinned.now()).forEach((cursor) => cursor.follow());
    },
    fill: ([track, count]) => {
        tracks[track].slots.fill("theirs", 0, count);
        cursors.forEach((cursor) => cursor.refresh());
    },
    slots: (track) => say({ slots: tracks[track].slots }),
};

readline.createInterface({ input: process.stdin }).on("line", (line) => {
    for (const [name, argument] of Object.entries(JSON.parse(line))) guarded(() => COMMANDS[name](argument));
}).on("close", () => process.exit(0));
