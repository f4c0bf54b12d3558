// What can be chosen: the models and their sizes, with each model's own numbers as the placeholders of the empty fields.

import { t } from "./words.js";

const NUMBERS = ["num_frames", "fps", "guidance_scale", "flow_shift"]; // a model's card has them by the same names

export class ModelOptions {
  #form;
  #cards = [];

  constructor(form) {
    this.#form = form;
    form.elements.model.addEventListener("change", () => this.#showModel());
    form.elements.size.replaceChildren(new Option(t("Automatic"), ""));
    document.getElementById("model-field").hidden = true;
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
  }

  /** The preset changed, and with it how many steps an empty field means. */
  presetChanged() {
    this.#showModel();
  }

  #showModel() {
    const { model, size, num_inference_steps: steps } = this.#form.elements;
    const card = this.#cards.find((each) => each.id === model.value) ?? {};
    const chosen = size.value;
    const sizes = (card.supported_sizes ?? []).map((each) => new Option(each.replace("x", " × "), each));
    size.replaceChildren(...(card.default_size ? [] : [new Option(t("Automatic"), "")]), ...sizes);
    size.value = sizes.some((option) => option.value === chosen) ? chosen : (card.default_size ?? "");
    for (const name of NUMBERS) this.#form.elements[name].placeholder = card[name] ?? t("Automatic");
    steps.placeholder = card.steps?.[this.#form.elements.preset.value] ?? t("Automatic");
  }
}
