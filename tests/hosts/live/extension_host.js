// A model of Live's extension host: what extensions_api.tsv declares can be called, with such arguments, and nothing else.
"use strict";
const fs = require("node:fs");
const path = require("node:path");

const SCOPES = new Set(["AudioClip", "AudioTrack", "ClipSlot", "DrumRack", "MidiClip", "MidiTrack", "Sample", "Scene",
  "Simpler", "ClipSlotSelection", "AudioTrack.ArrangementSelection", "MidiTrack.ArrangementSelection"]);
const KINDS = { AudioTrack: ["Track"], MidiTrack: ["Track"], AudioClip: ["Clip"], MidiClip: ["Clip"] };

function declarations() {
  const text = fs.readFileSync(path.join(__dirname, "extensions_api.tsv"), "utf8");
  const lines = text.split("\n").filter((line) => line && !line.startsWith("#")).map((line) => line.split("\t"));
  const modules = {};
  for (const [module, name, args, result] of lines) {
    modules[module] ??= {};
    modules[module][name] = { args: args ? args.split(" ") : [], result };
  }
  return modules;
}

function fits(value, type) {
  if (type.endsWith("?")) return value === undefined || value === null || fits(value, type.slice(0, -1));
  if (type.endsWith("[]")) return Array.isArray(value) && value.every((one) => fits(one, type.slice(0, -2)));
  if (type.startsWith("{")) {
    const fields = Object.fromEntries(type.slice(1, -1).split(",").map((field) => field.split(":")));
    return typeof value === "object" && Object.keys(value).every((key) => key in fields) &&
      Object.entries(fields).every(([key, kind]) => fits(value[key], kind));
  }
  switch (type) {
    case "any": return true;
    case "nothing": return value === undefined;
    case "Handle": return typeof value === "object" && value !== null && typeof value.id === "bigint";
    case "scope": return SCOPES.has(value);
    case "number": return typeof value === "number" && Number.isFinite(value);
    case "object": return typeof value === "object" && value !== null;
    default: return typeof value === type;
  }
}

// Every call is compared with its declaration on its way in and out.
function guarded(module, declared, behaviour, faults) {
  const refuse = (text) => { faults.push(text); throw new Error(text); };
  const call = (name) => (...given) => {
    const { args, result } = declared[name];
    const is_later = result.startsWith("later ");
    const types = is_later ? [...args, "function", "function"] : args;
    const where = `${module}.${name}`;
    if (given.length !== types.length) refuse(`${where} takes ${types.length} arguments and got ${given.length}`);
    types.forEach((type, index) => { if (!fits(given[index], type)) refuse(`${where}: argument ${index + 1} is no ${type}`); });
    if (!(name in behaviour)) refuse(`${where} is declared, but the model cannot do it`);
    if (!is_later) {
      const value = behaviour[name](...given);
      if (!fits(value, result)) refuse(`${where} would not return that`);
      return value;
    }
    const [on_result, on_error] = given.splice(-2);
    let outcome;
    try { outcome = { value: behaviour[name](...given) }; } catch (error) { outcome = { error: error.message }; }
    setTimeout(() => outcome.error === undefined ? on_result(outcome.value) : on_error(outcome.error), 1);
    return undefined;
  };
  return new Proxy({}, {
    get(_, name) {
      if (!(name in declared)) refuse(`${module}.${String(name)} is not declared`);
      return call(name);
    },
    has: (_, name) => name in declared,
  });
}

/** A set with its undo history, made from plain data: {tempo_bpm, folder, tracks: [...]}. */
class LiveSet {
  constructor(data) {
    this.data = data;
    this.objects = new Map();
    this.undo_steps = [];
    this.open = null;
    this.next_id = 2n ** 60n;
    this.song = this.add("Song", null, { tracks: [] });
    for (const track of data.tracks) this.song.tracks.push(this.track(track));
  }

  add(kind, parent, fields) {
    const one = { kind, parent, handle: { id: this.next_id++ }, ...fields };
    this.objects.set(one.handle.id, one);
    return one;
  }

  track(data) {
    const track = this.add(data.kind ?? "AudioTrack", this.song, { name: data.name, audio: data.audio, lanes: [], clips: [],
      slots: [], is_frozen: data.is_frozen ?? false, group: null });
    track.group = data.group ? this.song.tracks.find((one) => one.name === data.group) : null;
    for (const clip of data.clips ?? []) track.clips.push(this.add(clip.kind ?? "AudioClip", track, { ...clip }));
    for (const clip of data.slots ?? []) {
      const slot = this.add("ClipSlot", track, { clip: null });
      if (clip) slot.clip = this.add(clip.kind ?? "AudioClip", slot, { ...clip });
      track.slots.push(slot);
    }
    return track;
  }

  at(handle) {
    const one = this.objects.get(handle.id);
    if (!one) throw new Error("the object is gone");
    return { ...one, self: one };
  }

  // A change and how it is taken back; those begun within one transaction are one step.
  change(take_back) {
    if (this.open) this.open.push(take_back);
    else this.undo_steps.push([take_back]);
  }

  within(changes) {
    if (this.open) return changes();
    this.open = [];
    try {
      return changes();
    } finally {
      if (this.open.length) this.undo_steps.push(this.open);
      this.open = null;
    }
  }

  undo() {
    for (const take_back of this.undo_steps.pop().reverse()) take_back();
  }

  put(list, one) {
    list.push(one);
    this.change(() => list.splice(list.indexOf(one), 1));
    return one.handle;
  }

  clip_on(owner, track, args) {
    if (track.is_frozen) throw new Error("the track is frozen");
    if (!fs.existsSync(args.filePath)) throw new Error("no such file");
    const length_beats = (wav_facts(args.filePath).length_s * this.data.tempo_bpm) / 60;
    const end = args.startTime === undefined ? undefined : args.startTime + length_beats;
    return this.add("AudioClip", owner, { name: path.basename(args.filePath, ".wav"), start: args.startTime, end,
      file: args.filePath, is_warped: args.isWarped, length_beats });
  }

  told() {
    const clip = (one) => one && { name: one.name, start: one.start, end: one.end, file: one.file };
    return this.song.tracks.map((track) => ({ name: track.name, clips: track.clips.map(clip),
      lanes: track.lanes.map((lane) => ({ name: lane.name, clips: lane.clips.map(clip) })),
      slots: track.slots.map((slot) => clip(slot.clip)) }));
  }
}

function wav_facts(file) {
  const bytes = fs.readFileSync(file);
  let offset = 12, rate_hz = 0, block = 0;
  while (offset < bytes.length) {
    const name = bytes.toString("latin1", offset, offset + 4), size = bytes.readUInt32LE(offset + 4);
    if (name === "fmt ") { rate_hz = bytes.readUInt32LE(offset + 12); block = bytes.readUInt16LE(offset + 20); }
    if (name === "data") {
      return { rate_hz, block, length_s: size / block / rate_hz, header: bytes.subarray(0, offset + 8), data: bytes.subarray(offset + 8, offset + 8 + size) };
    }
    offset += 8 + size + (size % 2);
  }
  throw new Error(`${file} is no WAV file`);
}

function data_model(set) {
  const object = (handle) => set.at(handle).self;
  const set_field = (field) => (handle, value) => {
    const one = object(handle), before = one[field];
    one[field] = value;
    set.change(() => { one[field] = before; });
  };
  const handles = (field) => (handle) => object(handle)[field].map((one) => one.handle);
  const field = (name) => (handle) => object(handle)[name];
  return {
    getRoot: () => ({ id: 1n }),
    rootGetSong: () => set.song.handle,
    getObjectIsOfClass: (handle, name) => { const kind = object(handle).kind; return kind === name || (KINDS[kind] ?? []).includes(name); },
    getObjectCanonicalParent: (handle) => object(handle).parent?.handle ?? null,
    withinTransaction: (changes) => set.within(changes),
    songGetTempo: () => set.data.tempo_bpm,
    songGetTracks: handles("tracks"),
    trackGetName: field("name"),
    trackGetGroupTrack: (handle) => object(handle).group?.handle ?? null,
    trackGetClipSlots: handles("slots"),
    trackGetTakeLanes: handles("lanes"),
    trackGetArrangementClips: handles("clips"),
    trackCreateTakeLane: (handle) => {
      const track = object(handle);
      if (track.is_frozen) throw new Error("the track is frozen");
      return set.put(track.lanes, set.add("TakeLane", track, { name: `Take ${track.lanes.length + 1}`, clips: [] }));
    },
    trackCreateAudioClip: (handle, args) => { const track = object(handle); return set.put(track.clips, set.clip_on(track, track, args)); },
    clipGetName: field("name"),
    clipGetStartTime: field("start"),
    clipGetEndTime: field("end"),
    audioclipGetFilePath: field("file"),
    audioclipGetWarping: (handle) => object(handle).is_warped ?? false,
    clipslotGetClip: (handle) => object(handle).clip?.handle ?? null,
    clipslotCreateAudioClip: (handle, args) => {
      const slot = object(handle);
      if (slot.clip) throw new Error("the slot is not empty");
      slot.clip = set.clip_on(slot, slot.parent, args);
      set.change(() => { slot.clip = null; });
      return slot.clip.handle;
    },
    takelaneGetClips: handles("clips"),
    takelaneGetName: field("name"),
    takelaneSetName: set_field("name"),
    takelaneCreateAudioClip: (handle, args) => { const lane = object(handle); return set.put(lane.clips, set.clip_on(lane, lane.parent, args)); },
  };
}

function resources(set) {
  let imports = 0;
  return {
    renderPreFxAudio: (handle, { startTime, endTime }) => {
      const track = set.at(handle).self;
      if (!track.audio) throw new Error("");
      const { header, data, rate_hz, block } = wav_facts(track.audio);
      const sample = (beats) => Math.round((beats * 60 * rate_hz) / set.data.tempo_bpm) * block;
      const part = data.subarray(sample(startTime), sample(endTime));
      const whole = Buffer.concat([header, part]);
      whole.writeUInt32LE(whole.length - 8, 4);
      whole.writeUInt32LE(part.length, header.length - 4);
      // The same name each time, as Live does it within a second.
      const file = path.join(set.data.folder, "temp", "render.wav");
      fs.writeFileSync(file, whole);
      return file;
    },
    importIntoProject: (file) => {
      if (!fs.existsSync(file)) throw new Error("no such file");
      const copy = path.join(set.data.folder, "project", `${++imports}-${path.basename(file)}`);
      fs.copyFileSync(file, copy);
      return copy;
    },
  };
}

/** The host with what a user does: actions by their ids, answers to dialogs, the cancel button. */
class Host {
  constructor(data) {
    for (const name of ["temp", "project", "storage"]) fs.mkdirSync(path.join(data.folder, name), { recursive: true });
    this.set = new LiveSet(data);
    this.faults = [];
    this.commands = new Map();
    this.menu = new Map();
    this.pages = [];
    this.answers = [];
    // Pages that ask nothing.
    this.messages = 0;
    this.progress = [];
    this.cancel_at = null;
    this.open_dialogs = 0;
  }

  activation() {
    const declared = declarations();
    const behaviours = { commands: this.commands_module(), dataModel: data_model(this.set), resources: resources(this.set), ui: this.ui() };
    const api = Object.fromEntries(Object.entries(behaviours).map(([name, behaviour]) =>
      [name, guarded(name, declared[name], behaviour, this.faults)]));
    const folder = this.set.data.folder;
    api.environment = { storageDirectory: path.join(folder, "storage"), tempDirectory: path.join(folder, "temp"), language: "EN" };
    return {
      hostApiVersion: "1.0.0",
      initializeExtensionHost: ({ apiVersion }) => {
        if (apiVersion !== "1.0.0") throw new Error(`no API ${apiVersion}`);
        return api;
      },
    };
  }

  commands_module() {
    return { registerCommand: (id, callback) => { this.commands.set(id, callback); } };
  }

  ui() {
    return {
      registerContextMenuAction: (scope, title, id, on_registered) => {
        this.menu.set(`${scope}: ${title}`, id);
        setTimeout(() => on_registered(() => undefined), 1);
      },
      showModalDialog: (url) => {
        const page = decodeURIComponent(url.slice(url.indexOf(",") + 1));
        this.pages.push(page);
        const is_question = page.includes('id="prompt"');
        if (!is_question) this.messages++;
        const answer = is_question ? this.answers.shift() : {};
        return answer === undefined || answer === null ? "" : JSON.stringify(answer);
      },
      showProgressDialog: (options, on_show, on_cancelled) => {
        this.open_dialogs++;
        const dialog = {
          update: ({ text, progress }) => {
            this.progress.push({ text, percent: progress });
            if (this.cancel_at !== null && this.progress.length >= this.cancel_at) on_cancelled();
          },
          close: () => { this.open_dialogs--; },
        };
        setTimeout(() => on_show(dialog), 1);
      },
    };
  }

  /** Do what a user does, and wait until the host has nothing to do for it any more. */
  async act(id, argument) {
    const callback = this.commands.get(id);
    if (!callback) throw new Error(`no command ${id}`);
    callback(argument);
  }
}

module.exports = { Host, wav_facts, fits };
