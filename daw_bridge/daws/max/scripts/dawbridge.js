// Asks the DAW Bridge service for sounds: the logic of dawbridge.maxpat and of the Max for Live device.
// In ES5, so that it runs in js and in v8. Outlets: to udpsend, to udpreceive, takes, what is going on.
autowatch = 1;
inlets = 1;
outlets = 4;

var TO_SERVICE = 0;
var TO_RECEIVER = 1;
var TAKES = 2;
var STATUS = 3;
var ROOT = "/ldm/1/";
// Where regions of buffers are written; filled in when this file is installed.
var REGIONS = "@REGIONS@";
var FIRST_PORT = 9100;
var PORTS = 800;
var ASK_AGAIN_MS = 1000;
var MOST_ASKED = 5;
var MOST_MISSED = 2;
var GREET_MS = 5000;
var WRITTEN_MS = 150;
var MOST_LOOKS = 40;
var WAV_HEADER_BYTES = 44;

var session = "max" + new Date().getTime().toString(36) + Math.floor(Math.random() * 1296).toString(36);
var port = FIRST_PORT + Math.floor(Math.random() * PORTS);
var rids = 0;
var asked = {};
var jobs = {};
var lastJob = "";
var lastTakes = [];
var greeted = { rid: "", missed: 0, isTold: false };
var greeter = null;
var options = {};
var intoBuffer = "";
var slotPath = "";
var device = { prompt: "a harp", strength: 0.5, seconds: 4 };

// --- Connection.

function connect() {
    if (greeter === null) {
        greeter = new Task(greet, this);
        greet();
    }
}

// Says again and again where answers go, since a service that was started anew does not know it.
function greet() {
    greeted.missed += 1;
    if (greeted.missed > MOST_MISSED) {
        // Another patch may have this port.
        port = FIRST_PORT + ((port - FIRST_PORT + 1) % PORTS);
        if (!greeted.isTold) {
            greeted.isTold = true;
            tell("no service. Start it: daw-bridge serve");
        }
    }
    outlet(TO_RECEIVER, "port", port);
    greeted.rid = nextRid();
    outlet(TO_SERVICE, ROOT + "notify", greeted.rid, 1, port, 8192);
    greeter.schedule(GREET_MS);
}

function notifydeleted() {
    if (greeter !== null) {
        greeter.cancel();
    }
}

// --- What the patch asks for.

function generate(prompt, seconds) {
    ask("generate", [words(prompt), seconds === undefined ? 4 : seconds, JSON.stringify(options)]);
}

function transfer(name, prompt, strength) {
    write(name, function (path) {
        transferfile(path, prompt, strength);
    });
}

function transferfile(path, prompt, strength) {
    var much = strength === undefined ? 0.5 : strength;
    ask("transfer", [path, words(prompt), much, JSON.stringify(options)]);
}

// Times in seconds from the beginning of the buffer; without a band all of it is made anew.
function inpaint(name, prompt, start_s, end_s, low_hz, high_hz) {
    var shape = { shape: "rect", span: { start_s: start_s, end_s: end_s } };
    if (low_hz !== undefined) {
        shape.low_hz = low_hz;
        shape.high_hz = high_hz;
    }
    write(name, function (path) {
        ask("inpaint", [path, words(prompt), JSON.stringify({ shapes: [shape] }), JSON.stringify(options)]);
    });
}

function superres(name) {
    write(name, function (path) {
        ask("superres", [path, JSON.stringify(options)]);
    });
}

function again() {
    if (lastJob) {
        ask("job/retry", [lastJob]);
    } else {
        tell("nothing was made yet that could be made again");
    }
}

// Variations of a take of the last job: 0 makes it again, 1 has nothing of it.
function vary(index, far, takes) {
    var take = lastTakes[index === undefined ? 0 : index];
    if (take) {
        ask("recall", [take.path, far === undefined ? 0.3 : far, takes === undefined ? 3 : takes]);
    } else {
        tell("there is no such take");
    }
}

function cancel() {
    send("cancel", ["*"]);
}

function param(name, value) {
    send("param/set", [name, value]);
}

// A key of a spec for all requests to come, as takes 3; without a value the parameter of the service counts again.
function option(key, value) {
    if (value === undefined) {
        delete options[key];
    } else {
        options[key] = value;
    }
}

function into(name) {
    intoBuffer = name;
}

function read(name, index) {
    var take = lastTakes[index === undefined ? 0 : index];
    if (take) {
        new Buffer(name).send("replace", pathForMax(take.path));
    } else {
        tell("there is no such take");
    }
}

// --- Live: the selected clip, and slots of the track whose slot was chosen when something was asked for.

function clip(prompt, strength) {
    var found = new LiveAPI("live_set view detail_clip");
    if (Number(found.id) === 0 || Number(found.get("is_audio_clip")) !== 1) {
        tell("select an audio clip first");
        return;
    }
    var region = {};
    if (Number(found.get("warping")) === 0) {
        region.span = { start_s: Number(found.get("start_marker")), end_s: Number(found.get("end_marker")) };
    } else {
        tell("the clip is warped: its whole file is sent, unwarped");
    }
    slots();
    var content = { region: region };
    for (var key in options) {
        content[key] = options[key];
    }
    var much = strength === undefined ? 0.5 : strength;
    ask("transfer", [String(found.get("file_path")), words(prompt), much, JSON.stringify(content)]);
}

// What the device's own controls say: the words, how far, and then which of the two.
function make(prompt) {
    device.prompt = words(prompt);
}

function far(strength) {
    device.strength = strength;
}

function newsound() {
    slots();
    generate(device.prompt, device.seconds);
}

function change() {
    clip(device.prompt, device.strength);
}

// Lets takes go to the track of the chosen slot, from that slot on.
function slots() {
    var chosen = new LiveAPI("live_set view highlighted_clip_slot");
    slotPath = Number(chosen.id) === 0 ? "" : String(chosen.unquotedpath);
    if (!slotPath) {
        tell("no clip slot is chosen: takes are told by their paths alone");
    }
}

function insert(takes, path) {
    var parts = /^(live_set tracks \d+) clip_slots (\d+)$/.exec(path);
    if (!parts) {
        return;
    }
    var count = new LiveAPI(parts[1]).getcount("clip_slots");
    var place = Number(parts[2]);
    var inserted = 0;
    while (place < count && inserted < takes.length) {
        var slot = new LiveAPI(parts[1] + " clip_slots " + place);
        if (Number(slot.get("has_clip")) === 0) {
            slot.call("create_audio_clip", takes[inserted].path);
            if (Number(slot.get("has_clip")) === 0) {
                tell("this track took no file (Live 12.0.5 or newer, audio tracks). Drag it in: " + takes[inserted].path);
                return;
            }
            var made = new LiveAPI(parts[1] + " clip_slots " + place + " clip");
            made.set("name", title(takes[inserted], inserted));
            inserted += 1;
        }
        place += 1;
    }
    if (inserted < takes.length) {
        tell("no empty slot for " + (takes.length - inserted) + " takes. Drag them in: " + takes[inserted].path);
    }
}

function title(take, index) {
    return "take " + (index + 1) + ", " + take.score.toFixed(2) + ", seed " + take.seed;
}

// --- What the service says.

function anything() {
    if (messagename.indexOf(ROOT) !== 0) {
        error("dawbridge: no message " + messagename + "\n");
        return;
    }
    var parts = messagename.substring(ROOT.length).split("/");
    var args = arrayfromargs(arguments);
    if (parts[0] === "job" && parts.length === 3) {
        hearJob(parts[1], parts[2], args);
    } else {
        hearAnswer(parts[0], args);
    }
}

function hearAnswer(answer, args) {
    var rid = args[0];
    if (rid === greeted.rid) {
        if (greeted.missed > 1) {
            watchAgain();
        }
        greeted.missed = 0;
        greeted.isTold = false;
        return;
    }
    var waiting = asked[rid];
    if (!waiting) {
        return;
    }
    delete asked[rid];
    waiting.task.cancel();
    if (answer === "accepted") {
        lastJob = args[1];
        jobs[args[1]] = { takes: [], slot: slotPath };
        tell("queued");
    } else if (answer === "fail") {
        tell(sentence(args, 2));
    }
}

// A service that has died and come back goes on with its jobs, but knows nobody any more.
function watchAgain() {
    for (var job in jobs) {
        send("job/watch", [job]);
    }
}

function hearJob(job, event, args) {
    var known = jobs[job];
    if (!known) {
        return;
    }
    if (event === "progress") {
        outlet(STATUS, "progress", args[3]);
    } else if (event === "take") {
        known.takes[args[1]] = { path: args[2], score: args[3], seed: args[11] === undefined ? "" : args[11] };
    } else if (event === "done" || event === "fail") {
        outlet(TO_SERVICE, ROOT + "job/ack", nextRid(), job);
        delete jobs[job];
        if (event === "done") {
            finish(known);
        } else {
            tell(sentence(args, 2));
        }
    }
}

function finish(known) {
    var takes = known.takes.filter(function (take) {
        return take.path;
    });
    lastTakes = takes;
    outlet(STATUS, "progress", 1);
    for (var index = 0; index < takes.length; index++) {
        outlet(TAKES, "take", index, takes[index].path, takes[index].score, takes[index].seed);
    }
    if (intoBuffer) {
        read(intoBuffer, 0);
    }
    if (known.slot) {
        insert(takes, known.slot);
    }
    outlet(TAKES, "done", takes.length);
    tell(takes.length + " takes");
}

// --- Requests.

function ask(request, args) {
    connect();
    send(request, args);
}

function send(request, args) {
    var rid = nextRid();
    var waiting = { request: request, args: args, count: 0 };
    asked[rid] = waiting;
    waiting.task = new Task(sendAgain, this, [rid]);
    sendAgain(rid);
}

// A packet may be lost: the same request under the same rid is carried out once, however often it is sent.
// A service that answers greetings may take its time, as when it reads a take's recipe for the first time.
function sendAgain(rid) {
    var waiting = asked[rid];
    if (!waiting) {
        return;
    }
    if (waiting.count >= MOST_ASKED && greeted.missed > MOST_MISSED) {
        delete asked[rid];
        tell("the service does not answer. Start it: daw-bridge serve");
        return;
    }
    waiting.count += 1;
    outlet(TO_SERVICE, [ROOT + waiting.request, rid].concat(waiting.args));
    waiting.task.schedule(ASK_AGAIN_MS);
}

// Writes a buffer~ as WAV and calls back with the path once the file does not grow any more.
function write(name, whenWritten) {
    var buffer = new Buffer(name);
    if (buffer.framecount() <= 0) {
        tell("buffer~ " + name + " is empty");
        return;
    }
    var path = REGIONS + "/" + nextRid() + ".wav";
    buffer.send("writewave", path);
    var looks = { count: 0, bytes: -1 };
    looks.task = new Task(look, this, [path, looks, whenWritten]);
    looks.task.schedule(WRITTEN_MS);
}

function look(path, looks, whenWritten) {
    var bytes = lengthOf(path);
    looks.count += 1;
    if (bytes > WAV_HEADER_BYTES && bytes === looks.bytes) {
        whenWritten(path);
    } else if (looks.count >= MOST_LOOKS) {
        tell("the buffer could not be written to " + path);
    } else {
        looks.bytes = bytes;
        looks.task.schedule(WRITTEN_MS);
    }
}

function lengthOf(path) {
    var file = new File(path, "read");
    var bytes = file.isopen ? file.eof : -1;
    file.close();
    return bytes;
}

// Max has slashes on Windows too.
function pathForMax(path) {
    return /^[A-Za-z]:\\/.test(path) ? path.replace(/\\/g, "/") : path;
}

function words(prompt) {
    return prompt === undefined ? "" : String(prompt);
}

// The error's sentence with what to do about it; the hint is left out where there is none.
function sentence(args, place) {
    return args[place] + (args.length > place + 1 ? " " + args[place + 1] : "");
}

function nextRid() {
    rids += 1;
    return session + "-" + rids;
}

function tell(text) {
    outlet(STATUS, "text", text);
}
