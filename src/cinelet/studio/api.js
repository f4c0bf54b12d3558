// The HTTP API as the page uses it: requests out, JSON in, every failure an `ApiError`. Nothing of the page.
//
// The key lives in this tab only and is sent as a header, so what <img> and <video> show must be fetched here when there is one.

import { keepInTab } from "./keep.js";
import { readAsUrl } from "./request.js";

const LONG_SEED = /("(?:variation_)?seed":\s*)(\d{16,})/g;
const QUOTED_SEED = /("(?:variation_)?seed":)"(\d+)"/g;

/** An answer that is no success. `status` is 0 where no answer came; `param` names the field at fault where the server said one. */
export class ApiError extends Error {
  constructor(message, { status = 0, code = null, param = null, retryAfterS = null } = {}) {
    super(message);
    Object.assign(this, { status, code, param, retryAfterS });
  }
}

export class Api {
  /** `base` is the URL of `/v1/`; `onRefused` is told when the server wants a key. */
  constructor(base, { onRefused = () => {} } = {}) {
    this.base = base;
    this.onRefused = onRefused;
    this.key = keepInTab.get("key");
  }

  useKey(key) {
    this.key = key;
    keepInTab.set("key", key);
  }

  create(request) {
    // One name for one press of the button: should the network repeat it, the server makes one clip.
    return this.json("POST", "videos", request, { "idempotency-key": randomName() });
  }

  remix(id, prompt) {
    return this.json("POST", `videos/${id}/remix`, { prompt }, { "idempotency-key": randomName() });
  }

  estimate(request, signal) {
    return this.json("POST", "videos/estimate", request, {}, signal);
  }

  models() {
    return this.json("GET", "videos/models");
  }

  /** One page of videos, newest first, those older than `after`. */
  list({ limit, after = null }) {
    const page = new URLSearchParams({ limit, order: "desc" });
    if (after !== null) page.set("after", after);
    return this.json("GET", `videos?${page}`);
  }

  get(id) {
    return this.json("GET", `videos/${id}`);
  }

  /** The same request and seed once more, as a new video. */
  retry(id) {
    return this.json("POST", `videos/${id}/retry`);
  }

  cancel(id) {
    return this.json("POST", `videos/${id}/cancel`);
  }

  /** Delete for good. It also goes out while the page is being closed. */
  async delete(id) {
    return readJson(await this.send("DELETE", `videos/${id}`, { keepalive: true }));
  }

  /** The address of a video's bytes: `variant` video, thumbnail, start_image or preview (then `step` tells the previews apart). */
  contentUrl(id, variant, step = null) {
    const url = new URL(`videos/${id}/content`, this.base);
    url.searchParams.set("variant", variant);
    if (step !== null) url.searchParams.set("step", step);
    return url.href;
  }

  /** The picture that a video began with, as a `data:` url. */
  async startPicture(id) {
    return readAsUrl(await (await this.send("GET", this.contentUrl(id, "start_image"))).blob());
  }

  /** An address that <img> and <video> can open, and `release()` for when nothing shows it any more. Raises `ApiError`. */
  async source(id, variant, step = null) {
    const url = this.contentUrl(id, variant, step);
    if (this.key === null) return { src: url, release() {} };
    const blob = await (await this.send("GET", url)).blob();
    const src = URL.createObjectURL(blob);
    return { src, release: () => URL.revokeObjectURL(src) };
  }

  async json(method, path, body = null, headers = {}, signal = undefined) {
    const sent = body === null ? {} : { body: writeJson(body), headers: { "content-type": "application/json", ...headers } };
    return readJson(await this.send(method, path, { ...sent, signal }));
  }

  /** Fetch `path` below the base; the answer if it is a success. Raises `ApiError`; an aborted fetch stays an AbortError. */
  async send(method, path, { headers = {}, ...rest } = {}) {
    const authorization = this.key === null ? {} : { authorization: `Bearer ${this.key}` };
    let answer;
    try {
      answer = await fetch(new URL(path, this.base), { method, headers: { ...headers, ...authorization }, cache: "no-store", ...rest });
    } catch (error) {
      if (error.name === "AbortError") throw error;
      throw new ApiError("", { status: 0, code: "unreachable" });
    }
    if (answer.ok) return answer;
    const refusal = await readRefusal(answer);
    if (refusal.status === 401) this.onRefused();
    throw refusal;
  }
}

/** A name nobody else drew. `crypto.randomUUID` is missing on plain http. */
export function randomName() {
  return Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, "0")).join("");
}

async function readRefusal(answer) {
  const text = await answer.text().catch(() => "");
  const retryAfter = Number(answer.headers.get("retry-after") ?? Number.NaN);
  const facts = { status: answer.status, retryAfterS: Number.isFinite(retryAfter) ? retryAfter : null };
  try {
    const { message, code = null, param = null } = JSON.parse(text).error;
    return new ApiError(message, { ...facts, code, param });
  } catch {
    return new ApiError(`HTTP ${answer.status}`, facts);
  }
}

async function readJson(answer) {
  try {
    return parseJson(await answer.text());
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new ApiError("", { status: 0, code: "unreachable" });
  }
}

/** JSON in which seeds beyond 2^53 stay exact: they become text, and `writeJson` makes them numbers again. */
export function parseJson(text) {
  return JSON.parse(text.replace(LONG_SEED, '$1"$2"'));
}

export function writeJson(value, indent = undefined) {
  return JSON.stringify(value, null, indent).replace(indent === undefined ? QUOTED_SEED : /("(?:variation_)?seed": )"(\d+)"/g, "$1$2");
}
