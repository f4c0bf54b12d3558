// The page, put together: what happens in one part is told to the others here and nowhere else.

import { Api } from "./api.js";
import { Composer } from "./composer.js";
import { Connection } from "./connection.js";
import { Details } from "./details.js";
import { Estimates } from "./estimates.js";
import { Favourites } from "./favourites.js";
import { Gallery } from "./gallery.js";
import { keep, keepInTab } from "./keep.js";
import { ModelOptions } from "./model_options.js";
import { Notifier } from "./notifier.js";
import { Queue } from "./queue.js";
import { relativesOf, requestOf } from "./request.js";
import { SeedField } from "./seed_field.js";
import { StartPicture } from "./start_picture.js";
import { Toasts } from "./toasts.js";
import { isActive, isCancelled, isFinal, Videos } from "./videos.js";
import { language, refusalText, t, translate } from "./words.js";
import { wantsStillness } from "./page.js";

const SAID_EVERY_PERCENT = 25;
const NARROW = "(max-width: 899px)"; // where the queue lies below the form, out of sight
const PAGE_SIZE = 50;
const MAX_ERASED = 100; // ids of erased clips that the tab remembers: the server may list one for a moment longer

const byId = (id) => document.getElementById(id);

let hasAskedForOptions = false;
let hasLoadedMore = false;

translate(document);
document.documentElement.lang = language === "zh" ? "zh-Hans" : "en";

const toasts = new Toasts(byId("toasts"), byId("announcer"));
const notifier = new Notifier(byId("notify"), toasts);
const favourites = new Favourites();
const videos = new Videos();
const api = new Api(new URL("../v1/", document.baseURI), { onRefused: askForKey });

const queue = new Queue(api, { cancel, retry, edit: (video) => reuse(video), dismiss: forget });
const gallery = new Gallery(api, favourites, { onOpen: (id) => details.open(videos.get(id)) });
const details = new Details(api, favourites, toasts, {
  reuse,
  vary: async (video) => send(relativesOf(await wholeRequestOf(video), nextVariation(video))),
  remix: async (video, prompt) => welcome([await api.remix(video.id, prompt)]),
  delete: remove,
  mark: (video) => (favourites.toggle(video.id), gallery.markChanged(video.id)),
  closed: (id) => gallery.focus(id),
});

const picture = new StartPicture();
const options = new ModelOptions(byId("composer"), picture);
const composer = new Composer({ seed: new SeedField(toasts), options, picture, onSubmit: send, onChange: () => estimates.refreshSoon() });
const estimates = new Estimates(api, () => composer.describe());
const connection = new Connection(api, videos, { onPreview: (video) => queue.preview(video), onState: showState, onPage: showPage });

for (const id of keepInTab.get("erased", [])) videos.remove(id);

// ------------------------------------------------------------------------------------------------- news from the server

videos.onChange((video, before) => {
  const id = (video ?? before).id;
  queue.show(video, id);
  gallery.show(video, id);
  notifier.progress(videos.all().find((each) => each.status === "in_progress")?.progress ?? null);
  if (video !== null && before !== null) tell(video, before);
  if (video?.status !== before?.status) estimates.refreshSoon();
});

/** Say what changed, to those who cannot see it or look elsewhere: each state, and each quarter of the way. */
function tell(video, before) {
  const { prompt } = video;
  const quarter = ({ progress }) => Math.floor((progress ?? 0) / SAID_EVERY_PERCENT);
  if (video.status !== before.status) {
    if (video.status === "in_progress") toasts.say(t("Started: {prompt}", { prompt }));
    if (video.status === "completed") toasts.say(t("Ready: {prompt}", { prompt }));
    if (video.status === "failed") toasts.say(t(isCancelled(video) ? "Cancelled: {prompt}" : "Failed: {prompt}", { prompt }));
    if (video.status === "completed") notifier.ready(video);
  } else if (isActive(video) && quarter(video) > quarter(before)) {
    toasts.say(t("{n} % done: {prompt}", { n: quarter(video) * SAID_EVERY_PERCENT, prompt }));
  }
}

function showState(state) {
  const wasLost = !byId("lost").hidden;
  byId("lost").hidden = state !== "lost";
  document.documentElement.dataset.connection = state;
  if (state === "lost") return;
  gallery.loaded();
  if (wasLost || !hasAskedForOptions) loadOptions();
}

/** The first page tells whether there are older ones; later on, the button itself knows better. */
function showPage(page) {
  if (!hasLoadedMore) byId("more").hidden = !page.has_more;
}

// ---------------------------------------------------------------------------------------------------- what people do

/** Send requests one after the other. Raises `ApiError` at the first that is refused; those before it are on their way. */
async function send(requests) {
  const sent = [];
  try {
    for (const request of requests) sent.push(await api.create(request));
  } finally {
    if (sent.length > 0) welcome(sent);
  }
}

function welcome(created) {
  for (const video of created) videos.put(video);
  toasts.say(t(created.length === 4 ? "Four clips added to the queue." : "Added to the queue."));
  if (matchMedia(NARROW).matches) scrollTo(byId("clips"));
}

async function cancel(video) {
  try {
    videos.put(await api.cancel(video.id));
  } catch (error) {
    toasts.show(refusalText(error));
  }
}

/** Ask for the same again; the failed one makes room once the new one is accepted. */
async function retry(video) {
  try {
    welcome([await api.retry(video.id)]);
    forget(video);
  } catch (error) {
    toasts.show(refusalText(error));
  }
}

async function reuse(video) {
  try {
    composer.use(await wholeRequestOf(video));
    toasts.show(t("The settings are in the form."));
  } catch (error) {
    composer.use(requestOf(video));
    toasts.show(t("The settings are in the form, but the picture is gone: {why}", { why: refusalText(error) }));
  }
  scrollTo(byId("composer"));
}

/** The request that makes `video` again, the picture that it began with included. Raises `ApiError` where that is gone. */
async function wholeRequestOf(video) {
  const request = requestOf(video);
  return video.has_start_image ? { ...request, input_reference: { image_url: await api.startPicture(video.id) } } : request;
}

/** Take a clip off the page at once, and off the server when the time to undo is over. */
function remove(video) {
  videos.remove(video.id);
  byId("gallery-title").focus();
  toasts.show(t("Clip deleted."), { onUndo: () => undo(video), onGone: () => erase(video) });
}

function undo(video) {
  videos.restore(video);
  gallery.focus(video.id);
}

/** Take a failed video off the page and off the server; nothing of it is worth an undo. */
function forget(video) {
  videos.remove(video.id);
  erase(video);
}

async function erase(video) {
  const others = keepInTab.get("erased", []).filter((id) => id !== video.id);
  keepInTab.set("erased", [...others, video.id].slice(-MAX_ERASED)); // first: the page may end before the answer comes
  try {
    await api.delete(video.id);
  } catch (error) {
    if (error.status === 404) return; // somebody else was faster
    keepInTab.set("erased", others);
    videos.restore(video);
    toasts.show(t("The clip could not be deleted: {why}", { why: refusalText(error) }));
  }
}

/** The first variation seed of this clip's seed that no known clip has used. */
function nextVariation(video) {
  const used = videos.all().filter(({ seed, prompt }) => seed === video.seed && prompt === video.prompt).map((each) => Number(each.variation_seed ?? 0));
  return Math.max(0, ...used) + 1;
}

// ------------------------------------------------------------------------------------------------------- the page itself

async function loadOptions() {
  hasAskedForOptions = true;
  try {
    await options.load(api);
  } catch {
    // The lists stay as they are: the server decides what an empty field means. The next connection asks again.
  }
  estimates.refreshSoon();
}

function askForKey() {
  document.documentElement.dataset.connection = "refused";
  if (!byId("key").hidden) return;
  byId("key").hidden = false;
  byId("key-error").textContent = api.key === null ? "" : t("This key was not accepted.");
  byId("key-input").focus();
}

byId("key").addEventListener("submit", (event) => {
  event.preventDefault();
  api.useKey(byId("key-input").value);
  byId("key-input").value = "";
  byId("key").hidden = true;
  connection.retry();
});

byId("more").addEventListener("click", async () => {
  const oldest = videos.all().at(-1);
  try {
    const page = await api.list({ limit: PAGE_SIZE, after: oldest.id });
    for (const video of page.data) videos.put(video);
    hasLoadedMore = true;
    byId("more").hidden = !page.has_more;
  } catch (error) {
    toasts.show(refusalText(error));
  }
});

byId("theme").addEventListener("click", () => {
  const root = document.documentElement;
  const system = matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light";
  const next = (root.dataset.theme ?? system) === "dark" ? "light" : "dark";
  if (next === system) delete root.dataset.theme;
  else root.dataset.theme = next;
  keep.set("theme", next === system ? null : next);
});

const otherLanguage = language === "zh" ? "en" : "zh";
Object.assign(byId("language"), { textContent: language === "zh" ? "EN" : "中", ariaLabel: language === "zh" ? "English" : "中文" });
byId("language").lang = otherLanguage === "zh" ? "zh-Hans" : "en";
byId("language").addEventListener("click", () => {
  keep.set("language", otherLanguage);
  location.reload(); // what is in the form is kept
});

addEventListener("online", () => connection.retry());
addEventListener("pagehide", () => toasts.finishAll());

function scrollTo(element) {
  element.scrollIntoView({ block: "start", behavior: wantsStillness() ? "auto" : "smooth" });
}

connection.start();
