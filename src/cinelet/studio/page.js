// Pieces of the page: copies of its templates and the icons. Nothing of videos.

import { translate } from "./words.js";

/** A copy of `<template id=…>` in the reader's language: its node and its parts by their `data-part`. */
export function fromTemplate(id) {
  const node = document.getElementById(id).content.firstElementChild.cloneNode(true);
  translate(node);
  return { node, parts: partsOf(node) };
}

/** The elements below `node` that have a `data-part`, by that name. */
export function partsOf(node) {
  return Object.fromEntries([...node.querySelectorAll("[data-part]")].map((part) => [part.dataset.part, part]));
}

/** Whether the reader asked for less motion. */
export function wantsStillness() {
  return matchMedia("(prefers-reduced-motion: reduce)").matches;
}

/** Copy `text` to the clipboard, also on plain http, where browsers withhold the clipboard API. Returns whether it worked. */
export async function copyText(text) {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    return copyBySelection(text);
  }
}

function copyBySelection(text) {
  const focused = document.activeElement;
  const field = document.createElement("textarea");
  field.value = text;
  field.className = "visually-hidden";
  (document.querySelector("dialog[open]") ?? document.body).append(field);
  field.select();
  const copied = document.execCommand("copy");
  field.remove();
  focused?.focus();
  return copied;
}
