import type { views as english } from "../en/views";
import type { Translation } from "../types";

export const views: Translation<typeof english> = {
  "presets.title": "Vorlagen",
};
