// The videos that are not ready: waiting, being made, or failed. One card each, oldest first, so that a card never moves.

import { fromTemplate, wantsStillness } from "./page.js";
import { isActive, isCancelled, isYounger } from "./videos.js";
import { adviceFor, duration, stageName, t } from "./words.js";

const TICK_MS = 1000; // how often the remaining time is counted down between two reports

export class Queue {
  #section = document.querySelector(".queue");
  #list = document.querySelector(".queue-list");
  #cards = new Map();
  #dismissed = new Set();
  #api;
  #actions;

  /** `actions`: `cancel`, `retry`, `edit`, `dismiss`, each given the video. */
  constructor(api, actions) {
    this.#api = api;
    this.#actions = actions;
    setInterval(() => this.#cards.forEach((card) => card.tick()), TICK_MS);
  }

  /** Show a video as it is now; take its card away when it is ready or was removed. */
  show(video, id = video.id) {
    const card = this.#cards.get(id);
    if (video !== null && this.#belongs(video, card !== undefined)) (card ?? this.#add(video)).show(video);
    else if (card !== undefined) this.#remove(id, card);
    this.#showTitle();
  }

  /** Fetch the newest preview of a video in the making. */
  preview(video) {
    this.#cards.get(video.id)?.preview(video);
  }

  #showTitle() {
    const isBusy = [...this.#cards.values()].some((card) => isActive(card.video));
    document.getElementById("queue-title").textContent = t(isBusy ? "In the making" : "Unfinished");
    this.#section.hidden = this.#cards.size === 0;
  }

  /** What was cancelled shows only until the page is left; a failure until the reader removes it. */
  #belongs(video, isShown) {
    if (isActive(video)) return true;
    return video.status === "failed" && !this.#dismissed.has(video.id) && (isShown || !isCancelled(video));
  }

  #add(video) {
    const card = new QueueCard(video, this.#api, { ...this.#actions, dismiss: (each) => (this.#dismissed.add(each.id), this.#actions.dismiss(each)) });
    const younger = [...this.#cards.values()].filter((other) => isYounger(other.video, video));
    younger.sort((a, b) => (isYounger(a.video, b.video) ? 1 : -1));
    this.#list.insertBefore(card.node, younger[0]?.node ?? null);
    this.#cards.set(video.id, card);
    return card;
  }

  #remove(id, card) {
    const hadFocus = card.node.contains(document.activeElement);
    card.release();
    card.node.remove();
    this.#cards.delete(id);
    if (hadFocus) document.getElementById(this.#cards.size > 0 ? "queue-title" : "gallery-title").focus();
  }
}

class QueueCard {
  #parts;
  #api;
  #eta = null;
  #endsAt = null;
  #step = null;
  #picture = null;
  #isStill = wantsStillness();

  constructor(video, api, actions) {
    const { node, parts } = fromTemplate("queue-card");
    this.node = node;
    this.video = video;
    this.#parts = parts;
    this.#api = api;
    parts.still.addEventListener("click", () => {
      this.#isStill = !this.#isStill;
      if (this.#picture !== null) this.#showPicture();
    });
    parts.still.hidden = true;
    for (const name of ["cancel", "retry", "edit", "dismiss"]) parts[name].addEventListener("click", () => actions[name](this.video));
  }

  show(video) {
    const eta = video.eta_seconds;
    if (eta !== this.#eta || video.status !== this.video.status) this.#endsAt = isNumber(eta) ? Date.now() / 1000 + eta : null;
    this.#eta = eta;
    this.video = video;
    this.node.dataset.status = video.status;
    this.node.dataset.cancelled = String(isCancelled(video));
    this.#parts.prompt.textContent = video.prompt;
    this.#parts.place.textContent = video.status === "queued" && isNumber(video.queue_position) ? String(video.queue_position + 1) : "";
    this.#showShape(video);
    this.#showProgress(video);
    this.#showFailure(video);
    this.#showActions(video);
    this.tick();
  }

  /** Count the remaining time down. */
  tick() {
    const video = this.video;
    const left = this.#endsAt === null ? 0 : this.#endsAt - Date.now() / 1000;
    const when = isActive(video) && left > 0 ? [t("ready in about {time}", { time: duration(left) })] : [];
    this.#parts.state.textContent = [...stateOf(video), ...when].join(" · ");
  }

  /** Bring the preview of the video's current step; the old one stays until the new one is there. */
  async preview(video) {
    const step = video.preview_step;
    if (!isNumber(step) || step === this.#step) return;
    this.#step = step;
    const source = await this.#api.source(video.id, "preview", step).catch(() => null); // none yet, or just gone: the next one comes
    if (source === null) return;
    const image = new Image();
    image.alt = "";
    image.src = source.src;
    await image.decode().catch(() => source.release());
    if (!image.naturalWidth || !this.node.isConnected) return source.release();
    this.release();
    this.#picture = { image, source };
    this.#showPicture();
  }

  /** Let go of the preview. */
  release() {
    this.#parts.preview.querySelector("img, canvas")?.remove();
    this.#picture?.source.release();
    this.#picture = null;
    this.#parts.still.hidden = true;
  }

  /** The preview moves, or only its first frame is shown: whoever wants no motion has a right to that. */
  #showPicture() {
    this.#parts.still.hidden = false;
    this.#parts.still.setAttribute("aria-pressed", String(this.#isStill));
    this.#parts.preview.querySelector("img, canvas")?.remove();
    this.#parts.preview.append(this.#isStill ? firstFrameOf(this.#picture.image) : this.#picture.image);
  }

  #showShape(video) {
    const [width, height] = (video.size ?? "").split("x").map(Number);
    if (width > 0 && height > 0) this.#parts.preview.style.aspectRatio = `${Math.max(width, height * 0.75)} / ${height}`;
  }

  #showProgress(video) {
    const { progress } = this.#parts;
    progress.hidden = video.status !== "in_progress";
    progress.value = video.progress ?? 0;
    progress.textContent = `${progress.value} %`;
    progress.setAttribute("aria-label", t("Progress: {prompt}", { prompt: video.prompt }));
  }

  #showFailure(video) {
    const isFailure = video.status === "failed" && !isCancelled(video);
    this.#parts.error.textContent = isFailure ? (video.error?.message ?? "") : "";
    this.#parts.advice.textContent = isFailure ? adviceFor(video.error?.code) : "";
  }

  #showActions(video) {
    const { cancel, retry, edit, dismiss } = this.#parts;
    const hadFocus = document.activeElement === cancel;
    cancel.hidden = !isActive(video);
    if (!isActive(video)) this.release();
    cancel.setAttribute("aria-label", t("Cancel: {prompt}", { prompt: video.prompt }));
    for (const button of [retry, edit, dismiss]) button.hidden = isActive(video);
    if (hadFocus && cancel.hidden) retry.focus();
  }
}

function firstFrameOf(image) {
  const canvas = document.createElement("canvas");
  [canvas.width, canvas.height] = [image.naturalWidth, image.naturalHeight];
  canvas.getContext("2d").drawImage(image, 0, 0);
  return canvas;
}

const isNumber = (value) => typeof value === "number";

/** Where a video stands, in words. */
function stateOf(video) {
  if (isCancelled(video)) return [t("Cancelled")];
  if (video.status === "failed") return [t("This one did not work")];
  if (video.status === "queued") return [placeOf(video)];
  const step = video.current_step;
  const stage = video.stage ? stageName(video.stage) : t("Getting ready");
  const isDrawing = isNumber(step) && step > 0 && (video.stage ?? "").startsWith("denoise");
  return isDrawing ? [stage, t("step {n} of {total}", { n: step, total: video.num_inference_steps })] : [stage];
}

function placeOf(video) {
  if (!isNumber(video.queue_position)) return t("Waiting");
  return video.queue_position === 0 ? t("Next in line") : t("{n} ahead", { n: video.queue_position });
}
