// Which clips the reader marked. Kept in this browser only; the server knows nothing of it.

import { keep } from "./keep.js";

const MAX_FAVOURITES = 1000; // the oldest marks go first; a browser's storage is small

export class Favourites {
  #ids = keep.get("favourites", []);

  has(id) {
    return this.#ids.includes(id);
  }

  /** Mark or unmark; returns whether it is marked now. */
  toggle(id) {
    const isMarked = !this.has(id);
    this.#ids = isMarked ? [...this.#ids, id].slice(-MAX_FAVOURITES) : this.#ids.filter((other) => other !== id);
    keep.set("favourites", this.#ids);
    return isMarked;
  }
}
