/** The pages that Live shows in its dialogs. A page sends one text, and that closes it. */
namespace bridge {
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

  const TASKS: [Task, string][] = [
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
  export function wishes_page(title: string, wishes: Wishes, tasks: Task[]): string {
    const offered = TASKS.filter(([task]) => tasks.includes(task));
    const options = offered.map(([task, text]) =>
      `<option value="${task}"${task === wishes.task ? " selected" : ""}>${escaped(text)}</option>`);
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
      <div class="buttons"><button onclick="cancel()">Cancel</button><button onclick="render()">Render</button></div>`,
      FORM_SCRIPT);
  }

  /** Return a page with one sentence, what to do about it, and a button. */
  export function message_page(sentence: string, hint: string): string {
    return page(`
      <div>${escaped(sentence)}</div><p class="hint">${escaped(hint)}</p>
      <div class="buttons"><button id="close" onclick="send({})">Close</button></div>`,
      `document.getElementById("close").focus();`);
  }

  function page(body: string, script: string): string {
    return `<!doctype html><html><head><meta charset="utf-8"><title>DAW Bridge</title><style>${STYLE}</style></head>` +
      `<body>${body}<script>${SEND}${script}</script></body></html>`;
  }

  function escaped(text: string): string {
    const named: Record<string, string> = { "&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;", "'": "&#39;" };
    return text.replace(/[&<>"']/g, (character) => named[character]);
  }
}
