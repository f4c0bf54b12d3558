// One clip in full: player, settings, what to do with it, and the code that makes it again.

import { writeJson } from "./api.js";
import { factsOf } from "./gallery.js";
import { copyText, fromTemplate, wantsStillness } from "./page.js";
import { lighterWays, requestOf, stylesOf } from "./request.js";
import { snippetsFor } from "./snippets.js";
import { duration, refusalText, t } from "./words.js";

const PARAMETERS = [
  ["Model", "model"], ["Size", "size"], ["Frames", "num_frames"], ["Frames per second", "fps"], ["Steps", "num_inference_steps"],
  ["Guidance", "guidance_scale"], ["Sampler", "sampler"], ["Flow shift", "flow_shift"], ["Seed", "seed"], ["Negative prompt", "negative_prompt"],
  ["Style", "style"], ["Decoder", "vae"], ["Cached steps", "step_cache"],
];
const MAX_NAME_CHARS = 60;

export class Details {
  #dialog = document.getElementById("details");
  #api;
  #favourites;
  #toasts;
  #actions;
  #video = null;
  #parts = {};
  #source = null;

  /** `actions`: `reuse`, `vary`, `remix(video, prompt)`, `delete`, `mark`, `closed(id)`. */
  constructor(api, favourites, toasts, actions) {
    this.#api = api;
    this.#favourites = favourites;
    this.#toasts = toasts;
    this.#actions = actions;
    this.#dialog.addEventListener("close", () => this.#closed());
    this.#dialog.addEventListener("click", (event) => {
      if (event.target === this.#dialog) this.close(); // the backdrop
    });
  }

  open(video) {
    const { node, parts } = fromTemplate("details-body");
    this.#video = video;
    this.#parts = parts;
    this.#dialog.replaceChildren(node);
    parts.prompt.textContent = video.prompt;
    parts.facts.textContent = factsOf(video);
    parts.remixPrompt.value = video.prompt;
    this.#showParameters();
    this.#showStart();
    this.#showSnippets();
    this.#showMark();
    this.#listen();
    this.#dialog.showModal();
    this.#play();
  }

  close() {
    this.#dialog.close();
  }

  #closed() {
    const { id } = this.#video;
    this.#parts.player.removeAttribute("src");
    this.#source?.release();
    this.#source = null;
    this.#dialog.replaceChildren();
    this.#actions.closed(id);
  }

  async #play() {
    const { player, download, error } = this.#parts;
    const video = this.#video;
    player.setAttribute("aria-label", video.prompt);
    player.addEventListener("error", () => (error.textContent = t("The clip cannot be loaded: {why}", { why: player.error?.message ?? "" })));
    try {
      const source = await this.#api.source(video.id, "video");
      if (this.#video !== video || !this.#dialog.open) return source.release();
      this.#source = source;
      player.src = source.src;
      download.href = source.src;
      download.download = `${fileName(video)}.mp4`;
      if (!wantsStillness()) await player.play().catch(() => {}); // the controls are there
    } catch (failure) {
      error.textContent = t("The clip cannot be loaded: {why}", { why: refusalText(failure) });
    }
  }

  #listen() {
    const { close, reuse, vary, favourite, remixForm, remixPrompt, delete: bin } = this.#parts;
    const video = this.#video;
    close.addEventListener("click", () => this.close());
    reuse.addEventListener("click", () => this.#finish(() => this.#actions.reuse(video)));
    vary.addEventListener("click", () => this.#attempt(() => this.#actions.vary(video)));
    bin.addEventListener("click", () => this.#finish(() => this.#actions.delete(video)));
    favourite.addEventListener("click", () => (this.#actions.mark(video), this.#showMark()));
    remixForm.addEventListener("submit", (event) => {
      event.preventDefault();
      this.#attempt(() => this.#actions.remix(video, remixPrompt.value.trim()));
    });
  }

  /** Close, and once the focus is back on the page, act. */
  #finish(action) {
    this.#dialog.addEventListener("close", action, { once: true });
    this.close();
  }

  /** Do what may be refused; the dialog stays open to say why. */
  async #attempt(action) {
    this.#parts.error.textContent = "";
    try {
      await action();
      this.close();
    } catch (error) {
      this.#parts.error.textContent = refusalText(error);
    }
  }

  #showMark() {
    this.#parts.favourite.setAttribute("aria-pressed", String(this.#favourites.has(this.#video.id)));
  }

  #showParameters() {
    const video = this.#video;
    const settled = { ...video, ...lighterWays(video), style: stylesOf(video)?.join(", ") };
    const facts = PARAMETERS.filter(([, name]) => (settled[name] ?? "") !== "").map(([label, name]) => [t(label), String(settled[name])]);
    if (video.variation_strength > 0) facts.push([t("Variation"), `${video.variation_seed} · ${video.variation_strength}`]);
    if (video.inference_time_s) facts.push([t("Made in"), duration(video.inference_time_s)]);
    this.#parts.parameters.append(...facts.map(([label, value]) => pair(label, value)));
    const copy = Object.assign(document.createElement("button"), { type: "button", className: "quiet-button", textContent: t("Copy as JSON") });
    copy.addEventListener("click", () => this.#copy(writeJson(requestOf(video), 2)));
    this.#parts.warnings.after(copy);
    this.#parts.warnings.append(...(video.warnings ?? []).map((text) => Object.assign(document.createElement("li"), { textContent: text })));
  }

  /** The picture that the clip began with, to look at and to keep. */
  async #showStart() {
    const video = this.#video;
    const { startFigure: figure, startLink: link, start } = this.#parts;
    if (!video.has_start_image) return;
    try {
      start.src = link.href = await this.#api.startPicture(video.id);
      figure.hidden = false;
    } catch {
      // It went with the job's other files; the player says so.
    }
  }

  #showSnippets() {
    const { languages, snippet, copySnippet } = this.#parts;
    const snippets = snippetsFor(this.#video, this.#api.base.href, this.#api.key !== null);
    const choose = (chosen) => {
      for (const button of languages.children) button.setAttribute("aria-pressed", String(button.textContent === chosen[0]));
      snippet.textContent = chosen[1];
    };
    for (const each of snippets) {
      const button = Object.assign(document.createElement("button"), { type: "button", textContent: each[0] });
      button.addEventListener("click", () => choose(each));
      languages.append(button);
    }
    choose(snippets[0]);
    copySnippet.addEventListener("click", () => this.#copy(snippet.textContent));
  }

  async #copy(text) {
    this.#toasts.show(t((await copyText(text)) ? "Copied." : "Copying did not work; select the text instead."));
  }
}

function pair(label, value) {
  const node = document.createElement("div");
  node.append(Object.assign(document.createElement("dt"), { textContent: label }), Object.assign(document.createElement("dd"), { textContent: value }));
  return node;
}

/** The prompt as the name of a file, with the seed. */
function fileName(video) {
  const words = video.prompt.toLowerCase().replace(/[^\p{L}\p{N}]+/gu, "-").slice(0, MAX_NAME_CHARS).replace(/^-|-$/g, "");
  return `${words || "clip"}-${video.seed}`;
}
