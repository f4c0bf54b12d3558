// News of all the caller's videos, for as long as the page is open: one event stream, and a poll every two seconds while it
// is silent. Places in the queue move without an event, so while a video waits, the list is read now and then all the same.
// Nothing of the page.

import { ApiError, parseJson } from "./api.js";
import { isActive } from "./videos.js";

const POLL_MS = 2000;
const QUEUE_POLL_MS = 5000;
const SILENCE_MS = 40_000; // the server writes a comment every 15 s; two missed ones and the stream counts as dead
const MAX_WAIT_MS = 30_000; // between two attempts to open the stream: doubles from one second up to this
const LIST_LIMIT = 50;

/** One page of events: `{kind, id, data}` for each complete block in `text`, and the rest that is not complete yet. */
export function parseEvents(text) {
  const blocks = text.replaceAll("\r\n", "\n").split("\n\n");
  const rest = blocks.pop();
  const events = blocks.map(parseEvent).filter((event) => event.data !== "");
  return { events, rest };
}

function parseEvent(block) {
  const event = { kind: "message", id: null, data: "" };
  for (const line of block.split("\n")) {
    const [, field, value] = /^(\w+): ?(.*)$/.exec(line) ?? [];
    if (field === "event") event.kind = value;
    if (field === "id") event.id = value;
    if (field === "data") event.data += event.data === "" ? value : `\n${value}`;
  }
  return event;
}

export class Connection {
  #api;
  #videos;
  #tell;
  #onPreview;
  #onPage;
  #lastEventId = null;
  #heardAt = 0;
  #refreshedAt = 0;
  #isStreaming = false;
  #isRefused = false;
  #again = new AbortController();

  /**
   * `onPreview(video)`: a new preview can be fetched; `onState("live" | "polling" | "lost")`: how news comes now;
   * `onPage(page)`: the newest page of videos was read.
   */
  constructor(api, videos, { onPreview, onState, onPage }) {
    this.#api = api;
    this.#videos = videos;
    this.#onPreview = onPreview;
    this.#onPage = onPage;
    this.#tell = onState;
  }

  /** Follow the server until the page goes. */
  start() {
    this.#stream();
    this.#poll();
  }

  /** Try again now: there is a new key, or the browser is online again. */
  retry() {
    this.#isRefused = false;
    this.#again.abort();
    this.#again = new AbortController();
  }

  /** The newest page of videos. Raises `ApiError`. */
  async refresh() {
    const page = await this.#api.list({ limit: LIST_LIMIT });
    this.#refreshedAt = Date.now();
    const known = new Set(page.data.map((video) => video.id));
    for (const video of page.data) {
      this.#videos.put(video);
      if (video.status === "in_progress") this.#onPreview(video);
    }
    const missing = this.#videos.all().filter((video) => !known.has(video.id) && isActive(video));
    await Promise.all(missing.map((video) => this.#refreshOne(video.id)));
    this.#onPage(page);
  }

  async #refreshOne(id) {
    try {
      this.#videos.put(await this.#api.get(id));
    } catch (error) {
      if (error.status !== 404) throw error;
      this.#videos.remove(id);
    }
  }

  async #poll() {
    for (;;) {
      if (!this.#isRefused && (!this.#isHearing() || this.#isQueueOld())) await this.#pollOnce();
      await this.#wait(POLL_MS);
    }
  }

  async #pollOnce() {
    try {
      await this.refresh();
      this.#tell(this.#isHearing() ? "live" : "polling");
    } catch (error) {
      this.#noteFailure(error);
    }
  }

  async #stream() {
    for (let waitMs = 1000; ; waitMs = Math.min(waitMs * 2, MAX_WAIT_MS)) {
      if (!this.#isRefused) {
        const wasOpen = await this.#streamOnce();
        if (wasOpen) waitMs = 1000;
      }
      await this.#wait(waitMs);
    }
  }

  /** Read one stream to its end. Returns whether it was open at all. */
  async #streamOnce() {
    const watchdog = new AbortController();
    const timer = setInterval(() => {
      if (this.#isStreaming && !this.#isHearing()) watchdog.abort();
    }, POLL_MS);
    try {
      const headers = { accept: "text/event-stream", ...(this.#lastEventId === null ? {} : { "last-event-id": this.#lastEventId }) };
      const answer = await this.#api.send("GET", "videos/events", { headers, signal: watchdog.signal });
      this.#isStreaming = true;
      this.#heardAt = Date.now();
      await this.refresh(); // what happened while nobody listened
      this.#tell("live");
      await this.#read(answer.body.getReader());
      return true;
    } catch (error) {
      if (error.status === 401) this.#noteFailure(error);
      return this.#isStreaming;
    } finally {
      this.#isStreaming = false;
      clearInterval(timer);
      watchdog.abort();
    }
  }

  async #read(reader) {
    const decoder = new TextDecoder();
    let text = "";
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return;
      this.#heardAt = Date.now();
      const { events, rest } = parseEvents(text + decoder.decode(value, { stream: true }));
      text = rest;
      for (const event of events) this.#hearSafely(event);
    }
  }

  /** One event that cannot be understood must not end the stream; the browser's console shows it. */
  #hearSafely(event) {
    try {
      this.#hear(event);
    } catch (error) {
      reportError(error);
    }
  }

  #hear({ kind, id, data }) {
    if (id !== null) this.#lastEventId = id;
    if (!kind.startsWith("video.")) return;
    const video = parseJson(data);
    if (kind === "video.deleted") return this.#videos.remove(video.id);
    this.#videos.put(video);
    if (kind === "video.preview") this.#onPreview(this.#videos.get(video.id) ?? video);
  }

  #isQueueOld() {
    return Date.now() - this.#refreshedAt > QUEUE_POLL_MS && this.#videos.all().some((video) => video.status === "queued");
  }

  #isHearing() {
    return this.#isStreaming && Date.now() - this.#heardAt < SILENCE_MS;
  }

  #noteFailure(error) {
    if (!(error instanceof ApiError) && error.name !== "AbortError") throw error;
    if (error.status === 401) this.#isRefused = true;
    else this.#tell("lost");
  }

  #wait(ms) {
    const { signal } = this.#again;
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, ms);
      signal.addEventListener("abort", () => (clearTimeout(timer), resolve()), { once: true });
    });
  }
}
