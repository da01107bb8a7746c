"use strict";

// A hash and a generator of 32 bits (FNV-1a and mulberry32): each listener has an order of their own, always the same.
function seedOf(text) {
  let hash = 0x811c9dc5;
  for (const character of text) hash = Math.imul(hash ^ character.codePointAt(0), 0x01000193) >>> 0;
  return hash;
}

function generator(seed) {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4294967296;
  };
}

function ordered(items, questionnaire, rater) {
  const random = generator(seedOf(`${questionnaire} ${rater}`));
  const left = items.slice();
  for (let last = left.length - 1; last > 0; last -= 1) {
    const place = Math.floor(random() * (last + 1));
    [left[last], left[place]] = [left[place], left[last]];
  }
  return left;
}

function score(text) {
  const value = Number(text);
  return text !== "" && Number.isInteger(value) && value >= 1 && value <= 100 ? value : null;
}

// What was played of a sound, stretches heard twice counted once.
function heardSeconds(played) {
  let seconds = 0;
  for (let index = 0; index < played.length; index += 1) seconds += played.end(index) - played.start(index);
  return seconds;
}

function rounded(seconds) {
  return Math.round(seconds * 100) / 100;
}

function answersFile(questionnaire, rater, answers) {
  return JSON.stringify({ schema_version: 1, questionnaire, rater, answers }, null, 1);
}

// A browser may refuse to keep anything for a page that is a file.
function recall(key) {
  try {
    return JSON.parse(localStorage.getItem(key)) ?? [];
  } catch {
    return [];
  }
}

function keep(key, answers) {
  try {
    localStorage.setItem(key, JSON.stringify(answers));
  } catch {
    // Then a page that is closed begins anew.
  }
}

function begin() {
  const at = (id) => document.getElementById(id);
  const data = JSON.parse(at("questionnaire").textContent);
  let rater = "", order = [], answers = [], shownAt = 0;

  const place = () => `listening ${data.questionnaire} ${rater}`;

  function show() {
    const item = order[answers.length];
    at("welcome").hidden = true;
    at("item").hidden = item === undefined;
    at("end").hidden = item !== undefined;
    if (item === undefined) return;
    at("place").textContent = `Sound ${answers.length + 1} of ${order.length}`;
    at("caption").textContent = item.caption;
    at("sound").src = `audio/${item.file}`;
    for (const name of ["ovl", "rel"]) at(name).value = "";
    at("next").disabled = true;
    shownAt = Date.now();
  }

  function answered() {
    const scores = [score(at("ovl").value), score(at("rel").value)];
    if (scores.includes(null)) return;
    const sound = at("sound");
    answers.push({
      file: order[answers.length].file,
      ovl: scores[0],
      rel: scores[1],
      listened_s: rounded(heardSeconds(sound.played)),
      answered_s: rounded((Date.now() - shownAt) / 1000),
    });
    sound.pause();
    keep(place(), answers);
    show();
  }

  function save() {
    const content = answersFile(data.questionnaire, rater, answers);
    const link = document.createElement("a");
    link.href = URL.createObjectURL(new Blob([content], { type: "application/json" }));
    link.download = `answers ${rater.replace(/[^\p{L}\p{N}_-]+/gu, "_")}.json`;
    link.click();
  }

  at("count").textContent = String(data.items.length);
  at("start").onclick = () => {
    rater = at("rater").value.trim();
    if (rater === "") return;
    order = ordered(data.items, data.questionnaire, rater);
    answers = recall(place());
    show();
  };
  for (const name of ["ovl", "rel"]) {
    at(`${name}_slider`).oninput = () => {
      at(name).value = at(`${name}_slider`).value;
      at(name).oninput();
    };
    at(name).oninput = () => {
      at("next").disabled = score(at("ovl").value) === null || score(at("rel").value) === null;
    };
  }
  at("next").onclick = answered;
  at("save").onclick = save;
}

if (typeof document !== "undefined") begin();
