// What a clip is asked for with: from a video back to the request that makes it again, its relatives, and code that sends it.
// Nothing of the page.

const FIELDS = [
  "prompt", "negative_prompt", "model", "size", "num_frames", "fps", "num_inference_steps", "guidance_scale", "guidance_scale_2",
  "sampler", "flow_shift", "seed",
];

const ALIKE = 0.3; // how far relatives turn from the seed's own noise: another clip, the same composition
const NUM_RELATIVES = 4;
const MAX_SEED = 2n ** 63n - 1n;

/** The request that makes `video` again: every number the server settled, the seed among them. */
export function requestOf(video) {
  const names = video.variation_strength > 0 ? [...FIELDS, "variation_seed", "variation_strength"] : FIELDS;
  const settled = { ...video, ...lighterWays(video), loras: stylesOf(video) };
  return Object.fromEntries([...names, "vae", "step_cache", "loras"].filter((name) => isGiven(settled[name])).map((name) => [name, settled[name]]));
}

/** The adapters of `video` as requests name them: `night`, `night:0.8`; null where there are none. */
export function stylesOf(video) {
  const uses = (video.loras ?? []).map(({ name, scale }) => (scale === 1 ? name : `${name}:${scale}`));
  return uses.length === 0 ? null : uses;
}

/** The decoder and the step cache of `video`, where they are not the usual ones. */
export function lighterWays({ vae, step_cache }) {
  return { vae: vae === "full" ? null : vae, step_cache: step_cache === "off" ? null : step_cache };
}

const isGiven = (value) => value !== null && value !== undefined && value !== "";

/** Four requests whose seeds count up from the request's own. */
export function withNextSeeds(request) {
  return Array.from({ length: NUM_RELATIVES }, (_, i) => ({ ...request, seed: seedAfter(request.seed, i) }));
}

/** Four requests whose noise lies close to that of the request's seed. `from` is the first variation seed. */
export function relativesOf(request, from = 1) {
  return Array.from({ length: NUM_RELATIVES }, (_, i) => ({ ...request, variation_seed: from + i, variation_strength: ALIKE }));
}

/** `seed + count` as a number, or as text where a number would lose digits; past the largest seed it goes on at 0. */
export function seedAfter(seed, count) {
  const next = (BigInt(seed) + BigInt(count)) % (MAX_SEED + 1n);
  return next <= BigInt(Number.MAX_SAFE_INTEGER) ? Number(next) : String(next);
}

/** A seed that every client language can carry: 31 bits. */
export function drawSeed() {
  return crypto.getRandomValues(new Uint32Array(1))[0] >>> 1;
}

/** Text as a seed, exact up to 2^63 - 1, or null. */
export function readSeed(text) {
  const trimmed = text.trim();
  return /^\d{1,19}$/.test(trimmed) && BigInt(trimmed) <= MAX_SEED ? seedAfter(trimmed, 0) : null;
}

/** A file or blob as a `data:` url. */
export function readAsUrl(file) {
  return new Promise((resolve, reject) => {
    const reader = new FileReader();
    reader.addEventListener("load", () => resolve(reader.result));
    reader.addEventListener("error", () => reject(reader.error));
    reader.readAsDataURL(file);
  });
}
