// Run the extension in the model: `node drive_extension.js EXTENSION SCENARIO.json`, which prints what became of it.
"use strict";
const fs = require("node:fs");
const { Host } = require("./extension_host.js");

// What the extension tells its log is not what this program tells.
console.log = console.error;

const IDLE_MS = 50;
const PATIENCE_MS = 240_000;

function argument_of(host, step) {
  const track = (name) => host.set.song.tracks.find((one) => one.name === name);
  if (step.range) {
    const lanes = step.tracks.map((name) => track(name).handle);
    return { time_selection_start: step.range[0], time_selection_end: step.range[1], selected_lanes: lanes };
  }
  if (step.slot !== undefined) return track(step.track).slots[step.slot].handle;
  if (step.lane !== undefined) return track(step.track).lanes[step.lane].clips[0].handle;
  if (step.clip !== undefined) return track(step.track).clips[step.clip].handle;
  return track(step.track)?.handle;
}

// A task is over when its dialogs are closed, and the set has changed or a message was shown.
async function done(host, before, step) {
  const deadline_ms = Date.now() + PATIENCE_MS;
  const marks = () => JSON.stringify([host.set.told(), host.messages]);
  let quiet = 0;
  while (quiet < 6) {
    if (Date.now() > deadline_ms) throw new Error("the extension does not come to an end");
    await new Promise((resolve) => setTimeout(resolve, IDLE_MS));
    const now = marks();
    const is_over = host.open_dialogs === 0 && (step.nothing || now !== before.marks);
    quiet = is_over && now === before.last ? quiet + 1 : 0;
    before.last = now;
  }
}

async function main() {
  const scenario = JSON.parse(fs.readFileSync(process.argv[3], "utf8"));
  const host = new Host(scenario.set);
  const extension = require(process.argv[2]);
  extension.activate(host.activation());
  const states = [];
  for (const step of scenario.steps) {
    const pages = host.pages.length;
    if (step.undo) host.set.undo();
    else {
      host.answers = [step.answer];
      host.cancel_at = step.cancel_at ?? null;
      host.progress = [];
      const marks = JSON.stringify([host.set.told(), host.messages]);
      const argument = argument_of(host, step);
      await host.act(step.action, argument);
      for (const other of step.then ?? []) {
        await new Promise((resolve) => setTimeout(resolve, other.after_ms));
        await host.act(other.action, argument_of(host, other));
      }
      await done(host, { marks, last: "" }, step);
    }
    states.push({ tracks: host.set.told(), undo_steps: host.set.undo_steps.length, pages: host.pages.slice(pages), progress: host.progress.slice(-200) });
  }
  process.stdout.write(JSON.stringify({ states, faults: host.faults, menu: Object.fromEntries(host.menu) }));
  process.exit(0);
}

main().catch((error) => { process.stderr.write(`${error.stack}\n`); process.exit(1); });
