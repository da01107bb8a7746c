// A listener for the page of a listening test: as much of a browser as the page uses.
// Reads JSON from stdin: the page's data and script, the rater, and what they answer; prints what was saved.
"use strict";

const given = JSON.parse(require("node:fs").readFileSync(0, "utf8"));
const elements = {};
const kept = given.kept ?? {};
let saved = null, clock = 0;

function element(id) {
  elements[id] ??= { hidden: false, disabled: false, value: "", textContent: "", src: "", played: { length: 0 }, pause() {} };
  return elements[id];
}

globalThis.document = {
  getElementById: element,
  createElement: () => ({ click() { saved.name = this.download; } }),
};
Object.defineProperty(globalThis, "localStorage", {
  value: given.without_storage ? undefined : { getItem: (key) => kept[key] ?? null, setItem: (key, text) => { kept[key] = text; } },
});
globalThis.Blob = class { constructor(parts) { saved = { content: parts.join("") }; } };
URL.createObjectURL = () => "blob:";
Date.now = () => clock;

element("questionnaire").textContent = given.data;
(0, eval)(given.script);

element("rater").value = given.rater;
element("start").onclick();
const seen = [];
for (const answer of given.answers) {
  if (element("item").hidden) break;
  seen.push({ src: element("sound").src, caption: element("caption").textContent, place: element("place").textContent });
  element("sound").played = {
    length: answer.heard.length,
    start: (index) => answer.heard[index][0],
    end: (index) => answer.heard[index][1],
  };
  clock += answer.took_ms;
  element("ovl").value = answer.ovl;
  element("ovl").oninput();
  element("rel_slider").value = answer.rel;
  element("rel_slider").oninput();
  seen.at(-1).may_go_on = !element("next").disabled;
  element("next").onclick();
}
const ended = !element("end").hidden;
if (ended) element("save").onclick();
console.log(JSON.stringify({ seen, saved, kept, ended, count: element("count").textContent }));
