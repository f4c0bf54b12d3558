// Every video this page knows, by id, as the server last told it. Nothing of HTTP, nothing of the page.

export const isActive = (video) => video.status === "queued" || video.status === "in_progress";
export const isFinal = (video) => video.status === "completed" || video.status === "failed";
export const isCancelled = (video) => video.x_state === "cancelled" || video.error?.code === "cancelled";

/** Whether `a` was asked for after `b`. Ids decide within a second: they are sorted by time. */
export const isYounger = (a, b) => a.created_at > b.created_at || (a.created_at === b.created_at && a.id > b.id);

export class Videos {
  #byId = new Map();
  #gone = new Set();
  #listeners = [];

  /** Call `listener(video, before)` after each change; `video` is null when it went away, `before` null when it is new. */
  onChange(listener) {
    this.#listeners.push(listener);
  }

  get(id) {
    return this.#byId.get(id) ?? null;
  }

  /** All of them, newest first. */
  all() {
    return [...this.#byId.values()].sort((a, b) => (isYounger(a, b) ? -1 : 1));
  }

  /** What the server said of one video. A final state never changes, and what was removed stays away: news may come late. */
  put(video) {
    const before = this.get(video.id);
    if (this.#gone.has(video.id) || (before !== null && isFinal(before) && !isFinal(video))) return;
    this.#byId.set(video.id, { ...before, ...video });
    this.#tell(this.get(video.id), before);
  }

  /** Take a video off the page. */
  remove(id) {
    const before = this.get(id);
    this.#gone.add(id);
    if (this.#byId.delete(id)) this.#tell(null, before);
  }

  /** Bring a removed video back. */
  restore(video) {
    this.#gone.delete(video.id);
    this.put(video);
  }

  #tell(video, before) {
    for (const listener of this.#listeners) listener(video, before);
  }
}
