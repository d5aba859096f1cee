/** The views beside the chat: presets, search, statistics, trash, settings, shortcuts. */
export const views = {
  "presets.title": "Presets",
} as const;
