// What can be chosen: the models and their sizes, with each model's own numbers as the placeholders of the empty fields.

import { t } from "./words.js";

const NUMBERS = ["num_frames", "fps", "guidance_scale", "flow_shift"]; // a model's card has them by the same names
const LISTS = ["size", "vae", "step_cache", "loras"];
const NAMES = { full: "Full", half: "Half precision", tiny: "Tiny, the quickest", off: "None", mild: "Few", strong: "Many" };

export class ModelOptions {
  #form;
  #picture;
  #cards = [];

  /** `picture` is shown for models that take one. */
  constructor(form, picture) {
    this.#form = form;
    this.#picture = picture;
    form.elements.model.addEventListener("change", () => this.#showModel());
    form.elements.loras.addEventListener("change", () => this.#showStyle());
    document.getElementById("model-field").hidden = true;
    this.#showModel();
  }

  /** Fill the lists from `GET /v1/videos/models`. What was chosen stays chosen. */
  async load(api) {
    this.#cards = (await api.models()).data;
    const { model } = this.#form.elements;
    const chosen = model.value;
    model.replaceChildren(...this.#cards.map((card) => new Option(card.name ?? card.id, card.id)));
    document.getElementById("model-field").hidden = this.#cards.length < 2;
    this.choose("model", chosen || this.#cards[0]?.id);
  }

  /** Choose a value of a list, adding it where the list has it not: a clip may come from a model that is gone. */
  choose(name, value) {
    const select = this.#form.elements[name];
    if (value && ![...select.options].some((option) => option.value === value)) select.add(new Option(value, value));
    select.value = value ?? "";
    if (name === "model") this.#showModel();
    if (name === "loras") this.#showStyle();
  }

  /** The preset changed, and with it how many steps an empty field means. */
  presetChanged() {
    const { num_inference_steps: steps, preset } = this.#form.elements;
    steps.placeholder = this.#card.steps?.[preset.value] ?? t("Automatic");
  }

  /** Every list as the model likes it. */
  toDefaults() {
    for (const name of LISTS) this.#form.elements[name].value = "";
    this.#showModel();
  }

  #showModel() {
    const { elements } = this.#form;
    const card = this.#card;
    this.#fill("size", (card.supported_sizes ?? []).map((each) => [each.replace("x", " × "), each]), card.default_size);
    this.#fill("vae", (card.vae_tiers ?? []).map(named), card.vae_tiers?.[0]);
    this.#fill("step_cache", (card.step_caches ?? []).map(named), card.step_caches?.[0]);
    this.#fill("loras", [[t("None"), ""], ...(card.loras ?? []).map(({ name, title }) => [title || name, name])], "");
    for (const name of NUMBERS) elements[name].placeholder = card[name] ?? t("Automatic");
    this.#picture.offer((card.supported_frame_images ?? []).includes("first_frame"));
    this.presetChanged();
    this.#showStyle();
  }

  get #card() {
    return this.#cards.find((each) => each.id === this.#form.elements.model.value) ?? {};
  }

  /** The choices of a list as `[text, value]`; what was chosen stays where it is offered. Of lists with nothing to choose only the size is shown. */
  #fill(name, choices, otherwise) {
    const select = this.#form.elements[name];
    const chosen = select.value;
    const automatic = otherwise === undefined ? [new Option(t("Automatic"), "")] : [];
    select.replaceChildren(...automatic, ...choices.map((choice) => new Option(...choice)));
    select.value = choices.some(([, value]) => value === chosen) ? chosen : (otherwise ?? "");
    select.closest("label").hidden = select.options.length < 2 && name !== "size";
  }

  /** How strongly a style acts is asked for with one style only; a trigger is a word that it listens for. */
  #showStyle() {
    const { loras, lora_strength: strength } = this.#form.elements;
    const trigger = this.#card.loras?.find(({ name }) => name === loras.value)?.trigger;
    loras.closest("label").hidden = loras.options.length < 2; // a clip may bring one of its own
    strength.closest("label").hidden = loras.value === "" || loras.value.includes(",");
    document.getElementById("trigger").textContent = trigger ? t("Say “{trigger}” in the sentence.", { trigger }) : "";
  }
}

const named = (value) => [t(NAMES[value] ?? value), value];
