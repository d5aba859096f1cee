import type { Message } from "./wire.js";

/** What the server said no to, or failed at. `code` is stable; docs/errors.md has them all. */
export class ChatdError extends Error {
  override readonly name = "ChatdError";

  constructor(
    message: string,
    readonly code: string,
    readonly options: {
      /** The status over REST. */
      readonly status?: number | undefined;
      /** Whether the same request may succeed later. */
      readonly isRetryable?: boolean | undefined;
      /** Seconds after which it may. */
      readonly retryAfter?: number | undefined;
      /** For each field what is wrong with it. */
      readonly fields?: Readonly<Record<string, unknown>> | undefined;
      /** The message of a generation that failed, as it is stored. */
      readonly aiMessage?: Message | undefined;
    } = {},
  ) {
    super(message);
  }

  get isRetryable(): boolean {
    return this.options.isRetryable ?? false;
  }
}

/** Close codes that mean: stop, connecting again would end in the same way (PROTOCOL section 4.5). */
const FINAL = new Map([
  [1009, "frame_too_large"],
  [4501, "unauthorized"],
  [4503, "forbidden"],
  [4504, "not_found"],
  [4513, "too_many_bad_frames"],
]);

/** Returns why a closed socket must not be opened again, or undefined if it should. */
export function refusal(code: number, reason: string): ChatdError | undefined {
  if (!FINAL.has(code) && !(code >= 4500 && code < 5000)) return undefined;
  const known = FINAL.get(code) ?? "closed";
  return new ChatdError(reason || `The server closed the connection for good (${code}).`, known);
}
