// Short messages at the foot of the page that go by themselves, and the voice for screen readers.

import { fromTemplate } from "./page.js";

const SHOWN_MS = 5000;
export const UNDO_MS = 8000;
const MAX_TOASTS = 3;

export class Toasts {
  #place;
  #voice;

  constructor(place, voice) {
    this.#place = place;
    this.#voice = voice;
  }

  /** Show `text` for a while. With `onUndo` there is a button that calls it; `onGone` is called when the time for that is over. */
  show(text, { onUndo = null, onGone = () => {} } = {}) {
    const { node, parts } = fromTemplate("toast");
    parts.text.textContent = text;
    parts.undo.hidden = onUndo === null;
    const close = (after) => {
      if (!node.isConnected) return;
      clearTimeout(timer);
      node.remove();
      after?.();
    };
    const timer = setTimeout(() => close(onGone), onUndo === null ? SHOWN_MS : UNDO_MS);
    parts.undo.addEventListener("click", () => close(onUndo));
    node.finish = () => close(onGone);
    this.#place.append(node);
    while (this.#place.children.length > MAX_TOASTS) this.#place.firstElementChild.finish();
  }

  /** End the time of every message now. */
  finishAll() {
    for (const node of [...this.#place.children]) node.finish();
  }

  /** Say `text` to screen readers only. */
  say(text) {
    this.#voice.textContent = text;
  }
}
