// The seed: shown before the clip is made, rolled anew after each submission unless it is locked.

import { copyText } from "./page.js";
import { drawSeed, readSeed } from "./request.js";
import { t } from "./words.js";

export class SeedField {
  #input = document.getElementById("seed");
  #error = document.getElementById("seed-error");
  #lock = document.getElementById("seed-lock");

  constructor(toasts) {
    document.getElementById("seed-dice").addEventListener("click", () => this.roll());
    document.getElementById("seed-copy").addEventListener("click", async () => {
      toasts.show(t((await copyText(this.#input.value)) ? "Copied." : "Copying did not work; select the text instead."));
    });
    this.#lock.addEventListener("click", () => this.lock(!this.isLocked));
    this.#input.addEventListener("change", () => this.lock(true)); // whoever types a seed means to keep it
    this.#input.addEventListener("input", () => this.refuse(""));
    this.roll();
  }

  get isLocked() {
    return this.#lock.getAttribute("aria-pressed") === "true";
  }

  lock(isLocked) {
    this.#lock.setAttribute("aria-pressed", String(isLocked));
    this.#tell();
  }

  /** Draw another seed. */
  roll() {
    this.set(drawSeed());
    this.refuse("");
  }

  set(seed) {
    this.#input.value = String(seed);
    this.#tell();
  }

  /** The seed as typed, or null after saying what is wrong with it. */
  read() {
    const seed = readSeed(this.#input.value);
    if (seed === null) {
      this.refuse(t("A seed is a whole number from 0 to 9223372036854775807."));
      this.#input.focus();
    }
    return seed;
  }

  #tell() {
    this.#input.dispatchEvent(new Event("input", { bubbles: true }));
  }

  refuse(text) {
    this.#error.textContent = text;
    this.#input.toggleAttribute("aria-invalid", text !== "");
  }
}
