/** The thread: messages and the composer. */
export const thread = {
  "thread.loading": "Loading the messages…",
} as const;
