// The page of a shared model: one file, written into the page, so that a link needs nothing else of this server.
(() => {
  const one = (/** @type {string} */ id) => /** @type {HTMLElement} */ (document.getElementById(id));
  const prompt = /** @type {HTMLTextAreaElement} */ (one("prompt"));
  const [said, state, left, send, stop] = ["said", "state", "left", "send", "stop"].map(one);
  const chats = said.dataset.chat === "yes";
  /** @type {{ role: string, content: string }[]} */
  const messages = [];
  /** @type {AbortController | null} */
  let asking = null;

  const show = (/** @type {string} */ who, /** @type {string} */ text) => {
    const paragraph = document.createElement("p");
    paragraph.className = `turn ${who}`;
    paragraph.textContent = text;
    said.append(paragraph);
    return paragraph;
  };

  /** Server-sent events of an answer. @param {Response} response */
  async function* eventsOf(response) {
    const reader = /** @type {ReadableStream<Uint8Array>} */ (response.body).pipeThrough(/** @type {any} */ (new TextDecoderStream())).getReader();
    let rest = "";
    for (let piece = await reader.read(); !piece.done; piece = await reader.read()) {
      const blocks = (rest + piece.value).split("\n\n");
      rest = /** @type {string} */ (blocks.pop());
      for (const block of blocks) {
        const lines = Object.fromEntries(block.split("\n").map((line) => line.split(/: (.*)/s)));
        if (lines.data) yield { type: lines.event, data: JSON.parse(lines.data) };
      }
    }
  }

  /** @param {Response} response */
  async function problemOf(response) {
    const { error } = await response.json();
    return [error.message, error.hint].filter(Boolean).join(" ");
  }

  /** @param {string} text */
  async function answer(text) {
    if (!chats) said.replaceChildren();
    show("asked", text);
    const written = show("answer", "");
    const body = chats ? { messages: [...messages, { role: "user", content: text }] } : { prompt: text };
    const response = await fetch(`${location.pathname}/generate`, {
      method: "POST",
      headers: { "Content-Type": "application/json" },
      body: JSON.stringify(body),
      signal: asking?.signal,
    });
    if (!response.ok) throw new Error(await problemOf(response));
    for await (const { type, data } of eventsOf(response)) {
      if (type === "loading") state.textContent = "Loading the model…";
      else if (type === "error") throw new Error(data.error.message);
      else if (type === "token") {
        state.textContent = "Writing…";
        written.textContent += data.text;
        count(1);
      }
    }
    if (chats) messages.push({ role: "user", content: text }, { role: "assistant", content: written.textContent ?? "" });
  }

  const count = (/** @type {number} */ tokens) => {
    const now = Math.max(0, Number(left.dataset.left) - tokens);
    left.dataset.left = String(now);
    left.textContent = now.toLocaleString("en");
  };
  count(0);

  one("ask").addEventListener("submit", async (event) => {
    event.preventDefault();
    const text = prompt.value;
    if (asking || !text.trim()) return;
    asking = new AbortController();
    send.hidden = true;
    stop.hidden = false;
    state.textContent = "Asking the model…";
    if (chats) prompt.value = "";
    try {
      await answer(text);
      state.textContent = "";
    } catch (error) {
      const stopped = asking.signal.aborted;
      state.textContent = stopped ? "Stopped." : error instanceof TypeError ? "The server does not answer." : String(/** @type {Error} */ (error).message);
      if (!stopped && chats) prompt.value = text;
    }
    asking = null;
    send.hidden = false;
    stop.hidden = true;
    prompt.focus();
  });
  stop.addEventListener("click", () => asking?.abort());
  prompt.addEventListener("keydown", (event) => {
    if (event.key === "Enter" && !event.shiftKey && !event.isComposing) {
      event.preventDefault();
      /** @type {HTMLFormElement} */ (one("ask")).requestSubmit();
    }
  });
})();
