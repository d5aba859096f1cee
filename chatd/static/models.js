// The model picker.

import { call } from "./connection.js";
import { $ } from "./elements.js";

let models = [];
let fallback = null; // the id of the model that is taken when none is chosen

/** Ask which models there are; what is chosen stays chosen. */
export async function loadModels() {
  const page = await call("GET", "models/?limit=200");
  models = page.results;
  fallback = page.default;
  showModels($("model").value);
}

/** Offer the known models with one chosen; a session may also name one that is not known yet. */
export function showModels(chosen) {
  const known = models.find(({ id }) => id === chosen) ?? models.find(({ name }) => name === chosen);
  const options = models.map(({ id }) => new Option(id === fallback ? `${id} (default)` : id, id));
  if (chosen && !known) options.unshift(new Option(chosen, chosen));
  $("model").replaceChildren(...options);
  $("model").value = known?.id || chosen || fallback || "";
}
