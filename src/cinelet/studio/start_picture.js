// The picture that a clip begins with, on models that take one: chosen from a file, or that of an earlier clip. Kept as a `data:` url.

import { readAsUrl } from "./request.js";

export class StartPicture {
  #field = document.getElementById("start-picture");
  #file = document.getElementById("input_reference"); // as the server calls it where it refuses one
  #shown = this.#field.querySelector("img");
  #remove = this.#field.querySelector("button");
  #url = null;

  constructor() {
    this.#file.addEventListener("change", () => this.#read());
    this.#remove.addEventListener("click", () => (this.use(null), this.#file.focus()));
  }

  /** Whether the chosen model takes a picture. One that was chosen waits for the model that does. */
  offer(isTaken) {
    this.#field.hidden = !isTaken;
  }

  /** Begin with the picture at a `data:` url, or with none. */
  use(url) {
    this.#file.value = "";
    this.#show(url);
  }

  /** What it adds to a request. */
  get fields() {
    return this.#field.hidden || this.#url === null ? {} : { input_reference: { image_url: this.#url } };
  }

  async #read() {
    const [file] = this.#file.files;
    this.#show(file === undefined ? null : await readAsUrl(file));
  }

  #show(url) {
    this.#url = url;
    this.#shown.hidden = this.#remove.hidden = url === null;
    if (url !== null) this.#shown.src = url;
  }
}
