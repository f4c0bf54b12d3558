// The finished clips, newest first: a still that plays while the pointer rests on it, and opens the details when pressed.

import { fromTemplate, wantsStillness } from "./page.js";
import { isYounger } from "./videos.js";
import { ago, t } from "./words.js";

const MINUTE_MS = 60_000;
const REST_MS = 150; // a pointer that only passes by starts nothing

export class Gallery {
  #section = document.querySelector(".gallery");
  #list = document.querySelector(".gallery-list");
  #search = document.getElementById("search");
  #onlyFavourites = document.getElementById("only-favourites");
  #cards = new Map();
  #seen = new IntersectionObserver((entries) => this.#load(entries), { rootMargin: "400px" });
  #api;
  #favourites;
  #onOpen;
  #isLoaded = false;

  constructor(api, favourites, { onOpen }) {
    this.#api = api;
    this.#favourites = favourites;
    this.#onOpen = onOpen;
    setInterval(() => this.#cards.forEach((card) => card.showFacts()), MINUTE_MS);
    this.#search.addEventListener("input", () => this.filter());
    this.#onlyFavourites.addEventListener("click", () => {
      this.#onlyFavourites.setAttribute("aria-pressed", String(this.#onlyFavourites.getAttribute("aria-pressed") !== "true"));
      this.filter();
    });
  }

  /** Show a finished video, or take its card away when `video` is null. */
  show(video, id = video.id) {
    const card = this.#cards.get(id);
    if (video === null || video.status !== "completed") this.#remove(id, card);
    else if (card === undefined) this.#add(video);
    this.filter();
  }

  /** The first answer of the server is there: an empty gallery is now known to be empty. */
  loaded() {
    this.#isLoaded = true;
    this.filter();
  }

  /** Hide what the reader does not look for. */
  filter() {
    const words = this.#search.value.toLowerCase().split(/\s+/).filter(Boolean);
    const onlyMarked = this.#onlyFavourites.getAttribute("aria-pressed") === "true";
    let numShown = 0;
    for (const [id, card] of this.#cards) {
      const text = card.video.prompt.toLowerCase();
      card.node.hidden = !words.every((word) => text.includes(word)) || (onlyMarked && !this.#favourites.has(id));
      numShown += card.node.hidden ? 0 : 1;
    }
    this.#section.querySelector(".gallery-tools").hidden = this.#cards.size === 0;
    document.getElementById("no-match").hidden = this.#cards.size === 0 || numShown > 0;
    document.getElementById("first-run").hidden = !this.#isLoaded || this.#cards.size > 0;
  }

  /** The favourite mark of a clip was changed elsewhere. */
  markChanged(id) {
    this.#cards.get(id)?.showMark(this.#favourites.has(id));
    this.filter();
  }

  /** Give the focus back to the card of a clip, or to the headline when it is gone. */
  focus(id) {
    const card = this.#cards.get(id);
    if (card === undefined) document.getElementById("gallery-title").focus();
    else card.open.focus();
  }

  #add(video) {
    const card = new ClipCard(video, this.#api, this.#favourites.has(video.id), {
      onOpen: () => this.#onOpen(video.id),
      onMark: () => {
        this.#favourites.toggle(video.id);
        this.markChanged(video.id);
      },
    });
    const older = [...this.#cards.values()].filter((other) => isYounger(video, other.video));
    older.sort((a, b) => (isYounger(a.video, b.video) ? -1 : 1));
    this.#list.insertBefore(card.node, older[0]?.node ?? null);
    this.#cards.set(video.id, card);
    card.node.dataset.id = video.id;
    this.#seen.observe(card.node);
  }

  #remove(id, card) {
    if (card === undefined) return;
    this.#seen.unobserve(card.node);
    card.release();
    card.node.remove();
    this.#cards.delete(id);
  }

  #load(entries) {
    for (const { isIntersecting, target } of entries) {
      if (!isIntersecting) continue;
      this.#seen.unobserve(target);
      this.#cards.get(target.dataset.id)?.load();
    }
  }
}

class ClipCard {
  #api;
  #parts;
  #sources = new Map();
  #timer = null;
  #player = null;

  constructor(video, api, isMarked, { onOpen, onMark }) {
    const { node, parts } = fromTemplate("clip-card");
    this.video = video;
    this.node = node;
    this.open = parts.open;
    this.#api = api;
    this.#parts = parts;
    parts.prompt.textContent = video.prompt;
    parts.prompt.title = video.prompt;
    parts.open.setAttribute("aria-label", t("Play: {prompt}", { prompt: video.prompt }));
    parts.open.addEventListener("click", onOpen);
    parts.open.addEventListener("pointerenter", (event) => this.#rest(event));
    parts.open.addEventListener("pointerleave", () => this.#stop());
    parts.favourite.addEventListener("click", onMark);
    const [width, height] = (video.size ?? "").split("x").map(Number);
    node.classList.toggle("tall", height > width);
    this.showMark(isMarked);
    this.showFacts();
  }

  /** The line under the clip; what it says of the time grows old. */
  showFacts() {
    this.#parts.facts.textContent = factsOf(this.video);
  }

  showMark(isMarked) {
    this.#parts.favourite.setAttribute("aria-pressed", String(isMarked));
  }

  /** Fetch the still. */
  async load() {
    const source = await this.#source("thumbnail");
    if (source !== null) this.#parts.thumbnail.src = source.src;
  }

  /** Let go of everything fetched. */
  release() {
    this.#stop();
    for (const source of this.#sources.values()) source.release();
    this.#sources.clear();
  }

  #rest({ pointerType }) {
    if (pointerType === "mouse" && !wantsStillness()) this.#timer = setTimeout(() => this.#play(), REST_MS);
  }

  async #play() {
    const timer = this.#timer;
    const source = await this.#source("video");
    if (source === null || timer !== this.#timer) return;
    const player = Object.assign(document.createElement("video"), { muted: true, loop: true, playsInline: true, src: source.src });
    player.setAttribute("aria-hidden", "true");
    player.tabIndex = -1;
    this.#player = player;
    this.#parts.thumbnail.after(player);
    player.play().catch(() => {}); // the browser may refuse; the still remains
  }

  #stop() {
    clearTimeout(this.#timer);
    this.#timer = null;
    this.#player?.remove();
    this.#player = null;
  }

  async #source(variant) {
    try {
      if (!this.#sources.has(variant)) this.#sources.set(variant, await this.#api.source(this.video.id, variant));
      return this.#sources.get(variant);
    } catch {
      return null; // the card stays without a picture; opening it tells why
    }
  }
}

/** The line under a clip. */
export function factsOf(video, now = Date.now() / 1000) {
  const seconds = t("{n} s", { n: Number(video.seconds).toFixed(1).replace(/\.0$/, "") });
  const facts = [ago(video.completed_at ?? video.created_at, now), seconds];
  if (video.cached) facts.push(t("from the cache"));
  return facts.filter(Boolean).join(" · ");
}
