// Tells of finished clips while the reader looks elsewhere: a mark in the title, and a notification where that was wished for.

import { keep } from "./keep.js";
import { t } from "./words.js";

const TITLE = "cinelet studio";

export class Notifier {
  #button;
  #toasts;
  #numReady = 0;
  #progress = null;

  constructor(button, toasts) {
    this.#button = button;
    this.#toasts = toasts;
    button.hidden = !("Notification" in window && window.isSecureContext);
    button.addEventListener("click", () => this.#toggle());
    document.addEventListener("visibilitychange", () => this.#look());
    this.#paint();
  }

  /** A clip became ready. */
  ready(video) {
    if (document.visibilityState === "visible") return;
    this.#numReady += 1;
    this.#showTitle();
    if (!this.#isOn()) return;
    try {
      new Notification(t("Your clip is ready"), { body: video.prompt, icon: "icon.svg", tag: video.id });
    } catch {
      // Browsers on phones allow this to service workers only; the title tells it.
    }
  }

  /** The percent of the clip that is being made, or null when none is. */
  progress(percent) {
    this.#progress = percent;
    this.#showTitle();
  }

  #look() {
    if (document.visibilityState === "visible") this.#numReady = 0;
    this.#showTitle();
  }

  #showTitle() {
    const ready = this.#numReady > 0 ? `(${this.#numReady}) ` : "";
    const progress = this.#progress === null ? "" : `${this.#progress} % · `;
    document.title = `${ready}${progress}${TITLE}`;
  }

  #isOn() {
    return keep.get("notify", false) && Notification.permission === "granted";
  }

  async #toggle() {
    const wish = !this.#isOn();
    if (wish && Notification.permission !== "granted" && (await Notification.requestPermission()) !== "granted") {
      this.#toasts.show(t("Notifications are blocked for this page in the browser's settings."));
      return;
    }
    keep.set("notify", wish);
    if (wish) this.#toasts.show(t("You will be notified when a clip is ready."));
    this.#paint();
  }

  #paint() {
    if (!this.#button.hidden) this.#button.setAttribute("aria-pressed", String(this.#isOn()));
  }
}
