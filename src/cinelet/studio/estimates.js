// How long each preset would take now, written on its button. A guess that fails to come is simply not shown.

import { duration, t } from "./words.js";

const CALM_MS = 400; // after the last change, so that typing does not ask once a key

export class Estimates {
  #api;
  #describe;
  #labels = [...document.querySelectorAll("[data-preset]")];
  #timer = null;
  #current = new AbortController();

  /** `describe()` is the request as the form stands, or null while a field in it cannot be read. */
  constructor(api, describe) {
    this.#api = api;
    this.#describe = describe;
  }

  /** Something that matters changed; ask again soon. */
  refreshSoon() {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#refresh(), CALM_MS);
  }

  async #refresh() {
    this.#current.abort();
    this.#current = new AbortController();
    const request = this.#describe();
    if (request !== null) await Promise.all(this.#labels.map((label) => this.#show(label, request, this.#current.signal)));
  }

  async #show(label, request, signal) {
    try {
      const estimate = await this.#api.estimate({ ...request, preset: label.dataset.preset }, signal);
      label.textContent = t("about {time}", { time: duration(estimate.eta_seconds) });
    } catch (error) {
      if (error.name !== "AbortError") label.textContent = "";
    }
  }
}
