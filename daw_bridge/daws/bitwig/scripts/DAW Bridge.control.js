// Asks the DAW Bridge service for sounds and puts the takes into empty launcher slots of the track that was
// selected when they were asked for. In ES5: older versions of Bitwig run nothing newer.
loadAPI(17);
host.setShouldFailOnDeprecatedUse(true);
host.defineController("DAW Bridge", "DAW Bridge", "@VERSION@", "5b1c8f0e-6a53-4d0b-9f0e-2c7a4d8e1b36", "DAW Bridge");

var ROOT = "/ldm/1/";
// Jobs whose takes wait for their track at the same time: each keeps a cursor on it.
var MOST_JOBS = 4;
var SLOTS = 64;
var ASK_AGAIN_MS = 1000;
var MOST_ASKED = 5;
var MOST_MISSED = 2;
var GREET_MS = 5000;
// Bitwig inserts files after the call has returned.
var CHECK_MS = 1500;
var POPUP_EVERY_MS = 1000;
var NEW_SOUND = "New sound";
var CHANGE_TAKE = "Change last take";
var CHANGE_FILE = "Change source file";
var VARY_TAKE = "Vary last take";
var ASKED = "asked";
var ALL_JOBS = "All jobs";
var OWN_JOBS = "Jobs from here";

var settings = {};
var followed = null;
var places = [];
var connection = null;
var asked = {};
var jobs = {};
var lastJob = "";
var rids = 0;
var session = "";
var greeted = { missed: 0, isTold: false };
var lastPopupMs = 0;

function init() {
    session = "bw" + new Date().getTime().toString(36);
    defineSettings();
    defineTracks();
    connect();
    greet();
}

function exit() {}

function defineSettings() {
    var state = host.getDocumentState();
    settings.prompt = state.getStringSetting("Prompt", "Sound", 300, "rain on a tin roof");
    settings.negative = state.getStringSetting("Without", "Sound", 300, "");
    settings.task = state.getEnumSetting("Make", "Sound", [NEW_SOUND, CHANGE_TAKE, CHANGE_FILE, VARY_TAKE], NEW_SOUND);
    settings.seconds = state.getNumberSetting("Length", "Sound", 0.5, 60, 0.1, "s", 4);
    settings.strength = state.getNumberSetting("Strength", "Sound", 0, 100, 1, "%", 50);
    settings.takes = state.getNumberSetting("Takes", "Sound", 1, 8, 1, "", 3);
    settings.source = state.getStringSetting("Source file", "Sound", 500, "");
    settings.lastTake = state.getStringSetting("Last take", "Sound", 500, "");
    state.getSignalSetting("Ask", "Do", "Make takes").addSignalObserver(make);
    state.getSignalSetting("Other seeds", "Do", "Make others").addSignalObserver(makeOthers);
    state.getSignalSetting("Stop", "Do", "Cancel").addSignalObserver(cancel);
    settings.heard = state.getEnumSetting("Insert takes of", "Do", [OWN_JOBS, ALL_JOBS], OWN_JOBS);
    var preferences = host.getPreferences();
    settings.port = preferences.getNumberSetting("Port of the service", "Connection", 1, 65535, 1, "", 9000);
    settings.answers = preferences.getNumberSetting("Port for answers", "Connection", 1, 65535, 1, "", 9002);
    for (var name in settings) {
        settings[name].markInterested();
    }
}

// One cursor follows the selection and the others wait, each for a job that pins it to its track.
function defineTracks() {
    followed = defineTrack("selected", 0);
    for (var index = 1; index <= MOST_JOBS; index++) {
        places.push(defineTrack("job", index));
    }
}

function defineTrack(what, index) {
    var name = "DAW Bridge " + what + " " + index;
    var track = host.createCursorTrack("daw_bridge_" + index, name, 0, SLOTS, true);
    var bank = track.clipLauncherSlotBank();
    track.exists().markInterested();
    track.name().markInterested();
    track.canHoldAudioData().markInterested();
    track.isPinned().markInterested();
    for (var place = 0; place < SLOTS; place++) {
        bank.getItemAt(place).exists().markInterested();
        bank.getItemAt(place).hasContent().markInterested();
    }
    return { track: track, bank: bank, job: null };
}

function connect() {
    var osc = host.getOscModule();
    var space = osc.createAddressSpace();
    space.setName("DAW Bridge");
    space.registerDefaultMethod(hear);
    osc.createUdpServer(Math.round(settings.answers.getRaw()), space);
    connection = osc.connectToUdpServer("127.0.0.1", Math.round(settings.port.getRaw()), osc.createAddressSpace());
}

// Says again and again where answers go, since a service that was started anew does not know it.
function greet() {
    var rid = nextRid();
    greeted.missed += 1;
    greeted.rid = rid;
    connection.sendMessage(ROOT + "notify", rid, 1, Math.round(settings.answers.getRaw()), 8192);
    if (greeted.missed > MOST_MISSED && !greeted.isTold) {
        greeted.isTold = true;
        tell("no service on port " + Math.round(settings.port.getRaw()) + ". Start it: daw-bridge serve");
    }
    host.scheduleTask(greet, GREET_MS);
}

function make() {
    var task = settings.task.get();
    var path = task === CHANGE_FILE ? settings.source.get() : settings.lastTake.get();
    if (task === NEW_SOUND) {
        ask("generate", [settings.prompt.get(), settings.seconds.getRaw(), options()]);
    } else if (!path) {
        tell(task === CHANGE_FILE ? "write a path into Source file" : "there is no take yet to change");
    } else if (task === VARY_TAKE) {
        ask("recall", [path, settings.strength.getRaw() / 100, Math.round(settings.takes.getRaw())]);
    } else {
        ask("transfer", [path, settings.prompt.get(), settings.strength.getRaw() / 100, options()]);
    }
}

function makeOthers() {
    if (!lastJob) {
        tell("nothing was made yet that could be made again");
    } else {
        ask("job/retry", [lastJob]);
    }
}

function cancel() {
    var found = false;
    for (var index = 0; index < places.length; index++) {
        if (places[index].job && places[index].job !== ASKED) {
            found = true;
            send("cancel", [places[index].job], null);
        }
    }
    if (!found) {
        tell("nothing runs");
    }
}

function options() {
    return JSON.stringify({ takes: Math.round(settings.takes.getRaw()), negative: settings.negative.get() });
}

// Sends a request for a job, and keeps the selected track for its takes.
function ask(request, args) {
    var place = keepTrack();
    if (place) {
        send(request, args, place);
    }
}

function keepTrack() {
    if (!followed.track.exists().get()) {
        tell("select a track for the takes");
        return null;
    }
    if (!followed.track.canHoldAudioData().get()) {
        tell("select an audio track: " + followed.track.name().get() + " takes no audio");
        return null;
    }
    for (var index = 0; index < places.length; index++) {
        if (!places[index].job) {
            places[index].job = ASKED;
            places[index].track.isPinned().set(true);
            return places[index];
        }
    }
    tell("takes of " + MOST_JOBS + " jobs are under way; wait for one of them");
    return null;
}

function release(place) {
    place.job = null;
    place.track.isPinned().set(false);
}

function send(request, args, place) {
    var rid = nextRid();
    asked[rid] = { request: request, args: args, place: place, count: 0 };
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
        giveUp(waiting, "the service does not answer. Start it: daw-bridge serve");
        return;
    }
    waiting.count += 1;
    post(ROOT + waiting.request, rid, waiting.args);
    host.scheduleTask(function () {
        sendAgain(rid);
    }, ASK_AGAIN_MS);
}

// Methods of Java take no array for a list of arguments in all of Bitwig's engines.
function post(address, rid, args) {
    if (args.length === 1) {
        connection.sendMessage(address, rid, args[0]);
    } else if (args.length === 3) {
        connection.sendMessage(address, rid, args[0], args[1], args[2]);
    } else {
        connection.sendMessage(address, rid, args[0], args[1], args[2], args[3]);
    }
}

function giveUp(waiting, sentence) {
    if (waiting.place) {
        release(waiting.place);
    }
    tell(sentence);
}

function hear(source, message) {
    var address = message.getAddressPattern();
    if (address.indexOf(ROOT) !== 0) {
        return;
    }
    var parts = address.substring(ROOT.length).split("/");
    if (parts[0] === "job" && parts.length === 3) {
        hearJob(parts[1], parts[2], message);
    } else if (parts.length === 1) {
        hearAnswer(parts[0], message);
    }
}

function hearAnswer(answer, message) {
    var rid = message.getString(0);
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
    if (answer === "accepted") {
        accept(message.getString(1), waiting.place);
    } else if (answer === "fail") {
        giveUp(waiting, sentence(message, 2));
    }
}

// A service that has died and come back goes on with its jobs, but knows nobody any more.
function watchAgain() {
    for (var index = 0; index < places.length; index++) {
        if (places[index].job && places[index].job !== ASKED) {
            send("job/watch", [places[index].job], null);
        }
    }
}

function accept(job, place) {
    lastJob = job;
    jobs[job] = { place: place, takes: [] };
    place.job = job;
    tell("queued: " + settings.prompt.get());
}

function hearJob(job, event, message) {
    if (!jobs[job] && event === "take" && settings.heard.get() === ALL_JOBS) {
        var place = keepTrack();
        if (place) {
            jobs[job] = { place: place, takes: [] };
            place.job = job;
        }
    }
    var known = jobs[job];
    if (!known) {
        return;
    }
    if (event === "progress") {
        tellSometimes(Math.round(message.getFloat(3) * 100) + " % (" + message.getString(5) + ")");
    } else if (event === "take") {
        known.takes[message.getInt(1)] = { path: message.getString(2), score: message.getFloat(3) };
    } else if (event === "done" || event === "fail") {
        connection.sendMessage(ROOT + "job/ack", nextRid(), job);
        if (!known.isOver) {
            known.isOver = true;
            end(known, event, message);
        }
    }
}

function end(known, event, message) {
    if (event === "fail") {
        release(known.place);
        tell(sentence(message, 2));
        return;
    }
    var takes = known.takes.filter(function (take) {
        return take.path;
    });
    if (takes.length > 0) {
        settings.lastTake.set(takes[0].path);
    }
    insert(known.place, takes);
}

function insert(place, takes) {
    var slots = emptySlots(place);
    var count = Math.min(slots.length, takes.length);
    for (var index = 0; index < count; index++) {
        place.bank.getItemAt(slots[index]).replaceInsertionPoint().insertFile(takes[index].path);
    }
    host.scheduleTask(function () {
        check(place, slots.slice(0, count), takes);
    }, CHECK_MS);
}

function emptySlots(place) {
    var found = [];
    for (var index = 0; index < SLOTS; index++) {
        var slot = place.bank.getItemAt(index);
        if (slot.exists().get() && !slot.hasContent().get()) {
            found.push(index);
        }
    }
    return found;
}

// insertFile says nothing of what it did: whether it did, the slots tell.
function check(place, slots, takes) {
    var inserted = slots.filter(function (slot) {
        return place.bank.getItemAt(slot).hasContent().get();
    });
    var name = place.track.name().get();
    release(place);
    if (inserted.length === takes.length) {
        tell(takes.length + " takes on " + name + ", best first (" + takes[0].score.toFixed(2) + ")");
    } else if (slots.length < takes.length) {
        tell(inserted.length + " of " + takes.length + " takes on " + name + ": it has no more empty slots. The others: "
            + folderOf(takes[0].path));
    } else {
        tell("Bitwig took " + inserted.length + " of " + takes.length + " takes. They are in " + folderOf(takes[0].path));
    }
}

function folderOf(path) {
    return path.substring(0, Math.max(path.lastIndexOf("/"), path.lastIndexOf("\\")));
}

// The error's sentence with what to do about it; the hint is left out where there is none.
function sentence(message, place) {
    var hint = message.getArguments().length > place + 1 ? " " + message.getString(place + 1) : "";
    return message.getString(place) + hint;
}

function nextRid() {
    rids += 1;
    // Joined and not added: a sum of texts is no String of Java in older engines.
    return [session, rids].join("-");
}

function tell(text) {
    lastPopupMs = new Date().getTime();
    host.println(text);
    host.showPopupNotification("DAW Bridge: " + text);
}

function tellSometimes(text) {
    if (new Date().getTime() - lastPopupMs >= POPUP_EVERY_MS) {
        tell(text);
    }
}
