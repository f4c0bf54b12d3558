// The form: from what the reader wrote and chose to the requests that are sent.

import { keepInTab } from "./keep.js";
import { readSeed, relativesOf, seedAfter, withNextSeeds } from "./request.js";
import { IDEAS, language, refusalText, t } from "./words.js";

const MAX_TOKENS = 512; // what the text encoder of Wan reads
const CHARS_A_TOKEN = 4; // of English; Chinese has about one character a token
const NUMBERS = ["num_inference_steps", "guidance_scale", "num_frames", "fps", "flow_shift", "lora_strength"];
const CHOICES = ["model", "size", "sampler", "vae", "step_cache", "loras"];
const OFFERED = CHOICES.filter((name) => name !== "sampler"); // lists that the model fills
const AMOUNTS = {
  one: (request) => [request],
  seeds: withNextSeeds,
  alike: (request) => relativesOf(request),
};

export class Composer {
  #form = document.getElementById("composer");
  #prompt = document.getElementById("prompt");
  #error = document.getElementById("form-error");
  #promptError = document.getElementById("prompt-error");
  #button = this.#form.querySelector(".make");
  #idea = Math.floor(Math.random() * IDEAS[language].length);
  #seed;
  #options;
  #picture;
  #onSubmit;

  /** `onSubmit(requests)` sends them and raises `ApiError`; `onChange()` hears that an estimate may have changed. */
  constructor({ seed, options, picture, onSubmit, onChange }) {
    this.#seed = seed;
    this.#options = options;
    this.#picture = picture;
    this.#onSubmit = onSubmit;
    this.#form.addEventListener("submit", (event) => (event.preventDefault(), this.#submit()));
    this.#form.addEventListener("keydown", (event) => this.#hearKey(event));
    this.#form.addEventListener("input", () => (this.#clearErrors(), this.#show(), this.#remember()));
    this.#form.addEventListener("change", (event) => {
      if (event.target.name === "preset") options.presetChanged();
      if (event.target !== this.#prompt) onChange();
    });
    document.getElementById("inspire").addEventListener("click", () => this.#inspire());
    document.getElementById("defaults").addEventListener("click", () => (this.#toDefaults(), onChange()));
    document.getElementById("make-keys").textContent = /Mac|iP/.test(navigator.platform) ? "⌘ ↵" : "Ctrl ↵";
    this.#recall();
    this.#show();
  }

  /** The request as the form stands, but for the picture, which costs nothing. A prompt that is still empty and a seed that cannot be read are left for `submit` to refuse. */
  describe() {
    const { elements } = this.#form;
    const request = { prompt: this.#prompt.value.trim() || "…", preset: elements.preset.value, seed: readSeed(elements.seed.value) ?? 0 };
    const negative = elements.negative_prompt.value.trim();
    if (negative !== "") request.negative_prompt = negative;
    for (const name of CHOICES) if (elements[name].value !== "") request[name] = elements[name].value;
    for (const name of NUMBERS) {
      if (elements[name].closest("label").hidden) continue;
      if (!elements[name].validity.valid) return null;
      if (elements[name].value !== "") request[name] = Number(elements[name].value);
    }
    return request;
  }

  /** Fill the form with the request of an earlier clip, its seed locked. */
  use(request) {
    const { elements } = this.#form;
    this.#picture.use(request.input_reference?.image_url ?? null);
    this.#prompt.value = request.prompt;
    elements.negative_prompt.value = request.negative_prompt ?? "";
    elements.amount.value = "one";
    const settings = { vae: "full", step_cache: "off", ...request, ...styleOf(request.loras ?? []) };
    for (const name of CHOICES) this.#options.choose(name, settings[name]);
    for (const name of NUMBERS) elements[name].value = settings[name] ?? "";
    document.getElementById("negative-fold").open = Boolean(request.negative_prompt);
    this.#seed.set(request.seed);
    this.#seed.lock(true);
    this.#form.dispatchEvent(new Event("change"));
    this.#prompt.focus();
  }

  async #submit() {
    this.#clearErrors();
    const request = this.#read();
    if (request === null) return;
    const requests = AMOUNTS[this.#form.elements.amount.value]({ ...request, ...this.#picture.fields });
    this.#button.setAttribute("aria-busy", "true");
    try {
      await this.#onSubmit(requests);
      this.#afterwards(requests.length);
    } catch (error) {
      this.#refuse(error);
    } finally {
      this.#button.removeAttribute("aria-busy");
    }
  }

  /** The checked request, or null after saying what is wrong. */
  #read() {
    if (this.#button.getAttribute("aria-busy") === "true") return null;
    if (this.#prompt.value.trim() === "") {
      this.#promptError.textContent = t("Write a sentence first.");
      this.#prompt.setAttribute("aria-invalid", "true");
      this.#prompt.focus();
      return null;
    }
    if (this.#seed.read() === null) return null;
    const request = this.describe();
    if (request === null) {
      document.getElementById("advanced").open = true;
      this.#form.reportValidity();
    }
    return request;
  }

  #afterwards(numSent) {
    const { elements } = this.#form;
    if (this.#seed.isLocked) return;
    if (elements.amount.value === "seeds") this.#seed.set(seedAfter(elements.seed.value, numSent));
    else this.#seed.roll();
  }

  #refuse(error) {
    const field = this.#form.elements[error.param];
    this.#error.textContent = refusalText(error);
    if (!(field instanceof HTMLElement)) return;
    const fold = field.closest("details");
    if (fold !== null) fold.open = true;
    field.setAttribute("aria-invalid", "true");
    field.setAttribute("aria-describedby", "form-error");
    field.focus();
  }

  #clearErrors() {
    this.#error.textContent = "";
    this.#promptError.textContent = "";
    for (const field of this.#form.querySelectorAll("[aria-invalid]:not(#seed)")) field.removeAttribute("aria-invalid");
  }

  #hearKey(event) {
    if (event.key !== "Enter" || event.target.tagName === "BUTTON" || event.isComposing) return;
    if (event.ctrlKey || event.metaKey) {
      event.preventDefault();
      this.#form.requestSubmit();
    } else if (event.target.tagName === "INPUT") {
      event.preventDefault(); // a lone Enter in a number field should not spend minutes of a machine
    }
  }

  #show() {
    const text = this.#prompt.value;
    const numTokens = Math.ceil([...text].reduce((sum, char) => sum + (char > "\u2e7f" ? 1 : 1 / CHARS_A_TOKEN), 0));
    const count = document.getElementById("prompt-count");
    count.textContent = numTokens > MAX_TOKENS ? t("only the first 512 tokens count") : text === "" ? "" : t("about {n} of 512 tokens", { n: numTokens });
    count.classList.toggle("too-many", numTokens > MAX_TOKENS);
    const isOne = this.#form.elements.amount.value === "one";
    document.getElementById("make-label").textContent = t(isOne ? "Make the clip" : "Make four clips");
  }

  #inspire() {
    this.#idea = (this.#idea + 1) % IDEAS[language].length;
    this.#prompt.value = IDEAS[language][this.#idea];
    this.#prompt.dispatchEvent(new Event("input", { bubbles: true }));
    this.#prompt.focus();
  }

  #toDefaults() {
    for (const name of [...NUMBERS, "sampler"]) this.#form.elements[name].value = "";
    this.#options.toDefaults();
    this.#remember();
  }

  /** What is in the form survives a reload of the tab. */
  #remember() {
    const values = Object.fromEntries(new FormData(this.#form));
    keepInTab.set("form", { ...values, isLocked: this.#seed.isLocked });
  }

  #recall() {
    const { isLocked = false, seed, ...values } = keepInTab.get("form", {});
    const typed = Object.entries(values).filter(([name]) => name in this.#form.elements && !OFFERED.includes(name));
    for (const [name, value] of typed) this.#form.elements[name].value = value;
    for (const name of OFFERED) this.#options.choose(name, values[name]);
    document.getElementById("negative-fold").open = Boolean(values.negative_prompt);
    if (isLocked) this.#seed.set(seed);
    this.#seed.lock(isLocked);
  }
}

/** Adapters as the form has them: one by its name and strength, several as one text. */
function styleOf(loras) {
  if (loras.length !== 1) return { loras: loras.join(", ") };
  const [name, strength] = loras[0].split(":");
  return { loras: name, lora_strength: strength };
}
