export const thread = {
  "thread.loading": "Nachrichten werden geladen…",
};
